//! Erasures that go on by themselves, and the disk's share in them: the jobs that end open ones, and that make journal,
//! checkpoints and index forget what is gone.

use std::sync::Arc;

use crate::base::clock::{Clock, Timestamp};
use crate::base::token::Key;
use crate::config::Config;
use crate::model::recurrence::Recurrence;
use crate::operations::backups::Backups;
use crate::operations::jobs::Job;
use crate::privacy::erasure::Eraser;
use crate::privacy::erasure::{Stratum, note_forgotten};
use crate::privacy::personal_data::Files;
use crate::privacy::retention::rules::Rules;
use crate::store::Store;
use crate::store::blobs::Blobs;
use crate::store::embedded::EmbeddedEngine;
use crate::store::spool::Spool;

use super::StartError;

/// What makes the disk forget.
#[derive(Clone)]
pub struct StorageEraser {
    /// Carries erasures out.
    pub eraser: Eraser,
    /// Mail that came in.
    pub spool: Spool,
    /// The store's engine.
    pub engine: Arc<EmbeddedEngine>,
    /// Backups, where they are made by themselves: one is made before the journal forgets, so that every instant of before
    /// can still be restored.
    pub backups: Option<Arc<Backups>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl StorageEraser {
    /// Ends open erasures as far as can be; when some are done, journal and checkpoints of before go.
    ///
    /// # Errors
    /// What failed, in words; the next run goes on.
    pub async fn run(&self) -> Result<String, String> {
        let worked = self.eraser.work(self.clock.now()).await.map_err(|error| error.to_string())?;
        for (_, holds) in &worked.open {
            let holds: Vec<&str> = holds.iter().map(String::as_str).collect();
            tracing::warn!(holds = holds.join("; "), "an erasure is not through yet");
        }
        let forgotten = self.forget(Stratum::Journal).await?;
        let (done, open) = (worked.done, worked.open.len());
        Ok(format!("ended {done} erasures, {open} stay open; of {forgotten} the journal holds nothing any more"))
    }

    /// Makes one stratum forget what done erasures erased, if it may hold anything; gives of how many.
    ///
    /// # Errors
    /// What failed, in words.
    pub async fn forget(&self, stratum: Stratum) -> Result<usize, String> {
        let store = &self.eraser.store;
        let aging = store.aging_erasures().await.map_err(|error| error.to_string())?;
        let aging: Vec<_> = aging.into_iter().filter(|(_, read)| stratum.may_hold(&read.value)).collect();
        if aging.is_empty() {
            return Ok(0);
        }
        match stratum {
            Stratum::Journal => {
                if !self.forget_journal().await? {
                    return Ok(0);
                }
            }
            Stratum::Index => self.engine.renew_index().await.map_err(|error| error.to_string())?,
        }
        let now: Timestamp = self.clock.now();
        note_forgotten(store, stratum, aging, now).await.map_err(|error| error.to_string())
    }
}

impl StorageEraser {
    /// Makes journal and checkpoints forget; `false` when that has to wait for a backup.
    async fn forget_journal(&self) -> Result<bool, String> {
        let done = match self.backups.clone() {
            Some(backups) => {
                let made = tokio::task::spawn_blocking(move || backups.create(&|_| {})).await;
                match made.map_err(|panic| panic.to_string())? {
                    Ok(report) => tracing::info!("before the journal forgets what was erased: {report}"),
                    Err(error) => {
                        tracing::warn!(
                            %error,
                            "the journal still holds what was erased: it forgets only after a backup, and there is no new \
                             one; it is tried again at the next run"
                        );
                        return Ok(false);
                    }
                }
                self.engine.forget_backed_up().await
            }
            None => self.engine.forget_past().await,
        };
        let lost = done.map_err(|error| error.to_string())?.lost_to_backups;
        if lost > 0 {
            tracing::error!(
                segments = lost,
                "journal was dropped because of an erasure and is in no backup: instants in it cannot be restored to"
            );
        }
        Ok(true)
    }
}

/// What makes the disk of this daemon forget.
pub fn storage_eraser(
    config: &Config,
    store: &Store,
    key: &Key,
    spool: &Spool,
    engine: &Arc<EmbeddedEngine>,
    backups: &Arc<Backups>,
    clock: &Arc<dyn Clock>,
) -> StorageEraser {
    let eraser = Eraser { store: store.clone(), key: key.clone(), files: Some(files(config, spool)) };
    let backups = config.backup.schedule.is_some().then(|| backups.clone());
    StorageEraser { eraser, spool: spool.clone(), engine: engine.clone(), backups, clock: clock.clone() }
}

/// Applies the rules of retention, ends the erasures that they began, and makes the index forget what is gone.
///
/// # Errors
/// What failed, in words; the next run goes on.
pub async fn drop_old(rules: &Rules, storage_eraser: &StorageEraser, now: Timestamp) -> Result<String, String> {
    // Who is being erased does not wait for a rule that fails.
    let ruled = rules.apply(now, false).await.map_err(|error| error.to_string());
    let worked = storage_eraser.eraser.work(storage_eraser.clock.now()).await.map_err(|error| error.to_string())?;
    let forgotten = storage_eraser.forget(Stratum::Index).await?;
    let dropped: Vec<String> = ruled?
        .iter()
        .filter(|ruled| ruled.dropped > 0)
        .map(|ruled| format!("{} ({}): {}", ruled.rule, ruled.what, ruled.dropped))
        .collect();
    let dropped = if dropped.is_empty() { "nothing was old enough".to_owned() } else { dropped.join("; ") };
    Ok(format!("{dropped}; ended {} erasures, and the index was renewed because of {forgotten}", worked.done))
}

/// The job.
///
/// # Errors
/// [`StartError::Times`].
pub fn job(config: &Config, storage_eraser: &StorageEraser) -> Result<Job, StartError> {
    let key = "schedule.erasure";
    let times = Recurrence::new(&config.schedule.erasure, &config.schedule.zone)
        .map_err(|error| StartError::Times { key, error })?;
    let storage_eraser = storage_eraser.clone();
    Ok(Job::new("erasure", times, move || {
        let storage_eraser = storage_eraser.clone();
        Box::pin(async move { storage_eraser.run().await })
    }))
}

/// Where what is too large for records lies.
pub fn files(config: &Config, spool: &Spool) -> Files {
    Files {
        spool: spool.clone(),
        blobs: Blobs::in_state_directory(&config.state_directory),
        capture: config.captured_mails(),
    }
}
