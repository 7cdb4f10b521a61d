//! What the parts of the daemon count and measure themselves, each made with its part and registered by the one that puts
//! the daemon together.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::{Labels, labels};

/// From half a millisecond to ten seconds: a sync takes one to ten milliseconds on a good disk.
const COMMIT_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Commits that share one sync.
const GROUP: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// What the store measures of its commits. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct CommitMetrics {
    /// From asking to durable, in seconds, of each commit.
    pub seconds: Histogram,
    /// Commits made durable together.
    pub group: Histogram,
}

impl Default for CommitMetrics {
    fn default() -> Self {
        Self { seconds: Histogram::new(COMMIT_SECONDS), group: Histogram::new(GROUP) }
    }
}

/// What was made of mail that came in. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct InboundMetrics {
    pub(super) messages: Family<Labels, Counter>,
    pub(super) bounces: Family<Labels, Counter>,
}

impl InboundMetrics {
    /// Every series that there can be, from the start: so that the first stuck message is seen to be one more than none.
    pub fn with_series(kinds: &[&str], classes: &[&str]) -> Self {
        let made = Self::default();
        kinds.iter().for_each(|kind| drop(made.messages.get_or_create_owned(&labels(&[("outcome", kind)]))));
        classes.iter().for_each(|class| drop(made.bounces.get_or_create_owned(&labels(&[("class", class)]))));
        made
    }

    /// Counts one message: what it was taken for, or `stuck`.
    pub fn message(&self, outcome: &str) {
        self.messages.get_or_create_owned(&labels(&[("outcome", outcome)])).inc();
    }

    /// Counts one bounce or complaint that came by mail, by its class.
    pub fn bounce(&self, class: &str) {
        self.bounces.get_or_create_owned(&labels(&[("class", class)])).inc();
    }
}
