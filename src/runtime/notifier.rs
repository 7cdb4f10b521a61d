//! The notifier: tells idle tasks after a commit that there may be work.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Notifies idle tasks such as the scheduler and the dispatcher. Cheap to clone; all clones share their state.
///
/// A waiting task must keep this order, so that it misses nothing between query and wait:
///
/// ```text
/// let woken = wake.notified();   // register,
/// let work = query().await?;     // then query,
/// woken.await;                   // then wait (or a time, whichever comes first).
/// ```
///
/// It is only a hint: work is found in the store, so a lost notification costs time but no work.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    notify: Arc<Notify>,
}

impl Notifier {
    /// Creates a notifier without waiters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notifies all registered waiters. Call it after the commit, never before.
    pub fn notify(&self) {
        self.notify.notify_waiters();
    }

    /// Registers now; completes at the next [`Notifier::notify`].
    pub fn notified(&self) -> Notified<'_> {
        self.notify.notified()
    }
}
