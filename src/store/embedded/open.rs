//! Opening a store: whatever the last stop left, it ends with an index that holds exactly what the journal says, or
//! with an error that names what is wrong.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::checkpoint::{self, CheckpointError};
use crate::store::fingerprint::Mark;
use crate::store::journal::disk::{Disk, make_directories};
use crate::store::journal::segment;
use crate::store::journal::walk::{Found, Tail, walk};
use crate::store::journal::{Damage, JournalError};

use super::bounds::{Bounds, Shortfall};
use super::index::{Index, IndexFault};
use super::rebuild::{Replay, rebuild};
use super::{EmbeddedEngine, Settings, StoreLock, creation, marker};

/// An open store and what opening it took.
pub struct Opened {
    /// The engine.
    pub engine: EmbeddedEngine,
    /// What was found and done.
    pub report: OpenReport,
}

/// What opening a store took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// A new, empty store was begun.
    pub created: bool,
    /// The last stop was in order.
    pub clean: bool,
    /// The index was checked against the journal, record by record.
    pub verified: bool,
    /// Groups of commits that the index had not seen.
    pub replayed: u64,
    /// Octets of an unacknowledged write, cut off the journal's end.
    pub torn: u64,
    /// One bit of the journal's last group, of this number, was wrong and was put right.
    pub repaired: Option<u64>,
    /// What was cut off may have been a group that was acknowledged and is damaged; here it is kept.
    pub doubtful: Option<PathBuf>,
    /// The index was built anew, for this reason.
    pub rebuilt: Option<String>,
    /// Checkpoints that could not be used, and why.
    pub unusable_checkpoints: Vec<String>,
    /// How many records the store holds.
    pub records: u64,
    /// What was known beforehand of how far the journal reached.
    pub bounds: Bounds,
    /// The last group of the journal.
    pub last_group: u64,
}

impl OpenReport {
    /// What can be said of acknowledged groups: that none is missing, only where that is known.
    pub fn completeness(&self) -> String {
        match &self.doubtful {
            None => self.bounds.completeness(self.last_group),
            Some(path) => format!(
                "the last group, {}, may be damaged: {} bytes of it were cut off the journal as a write that was never \
                 acknowledged, and are kept in {}",
                self.last_group.saturating_add(1),
                self.torn,
                path.display()
            ),
        }
    }

    /// What a person should know of the start, where acknowledged groups may be missing.
    pub fn doubt(&self) -> Option<String> {
        let is_doubtful = self.rebuilt.is_some() && !self.bounds.proves_end(self.last_group);
        (self.doubtful.is_some() || is_doubtful)
            .then(|| format!("the store was opened after a failure: {}", self.completeness()))
    }
}

impl std::fmt::Display for OpenReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let records = self.records;
        match (self.created, &self.rebuilt, self.clean) {
            (true, ..) => write!(f, "an empty store was begun")?,
            (_, Some(reason), _) => {
                let completeness = self.completeness();
                write!(
                    f,
                    "the index was built anew from the journal, because {reason}; {records} records; {completeness}"
                )?;
            }
            (.., true) => write!(f, "{records} records")?,
            (.., false) => write!(f, "{records} records, checked against the journal after an unclean stop")?,
        }
        if self.torn > 0 && self.doubtful.is_none() {
            write!(f, "; {} bytes of a write that was never acknowledged were cut off", self.torn)?;
        }
        self.unusable_checkpoints.iter().try_for_each(|reason| write!(f, "; a checkpoint could not be used: {reason}"))
    }
}

/// Why a store was not opened. Nothing was given up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none, and none was asked for.
    #[error("there is no store in {}; nothing was created", .0.display())]
    Absent(PathBuf),
    /// Another process has it open.
    #[error("the store in {} is in use by another process{}; stop that one first", directory.display(), of(*pid))]
    Locked {
        /// Where the store is.
        directory: PathBuf,
        /// The other process, if it left its number.
        pid: Option<u32>,
    },
    /// The file system failed.
    #[error("{} could not be {action}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// `read`, `written` and so on.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The journal cannot be read or is damaged.
    #[error("{0}. \u{201c}depesch store recover\u{201d} shows what is affected and goes on without it")]
    Damaged(Damage),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(JournalError),
    /// A checkpoint cannot be read and nothing else can take its place.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Acknowledged groups are missing at the journal's end, or the journal is missing.
    #[error(
        "the journal in {} ends after group {journal}: {shortfall}. Put the missing files back, or see what \
         \u{201c}depesch store recover\u{201d} can do", directory.display()
    )]
    JournalShort {
        /// Where the journal is.
        directory: PathBuf,
        /// The last group that it has.
        journal: u64,
        /// The last group that is known to have been there.
        seen: u64,
        /// What is missing.
        shortfall: Shortfall,
    },
    /// All that can be read was read, and does not add up to what the journal says.
    #[error(
        "the store in {} does not add up: {reason}. See what \u{201c}depesch store recover\u{201d} can do", directory.display()
    )]
    Mismatch {
        /// Where the store is.
        directory: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The index, built anew, cannot be used.
    #[error("the index of the store fails: {0}")]
    Index(String),
}

fn of(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (number {pid})")).unwrap_or_default()
}

impl OpenError {
    /// Whether it is of no use to try again before a person has looked: there is no store, or something is damaged that
    /// cannot be built anew.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Absent(_) | Self::Damaged(_) | Self::JournalShort { .. } | Self::Mismatch { .. } => true,
            Self::Journal(error) => !matches!(error, JournalError::Io { .. }),
            Self::Checkpoint(error) => !matches!(error, CheckpointError::Io { .. }),
            Self::Locked { .. } | Self::Io { .. } | Self::Index(_) => false,
        }
    }

    pub(super) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}

impl From<JournalError> for OpenError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Damaged(damage) => Self::Damaged(damage),
            other => Self::Journal(other),
        }
    }
}

/// A store put right, ready for an engine.
pub(super) struct Settled {
    pub index: Index,
    pub tail: Tail,
    pub report: OpenReport,
    /// Octets of journal since the newest checkpoint.
    pub journal_octets: u64,
}

pub(super) fn journal(directory: &Path) -> PathBuf {
    directory.join("journal")
}

pub(super) fn checkpoints(directory: &Path) -> PathBuf {
    directory.join("checkpoints")
}

pub(super) fn indexes(directory: &Path) -> PathBuf {
    directory.join("index")
}

/// Takes the lock. The directory is made when a store may be created.
pub(super) fn lock(directory: &Path, settings: &Settings) -> Result<StoreLock, OpenError> {
    if settings.create {
        make_directories(directory, 0o777).map_err(OpenError::io(directory, "created"))?;
    } else if !directory.try_exists().map_err(OpenError::io(directory, "read"))? {
        return Err(OpenError::Absent(directory.to_owned()));
    }
    StoreLock::take(directory)
}

/// Brings index and journal together. The caller holds the lock.
pub(super) fn settle(disk: &Arc<dyn Disk>, directory: &Path, settings: &Settings) -> Result<Settled, OpenError> {
    let mut report = OpenReport::default();
    let journal = journal(directory);
    let segments = segment::list(&journal).map_err(OpenError::io(&journal, "read"))?;
    let checkpoints = checkpoint::list(&checkpoints(directory))?;
    let generation = newest_generation(directory)?;
    let bounds = Bounds::read(directory)?;
    if segments.is_empty() {
        if bounds.is_known || generation.is_some() {
            bounds.demand_reached(directory, 0, 0)?;
        }
        if !settings.create {
            return Err(OpenError::Absent(directory.to_owned()));
        }
        creation::begin_journal(disk, directory)?;
        report.created = true;
    }
    if !report.created {
        bounds.take_clean(directory)?;
    }
    report.bounds = bounds.clone();
    let existing = match (generation, marker::read(directory)?) {
        (_, Some(reason)) => Err(reason),
        (None, None) if report.created => Err(String::new()),
        (None, None) => Err("there was none".to_owned()),
        (Some(generation), None) => {
            let first = segments.first().map_or(1, |segment| segment.first);
            catch_up(directory, settings, generation, (first, &bounds), &mut report)?
        }
    };
    let (index, tail) = match existing {
        Ok(found) => found,
        Err(reason) => {
            report.rebuilt = (!report.created).then_some(reason);
            rebuild(directory, settings, generation.map_or(1, |last| last + 1), &mut report)?
        }
    };
    report.torn = tail.torn;
    report.repaired = tail.repair.as_ref().map(|_| tail.mark.sequence);
    if tail.is_doubtful && !report.bounds.proves_end(tail.mark.sequence) {
        report.doubtful = Some(keep_doubtful(directory, &tail)?);
    }
    report.records = tail.mark.fingerprint.records;
    report.last_group = tail.mark.sequence;
    let journal_octets = octets_since(&segments, checkpoints.last().map_or(0, |newest| newest.since));
    Ok(Settled { index, tail, report, journal_octets })
}

/// Keeps what is about to be cut off the journal's end, in a file of its own.
fn keep_doubtful(directory: &Path, tail: &Tail) -> Result<PathBuf, OpenError> {
    let kept = directory.join(format!("doubtful-{}", tail.mark.sequence.saturating_add(1)));
    let Some((name, _, length)) = &tail.last else { return Ok(kept) };
    let failed = |action| OpenError::io(&kept, action);
    let octets = fs::read(&name.path).map_err(OpenError::io(&name.path, "read"))?;
    let from = usize::try_from(*length).unwrap_or(usize::MAX).min(octets.len());
    let mut file = File::create(&kept).map_err(failed("created"))?;
    file.write_all(octets.get(from..).unwrap_or_default()).and_then(|()| file.sync_all()).map_err(failed("written"))?;
    checkpoint::sync_directory(directory)?;
    Ok(kept)
}

type CaughtUp = Result<(Index, Tail), String>;

/// Opens the index that is there and applies what it has not seen. The inner error says why it must be built anew.
fn catch_up(
    directory: &Path,
    settings: &Settings,
    generation: u64,
    (first, bounds): (u64, &Bounds),
    report: &mut OpenReport,
) -> Result<CaughtUp, OpenError> {
    let path = indexes(directory).join(generation.to_string());
    let opened = Index::open(&path, settings.cache_octets).and_then(|index| Ok((index.mark()?, index)));
    let (mark, index) = match opened {
        Ok((Some(mark), index)) => (mark, index),
        Ok((None, _)) => return Ok(Err("it was unfinished".to_owned())),
        Err(fault) => return Ok(Err(fault.0)),
    };
    if first > mark.sequence.saturating_add(1) {
        return Ok(Err("it is older than the journal".to_owned()));
    }
    let mut replay = Replay::new(&index);
    let tail = walk(&journal(directory), mark.sequence, &mut |found| match found {
        Found::Damage(damage) => Err(JournalError::Damaged(damage)),
        Found::Record(record) => {
            replay.push(&record);
            Ok(())
        }
    })?;
    let mut bounds = bounds.clone();
    bounds.raise(mark.sequence);
    bounds.demand(directory, &tail)?;
    if tail.start != Some(mark) {
        return Ok(Err("it belongs to another journal".to_owned()));
    }
    report.replayed = replay.groups();
    if let Err(fault) = replay.finish() {
        return Ok(Err(fault.0));
    }
    // Also after an orderly stop: the index's files may have been damaged since, and sled opens some damage without a word.
    let found = match index.fingerprint() {
        Ok(found) => found,
        Err(IndexFault(reason)) => return Ok(Err(reason)),
    };
    if found != tail.mark.fingerprint {
        let (has, should) = (found.records, tail.mark.fingerprint.records);
        return Ok(Err(format!("its {has} records are not the {should} that the journal says")));
    }
    (report.clean, report.verified) = (bounds.clean == Some(mark), true);
    Ok(Ok((index, tail)))
}

/// The newest generation of the index, if there is any.
pub(super) fn newest_generation(directory: &Path) -> Result<Option<u64>, OpenError> {
    let path = indexes(directory);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(OpenError::io(&path, "read")(e)),
    };
    let mut newest = None;
    for entry in entries {
        let name = entry.map_err(OpenError::io(&path, "read"))?.file_name();
        newest = newest.max(name.to_str().and_then(|name| name.parse().ok()));
    }
    Ok(newest)
}

/// Octets of the segments that hold groups after `since`.
fn octets_since(segments: &[segment::SegmentName], since: u64) -> u64 {
    let begin = segments.partition_point(|segment| segment.first <= since.saturating_add(1)).saturating_sub(1);
    let octets = |name: &segment::SegmentName| fs::metadata(&name.path).map_or(0, |metadata| metadata.len());
    segments.get(begin..).unwrap_or_default().iter().map(octets).sum()
}

/// Notes that the index is whole and durable up to `mark`.
pub(super) fn write_clean(directory: &Path, mark: Mark) -> io::Result<()> {
    let mut octets = mark.to_octets().to_vec();
    octets.extend_from_slice(&xxh3_64(&octets).to_le_bytes());
    let mut file = File::create(directory.join("clean"))?;
    file.write_all(&octets)?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

/// Takes that note away, durably, before anything is changed.
pub(super) fn take_clean(directory: &Path) -> Result<(), OpenError> {
    let path = directory.join("clean");
    match fs::remove_file(&path) {
        Ok(()) => Ok(checkpoint::sync_directory(directory)?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(OpenError::io(&path, "removed")(e)),
    }
}
