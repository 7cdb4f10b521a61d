//! Whether the daemon is alive, and whether it accepts new work: two frequent questions with short answers.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::store::engine::Batch;

use super::{Observer, reserve};

/// Timeout for an answer of the store.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why the daemon is not alive, or accepts no new work: a short text without personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwell(pub String);

impl Observer {
    /// Whether the store commits and all senders work.
    ///
    /// # Errors
    /// [`Unwell`]: only a restart may help.
    pub async fn alive(&self) -> Result<(), Unwell> {
        let parts = self.parts();
        let broken = parts.dispatcher.as_ref().and_then(|dispatcher| dispatcher.is_broken());
        if broken.or_else(|| parts.notice_worker.as_ref().and_then(|notice_worker| notice_worker.is_broken())).is_some()
        {
            return Err(Unwell("the mail sender has given up; the log says why".to_owned()));
        }
        // An empty batch writes nothing; but the committer must answer, and reports if it has stopped.
        let asked = self.store.commit(Batch::new());
        tokio::select! {
            answered = asked => match answered {
                Ok(_) => Ok(()),
                Err(_) => Err(Unwell("the store has stopped; the log says why".to_owned())),
            },
            () = self.clock.wait_for(TIMEOUT) => match self.heals() {
                true => Ok(()),
                false => Err(Unwell("the store does not answer".to_owned())),
            },
        }
    }

    /// Whether the index of the store is being rebuilt: commits wait, and continue automatically.
    fn heals(&self) -> bool {
        self.index().is_some_and(|index| index.damaged.is_some())
    }

    /// Whether new work is accepted: alive, not stopping, with all earlier sockets, and with disk space. Trouble with
    /// the relay does not count: mail accepted meanwhile waits safely.
    ///
    /// # Errors
    /// [`Unwell`].
    pub async fn ready(&self) -> Result<(), Unwell> {
        self.alive().await?;
        if self.draining.load(Relaxed) {
            return Err(Unwell("stopping: nothing new is accepted".to_owned()));
        }
        if self.heals() {
            return Err(Unwell("the index of the store is damaged and being rebuilt".to_owned()));
        }
        let lost = self.parts().listeners.map(|listeners| listeners.lost()).unwrap_or_default();
        if !lost.is_empty() {
            return Err(Unwell(format!("no mail is received by {}: its socket was not passed in", lost.join(", "))));
        }
        match self.store.maintenance().disk_free() {
            Ok(Some(free)) if free < reserve() => Err(Unwell("the disk is full: no mail is accepted".to_owned())),
            Err(_) => Err(Unwell("the disk cannot be examined".to_owned())),
            _ => Ok(()),
        }
    }
}
