//! Opens a store: whatever state the last stop left, the result is an index that matches the journal exactly, or an
//! error that names what is wrong.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::checkpoint;
use crate::store::journal::JournalError;
use crate::store::journal::disk::{Disk, make_directories};
use crate::store::journal::segment;
use crate::store::journal::walk::{Found, Tail, walk};

use super::bounds::Bounds;
use super::index::{Index, IndexFault};
use super::layout::{checkpoints, indexes, journal, newest_generation};
use super::open_error::OpenError;
use super::open_report::OpenReport;
use super::rebuild::{Replay, rebuild};
use super::{EmbeddedEngine, Settings, StoreLock, creation, marker};

/// An open store and the report of opening it.
pub struct Opened {
    /// The engine.
    pub engine: EmbeddedEngine,
    /// What was found and done.
    pub report: OpenReport,
}

/// A repaired store, ready for an engine.
pub(super) struct Settled {
    pub index: Index,
    pub tail: Tail,
    pub report: OpenReport,
    /// Bytes of journal since the newest checkpoint.
    pub journal_bytes: u64,
}

/// Takes the lock. Creates the directory if a store may be created.
pub(super) fn lock(directory: &Path, settings: &Settings) -> Result<StoreLock, OpenError> {
    if settings.create {
        make_directories(directory, 0o777).map_err(OpenError::io(directory, "created"))?;
    } else if !directory.try_exists().map_err(OpenError::io(directory, "read"))? {
        return Err(OpenError::Absent(directory.to_owned()));
    }
    StoreLock::take(directory)
}

/// Makes the index match the journal. The caller holds the lock.
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
    let journal_bytes = bytes_since(&segments, checkpoints.last().map_or(0, |newest| newest.since));
    Ok(Settled { index, tail, report, journal_bytes })
}

/// Saves what is about to be cut off the journal's end in a separate file.
fn keep_doubtful(directory: &Path, tail: &Tail) -> Result<PathBuf, OpenError> {
    let kept = directory.join(format!("doubtful-{}", tail.mark.sequence.saturating_add(1)));
    let Some((name, _, length)) = &tail.last else { return Ok(kept) };
    let failed = |action| OpenError::io(&kept, action);
    let bytes = fs::read(&name.path).map_err(OpenError::io(&name.path, "read"))?;
    let from = usize::try_from(*length).unwrap_or(usize::MAX).min(bytes.len());
    let mut file = File::create(&kept).map_err(failed("created"))?;
    file.write_all(bytes.get(from..).unwrap_or_default()).and_then(|()| file.sync_all()).map_err(failed("written"))?;
    checkpoint::sync_directory(directory)?;
    Ok(kept)
}

type CaughtUp = Result<(Index, Tail), String>;

/// Opens the existing index and applies the groups it lacks. The inner error says why it must be rebuilt.
fn catch_up(
    directory: &Path,
    settings: &Settings,
    generation: u64,
    (first, bounds): (u64, &Bounds),
    report: &mut OpenReport,
) -> Result<CaughtUp, OpenError> {
    let path = indexes(directory).join(generation.to_string());
    let opened = Index::open(&path, settings.cache_bytes).and_then(|index| Ok((index.mark()?, index)));
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
    // Also after an orderly stop: the index's files may have been damaged since, and sled does not detect all damage.
    let found = match index.fingerprint() {
        Ok(found) => found,
        Err(IndexFault(reason)) => return Ok(Err(reason)),
    };
    if found != tail.mark.fingerprint {
        let (has, should) = (found.records, tail.mark.fingerprint.records);
        return Ok(Err(format!("its {has} records are not the {should} that the journal states")));
    }
    (report.clean, report.verified) = (bounds.clean == Some(mark), true);
    Ok(Ok((index, tail)))
}

/// Bytes of the segments that hold groups after `since`.
fn bytes_since(segments: &[segment::SegmentName], since: u64) -> u64 {
    let begin = segments.partition_point(|segment| segment.first <= since.saturating_add(1)).saturating_sub(1);
    let bytes = |name: &segment::SegmentName| fs::metadata(&name.path).map_or(0, |metadata| metadata.len());
    segments.get(begin..).unwrap_or_default().iter().map(bytes).sum()
}
