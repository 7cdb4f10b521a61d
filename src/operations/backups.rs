//! Backups of the running daemon: by schedule and on request, one at a time.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::clock::{Clock, Timestamp};
use crate::runtime::clock_jump;
use crate::store::Store;
use crate::store::backup::create::{Source, create};
use crate::store::backup::health::{Condition, condition};
use crate::store::backup::manifest::Manifest;
use crate::store::backup::prune::{Keep, Pruned, prune};
use crate::store::backup::repository::Repository;
use crate::store::backup::upkeep::{AT_LEAST, Upkeep, upkeep};
use crate::store::backup::verify::Fault;
use crate::store::backup::{BackupError, Event, Watch};
use crate::store::spool::Spool;

/// Makes backups, and knows their state.
pub struct Backups {
    /// The store.
    pub store: Store,
    /// The spool of incoming mail.
    pub spool: Spool,
    /// The directory of the spool's segments.
    pub spool_directory: PathBuf,
    /// The directory of attachments.
    pub blobs_directory: PathBuf,
    /// The repository.
    pub directory: PathBuf,
    /// Which backups are kept.
    pub keep: Keep,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Modification times of the repository's notes and manifests when the state was read.
    seen: Mutex<Option<Changed>>,
    stopping: AtomicBool,
}

/// Modification times of the notes and of the directory of manifests.
type Changed = [Option<std::time::SystemTime>; 2];

/// The state of backups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// When the newest existing one was made.
    pub newest: Option<Timestamp>,
    /// Time and reason of the last attempt, if it failed since the start.
    pub failure: Option<(Timestamp, String)>,
    /// The condition of the files: what is damaged or missing, and when they were read.
    pub condition: Condition,
}

/// The result of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// The new backup.
    pub manifest: Manifest,
    /// The backups removed by rule.
    pub pruned: Pruned,
    /// Whether none were removed because the clock is in doubt.
    pub clock_jumped: bool,
    /// What was read again, and what was damaged and is repaired.
    pub upkeep: Upkeep,
    /// The present condition of the repository.
    pub condition: Condition,
}

impl Backups {
    /// Creates a service for backups in `directory`, which need not exist yet.
    pub fn new(
        store: Store,
        spool: (Spool, PathBuf),
        blobs_directory: PathBuf,
        directory: PathBuf,
        keep: Keep,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (spool, spool_directory) = spool;
        let (state, seen, stopping) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        Self { store, spool, spool_directory, blobs_directory, directory, keep, clock, state, seen, stopping }
    }

    /// The present state.
    pub(crate) fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the repository's condition, if anything has changed there since the last time. Blocks. A missing
    /// repository is not an error; while a backup is being made, the earlier state is kept.
    pub(crate) fn refresh(&self) {
        let changed = |name: &str| {
            let found = std::fs::metadata(self.directory.join(name));
            found.and_then(|found| found.modified()).ok()
        };
        let now = Some([changed("health"), changed("backups")]);
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == now {
            return;
        }
        let read = Repository::open_to_read(&self.directory).and_then(|repository| condition(&repository));
        let condition = match read {
            Ok(condition) => condition,
            Err(BackupError::Busy(_)) => return,
            Err(BackupError::NoRepository(_)) => Condition::default(),
            Err(error) => Condition {
                faults: vec![Fault { path: self.directory.clone(), what: error.to_string(), backups: Vec::new() }],
                ..Condition::default()
            },
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = now;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.newest, state.condition) = (condition.newest, condition);
    }

    /// Aborts a backup under way, so that the daemon can stop; earlier backups are unchanged.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Makes a backup and removes old ones. `watch` receives the progress. Blocks.
    ///
    /// # Errors
    /// [`BackupError`]: there is no new backup, or no old one was removed.
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
                engine: self.store.maintenance(),
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
        if let Ok(report) = &report {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).condition = report.condition.clone();
        }
        let failure = report.as_ref().err().map(|error: &BackupError| (now, error.to_string()));
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failure = failure;
        report
    }
}

/// Makes a backup, calls `made` with it and removes old ones, unless the clock is too far from the time of the last
/// ones to be trusted. Blocks.
///
/// # Errors
/// [`BackupError`]: there is no new backup, or no old one was removed.
pub fn make(
    source: &Source<'_>,
    repository: &Repository,
    keep: Keep,
    now: Timestamp,
    watch: Watch<'_>,
    made: &dyn Fn(&Manifest),
) -> Result<BackupReport, BackupError> {
    // Files found damaged here are written again by this, or by the backup itself.
    let upkeep = upkeep(source, repository, now, AT_LEAST, watch)?;
    let before: Vec<Timestamp> = repository.manifests()?.iter().map(|manifest| manifest.created).collect();
    let manifest = create(source, repository, now, watch)?;
    made(&manifest);
    let clock_jumped = clock_jump::is_doubted_after(&before, now);
    let pruned = if clock_jumped {
        tracing::error!(
            last = before.last().map(ToString::to_string),
            "the clock is much later than at the last backups, so no backup is removed for a day. If it is wrong, \
             correct it; if it is right (none was made for a long time), nothing needs to be done"
        );
        Pruned::default()
    } else {
        prune(repository, keep, now, watch)?
    };
    let condition = condition(repository)?;
    log_problems(&upkeep, &condition);
    Ok(BackupReport { manifest, pruned, clock_jumped, upkeep, condition })
}

/// Logs problems of the repository together: a line for each file would be too many when a disk dies.
fn log_problems(upkeep: &Upkeep, condition: &Condition) {
    if let Some(first) = upkeep.rewritten.first() {
        tracing::warn!(
            files = upkeep.rewritten.len(),
            first = %first.display(),
            "files of backups were damaged and were rewritten; check their disk"
        );
    }
    if let Some(first) = condition.faults.first() {
        tracing::error!(
            files = condition.faults.len(),
            first = %first.path.display(),
            what = first.what,
            "backups are damaged, and the store no longer has the lost data; see \u{201c}depesch backup verify --all\u{201d}"
        );
    }
}

impl std::fmt::Display for BackupReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Manifest { id, mark, bytes, new_bytes, left_out, .. } = &self.manifest;
        let records = mark.records;
        write!(f, "made backup {id} of {records} records: {bytes} bytes, {new_bytes} of them new")?;
        if !left_out.is_empty() {
            write!(f, "; {} attachments are damaged and not in it: {}", left_out.len(), left_out.join(" "))?;
        }
        if self.clock_jumped {
            write!(f, "; removed none, because the clock jumped far ahead")?;
        }
        let Upkeep { files, bytes, rewritten } = &self.upkeep;
        write!(f, "; read {files} files again, {bytes} bytes")?;
        if !rewritten.is_empty() {
            write!(f, "; wrote {} again that were damaged", rewritten.len())?;
        }
        if !self.condition.faults.is_empty() {
            write!(f, "; {} files of backups are damaged or missing", self.condition.faults.len())?;
        }
        match self.pruned.backups.len() {
            0 => Ok(()),
            old => write!(f, "; removed {old} old ones and {} bytes", self.pruned.bytes),
        }
    }
}
