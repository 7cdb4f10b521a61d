//! Jobs that complete open erasures, and that remove erased data from the disk: from journal,
//! checkpoints and index.

use std::sync::Arc;

use crate::base::clock::{Clock, Timestamp};
use crate::base::token::Key;
use crate::config::Config;
use crate::model::recurrence::Recurrence;
use crate::operations::backups::Backups;
use crate::operations::jobs::Job;
use crate::privacy::erasure::Eraser;
use crate::privacy::erasure::{StorageLayer, note_forgotten};
use crate::privacy::personal_data::Files;
use crate::privacy::retention::rules::Rules;
use crate::store::blobs::Blobs;
use crate::store::maintenance::History;
use crate::store::spool::Spool;
use crate::store::{Store, erasures};

use super::StartError;

/// Removes erased data from the store's files.
#[derive(Clone)]
pub struct StorageEraser {
    /// Completes erasures.
    pub eraser: Eraser,
    /// The spool of incoming mail.
    pub spool: Spool,
    /// Automatic backups, if configured: one is made before the journal is dropped, so that every
    /// earlier instant can still be restored.
    pub backups: Option<Arc<Backups>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl StorageEraser {
    /// Completes open erasures as far as possible; if any are done, drops the journal and
    /// checkpoints that still hold their data.
    ///
    /// # Errors
    /// What failed, as text; the next run continues.
    pub async fn run(&self) -> Result<String, String> {
        let worked = self.eraser.work(self.clock.now()).await.map_err(|error| error.to_string())?;
        for (_, holds) in &worked.open {
            let holds: Vec<&str> = holds.iter().map(String::as_str).collect();
            tracing::warn!(holds = holds.join("; "), "an erasure is not complete yet");
        }
        let forgotten = self.forget(StorageLayer::Journal).await?;
        let (done, open) = (worked.done, worked.open.len());
        Ok(format!("completed {done} erasures, {open} stay open; the journal no longer holds data of {forgotten}"))
    }

    /// Removes from one storage layer what completed erasures erased, if it may still hold any of
    /// it; returns for how many.
    ///
    /// # Errors
    /// What failed, as text.
    pub async fn forget(&self, layer: StorageLayer) -> Result<usize, String> {
        let store = &self.eraser.store;
        // Only of those that are done by now may be said afterwards that the layer holds nothing of them.
        let (mut done, mut aging) = (store.pages(erasures::aging()), Vec::new());
        while let Some((hash, read)) = done.next().await.map_err(|error| error.to_string())? {
            if layer.may_hold(&read.value) {
                aging.push((hash, read));
            }
        }
        if aging.is_empty() {
            return Ok(0);
        }
        match layer {
            StorageLayer::Journal => {
                if !self.forget_journal().await? {
                    return Ok(0);
                }
            }
            StorageLayer::Index => store.maintenance().erase_free_space().await.map_err(|error| error.to_string())?,
        }
        let now: Timestamp = self.clock.now();
        note_forgotten(store, layer, aging, now).await.map_err(|error| error.to_string())
    }
}

impl StorageEraser {
    /// Drops the journal and checkpoints from before; `false` when that has to wait for a backup.
    async fn forget_journal(&self) -> Result<bool, String> {
        let history = match self.backups.clone() {
            Some(backups) => {
                let made = tokio::task::spawn_blocking(move || backups.create(&|_| {})).await;
                match made.map_err(|panic| panic.to_string())? {
                    Ok(report) => tracing::info!("before the journal forgets what was erased: {report}"),
                    Err(error) => {
                        tracing::warn!(
                            %error,
                            "the journal still holds erased data: it can only be dropped after a backup, and there is no \
                             new one; the next run tries again"
                        );
                        return Ok(false);
                    }
                }
                History::BackedUp
            }
            None => History::All,
        };
        let erased = self.eraser.store.maintenance().erase_history(history).await;
        let lost = erased.map_err(|error| error.to_string())?;
        if lost > 0 {
            tracing::error!(
                segments = lost,
                "journal was dropped because of an erasure and is in no backup: instants in it cannot be restored to"
            );
        }
        Ok(true)
    }
}

/// Builds the storage eraser of this daemon.
pub(crate) fn storage_eraser(
    config: &Config,
    store: &Store,
    key: &Key,
    spool: &Spool,
    backups: &Arc<Backups>,
    clock: &Arc<dyn Clock>,
) -> StorageEraser {
    let eraser = Eraser { store: store.clone(), key: key.clone(), files: Some(files(config, spool)) };
    let backups = config.backup.schedule.is_some().then(|| backups.clone());
    StorageEraser { eraser, spool: spool.clone(), backups, clock: clock.clone() }
}

/// Applies the retention rules, completes the erasures that they began, and rebuilds the index
/// without what was erased.
///
/// # Errors
/// What failed, as text; the next run continues.
pub(crate) async fn drop_old(rules: &Rules, storage_eraser: &StorageEraser, now: Timestamp) -> Result<String, String> {
    // Erasures continue even if a retention rule fails.
    let ruled = rules.apply(now, false).await.map_err(|error| error.to_string());
    let worked = storage_eraser.eraser.work(storage_eraser.clock.now()).await.map_err(|error| error.to_string())?;
    let forgotten = storage_eraser.forget(StorageLayer::Index).await?;
    let dropped: Vec<String> = ruled?
        .iter()
        .filter(|ruled| ruled.dropped > 0)
        .map(|ruled| format!("{} ({}): {}", ruled.rule, ruled.what, ruled.dropped))
        .collect();
    let dropped = if dropped.is_empty() { "nothing was old enough".to_owned() } else { dropped.join("; ") };
    Ok(format!("{dropped}; ended {} erasures, and the index was renewed because of {forgotten}", worked.done))
}

/// The retention job.
///
/// # Errors
/// [`StartError::Times`].
pub(crate) fn job(config: &Config, storage_eraser: &StorageEraser) -> Result<Job, StartError> {
    let key = "schedule.erasure";
    let times = Recurrence::new(&config.schedule.erasure, &config.schedule.zone)
        .map_err(|error| StartError::Times { key, error })?;
    let storage_eraser = storage_eraser.clone();
    Ok(Job::new("erasure", times, move || {
        let storage_eraser = storage_eraser.clone();
        Box::pin(async move { storage_eraser.run().await })
    }))
}

/// Where data too large for records is stored.
pub(crate) fn files(config: &Config, spool: &Spool) -> Files {
    Files {
        spool: spool.clone(),
        blobs: Blobs::in_state_directory(&config.state_directory),
        capture: config.captured_mails(),
    }
}
