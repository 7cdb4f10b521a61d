//! Whether the daemon is alive, and whether it takes new work: two questions with short answers, asked often.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::store::engine::Batch;

use super::{Observer, reserve};

/// So long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the daemon is not alive, or takes no new work: in a few words, without anybody's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwell(pub String);

impl Observer {
    /// Whether the store commits and nothing that sends has given up.
    ///
    /// # Errors
    /// [`Unwell`]: only a restart may help.
    pub async fn alive(&self) -> Result<(), Unwell> {
        let parts = self.parts();
        let broken = parts.dispatcher.as_ref().and_then(|dispatcher| dispatcher.is_broken());
        if broken.or_else(|| parts.notice_worker.as_ref().and_then(|notice_worker| notice_worker.is_broken())).is_some()
        {
            return Err(Unwell("what sends mail has given up; the log says why".to_owned()));
        }
        // Nothing to write, so nothing is; but whoever commits must answer, and says if it has stopped.
        let asked = self.store.commit(Batch::new());
        tokio::select! {
            answered = asked => match answered {
                Ok(_) => Ok(()),
                Err(_) => Err(Unwell("the store has stopped; the log says why".to_owned())),
            },
            () = self.clock.wait_for(PATIENCE) => match self.heals() {
                true => Ok(()),
                false => Err(Unwell("the store does not answer".to_owned())),
            },
        }
    }

    /// The index of the store is damaged and being built anew: commits wait, and go on by themselves.
    fn heals(&self) -> bool {
        self.parts().engine.is_some_and(|engine| engine.index_health().damaged.is_some())
    }

    /// Whether new work is taken in: alive, not about to stop, with the sockets that were there before, and room on the disk. A relay in trouble does not count:
    /// what is taken in meanwhile waits safely.
    ///
    /// # Errors
    /// [`Unwell`].
    pub async fn ready(&self) -> Result<(), Unwell> {
        self.alive().await?;
        if self.draining.load(Relaxed) {
            return Err(Unwell("stopping: nothing new is taken in".to_owned()));
        }
        if self.heals() {
            return Err(Unwell("the index of the store is damaged and being built anew".to_owned()));
        }
        let lost = self.parts().listeners.map(|listeners| listeners.lost()).unwrap_or_default();
        if !lost.is_empty() {
            return Err(Unwell(format!(
                "mail no longer comes in by {}: its socket was not handed over",
                lost.join(", ")
            )));
        }
        let free = self.parts().engine.map(|engine| engine.disk_free());
        match free {
            Some(Ok(free)) if free < reserve() => Err(Unwell("the disk is full: no mail is taken in".to_owned())),
            Some(Err(_)) => Err(Unwell("the disk cannot be looked at".to_owned())),
            _ => Ok(()),
        }
    }
}
