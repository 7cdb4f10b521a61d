//! How a commit tells those who wait for work that there may be some.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Wakes the scheduler and the dispatcher. Cheap to clone; all clones are one.
///
/// Whoever waits keeps this order, so that nothing falls between looking and waiting:
///
/// ```text
/// let woken = wake.notified();   // register,
/// let work = query().await?;     // then query,
/// woken.await;                   // then wait (or a time, whichever comes first).
/// ```
///
/// It is only a hint: work is found in the store, so a lost wake-up costs time and no work.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    notify: Arc<Notify>,
}

impl Notifier {
    /// A wake-up that nobody waits for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes everyone who has registered. Call it after the commit, never before.
    pub fn notify(&self) {
        self.notify.notify_waiters();
    }

    /// Registers now; completes at the first [`Notifier::notify`] from now on.
    pub fn notified(&self) -> Notified<'_> {
        self.notify.notified()
    }
}
