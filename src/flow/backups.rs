//! Backups of the running daemon: by its schedule and when somebody asks, one at a time.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::clock::{Clock, Timestamp};
use crate::store::backup::create::{Source, create};
use crate::store::backup::manifest::Manifest;
use crate::store::backup::prune::{Keep, Pruned, prune};
use crate::store::backup::repository::Repository;
use crate::store::backup::{BackupError, Event, Watch};
use crate::store::embedded::EmbeddedEngine;
use crate::store::spool::Spool;

use super::leap;

/// Where backups are made, and of what.
pub struct Backups {
    /// The store.
    pub engine: Arc<EmbeddedEngine>,
    /// Mail that came in.
    pub spool: Spool,
    /// Where the spool's segments lie.
    pub spool_directory: PathBuf,
    /// Where attachments lie.
    pub blobs_directory: PathBuf,
    /// The repository.
    pub directory: PathBuf,
    /// Which backups are kept.
    pub keep: Keep,
    /// The time.
    pub clock: Arc<dyn Clock>,
    state: Mutex<State>,
    stopping: AtomicBool,
}

/// How the backups stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// When the newest that is there was made.
    pub newest: Option<Timestamp>,
    /// Why the last attempt since the start failed, if it did, and when.
    pub failure: Option<(Timestamp, String)>,
}

/// What a backup did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// The new backup.
    pub manifest: Manifest,
    /// What was forgotten by rule.
    pub pruned: Pruned,
    /// Nothing was, because the clock is in doubt.
    pub clock_leapt: bool,
}

impl Backups {
    /// Backups in `directory`, which need not be there yet.
    pub fn new(
        engine: Arc<EmbeddedEngine>,
        spool: (Spool, PathBuf),
        blobs_directory: PathBuf,
        directory: PathBuf,
        keep: Keep,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (spool, spool_directory) = spool;
        let (state, stopping) = (Mutex::default(), AtomicBool::new(false));
        Self { engine, spool, spool_directory, blobs_directory, directory, keep, clock, state, stopping }
    }

    /// How they stand.
    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads when the newest was made. Blocks. That there is no repository yet is no error.
    pub fn look(&self) {
        let newest = Repository::open_to_read(&self.directory).and_then(|repository| repository.manifests());
        let newest = newest.ok().and_then(|manifests| manifests.last().map(|manifest| manifest.created));
        self.state.lock().unwrap_or_else(PoisonError::into_inner).newest = newest;
    }

    /// Breaks off what is being made, so that the daemon can stop; the earlier backups are as they were.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Makes a backup and forgets old ones. `watch` is told how far it has come. Blocks.
    ///
    /// # Errors
    /// [`BackupError`]: there is no new backup, or no old one was forgotten.
    pub fn create(&self, watch: &(dyn Fn(Event) + Send + Sync)) -> Result<BackupReport, BackupError> {
        let now = self.clock.now();
        let watch = |event: Event| {
            watch(event);
            match self.stopping.load(Ordering::Relaxed) {
                true => Err(io::Error::other("the daemon stops")),
                false => Ok(()),
            }
        };
        let made = || {
            let repository = Repository::open_to_write(&self.directory, &watch)?;
            let source = Source {
                engine: &self.engine,
                blobs: self.blobs_directory.clone(),
                spool: self.spool_directory.clone(),
                seal_spool: &|| self.spool.seal_blocking(),
            };
            let noted = |manifest: &Manifest| {
                self.state.lock().unwrap_or_else(PoisonError::into_inner).newest = Some(manifest.created);
            };
            make(&source, &repository, self.keep, now, &watch, &noted)
        };
        let report = made();
        let failure = report.as_ref().err().map(|error: &BackupError| (now, error.to_string()));
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failure = failure;
        report
    }
}

/// Makes a backup, tells `made` of it and forgets old ones, unless the clock is so far from when the last were made that it
/// cannot be believed. Blocks.
///
/// # Errors
/// [`BackupError`]: there is no new backup, or no old one was forgotten.
pub fn make(
    source: &Source<'_>,
    repository: &Repository,
    keep: Keep,
    now: Timestamp,
    watch: Watch<'_>,
    made: &dyn Fn(&Manifest),
) -> Result<BackupReport, BackupError> {
    let before: Vec<Timestamp> = repository.manifests()?.iter().map(|manifest| manifest.created).collect();
    let manifest = create(source, repository, now, watch)?;
    made(&manifest);
    let clock_leapt = leap::is_doubted_after(&before, now);
    let pruned = if clock_leapt {
        tracing::error!(
            last = before.last().map(ToString::to_string),
            "the clock is far later than when the backups before were made, so none is forgotten for a day. If it is wrong, \
             set it right; if it is right (none was made for long), nothing needs to be done"
        );
        Pruned::default()
    } else {
        prune(repository, keep, now, watch)?
    };
    Ok(BackupReport { manifest, pruned, clock_leapt })
}

impl std::fmt::Display for BackupReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Manifest { id, mark, octets, new_octets, left_out, .. } = &self.manifest;
        let records = mark.records;
        write!(f, "made backup {id} of {records} records: {octets} octets, {new_octets} of them new")?;
        if !left_out.is_empty() {
            write!(f, "; {} attachments are damaged and not in it: {}", left_out.len(), left_out.join(" "))?;
        }
        if self.clock_leapt {
            write!(f, "; forgot none, for the clock leapt far ahead")?;
        }
        match self.pruned.backups.len() {
            0 => Ok(()),
            old => write!(f, "; forgot {old} old ones and {} octets", self.pruned.octets),
        }
    }
}
