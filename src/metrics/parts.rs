//! The counters and measurements of the daemon's parts, created with each part and registered when the daemon is
//! assembled.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::{Labels, labels};

/// Buckets from half a millisecond to ten seconds: a sync takes one to ten milliseconds on a good disk.
const COMMIT_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Buckets for the number of commits that share one sync.
const GROUP: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Measurements of the store's commits. Cheap to clone; all clones share their state.
#[derive(Clone, Debug)]
pub struct CommitMetrics {
    /// Time from request to durable, in seconds, of each commit.
    pub seconds: Histogram,
    /// Number of commits made durable together.
    pub group: Histogram,
}

impl Default for CommitMetrics {
    fn default() -> Self {
        Self { seconds: Histogram::new(COMMIT_SECONDS), group: Histogram::new(GROUP) }
    }
}

/// Outcomes of incoming messages. Cheap to clone; all clones share their state.
#[derive(Clone, Debug, Default)]
pub struct InboundMetrics {
    pub(super) messages: Family<Labels, Counter>,
    pub(super) bounces: Family<Labels, Counter>,
}

impl InboundMetrics {
    /// Creates all possible series at the start: so that the first stuck message is visible as an increase.
    pub fn with_series(kinds: &[&str], classes: &[&str]) -> Self {
        let made = Self::default();
        kinds.iter().for_each(|kind| drop(made.messages.get_or_create_owned(&labels(&[("outcome", kind)]))));
        classes.iter().for_each(|class| drop(made.bounces.get_or_create_owned(&labels(&[("class", class)]))));
        made
    }

    /// Counts one message: the word for what it was classified as, or `stuck`.
    pub(crate) fn message(&self, outcome: &str) {
        self.messages.get_or_create_owned(&labels(&[("outcome", outcome)])).inc();
    }

    /// Counts one bounce or complaint received by mail, by its class.
    pub(crate) fn bounce(&self, class: &str) {
        self.bounces.get_or_create_owned(&labels(&[("class", class)])).inc();
    }
}
