//! Rebuilds an index from checkpoint and journal, in pieces that bound its memory use.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::checkpoint::{self, CheckpointError, CheckpointName};
use crate::store::fingerprint::Mark;
use crate::store::journal::JournalError;
use crate::store::journal::record::Record;
use crate::store::journal::segment;
use crate::store::journal::walk::{Found, Tail, walk};

use super::bounds::Bounds;
use super::index::{Index, IndexFault};
use super::layout::{checkpoints, indexes, journal, newest_generation};
use super::open_error::OpenError;
use super::open_report::OpenReport;
use super::{Settings, marker};

/// Bytes of writes collected before they are applied to the index.
const PIECE: usize = 4 * 1024 * 1024;

/// Applies journal records to an index, many at a time: of several writes to one key only the last is applied, and they
/// are applied in order of key, which is fastest for the index.
pub(super) struct Replay<'i> {
    index: &'i Index,
    pending: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
    mark: Mark,
    groups: u64,
    /// The first failure; nothing is applied after it.
    outcome: Result<(), IndexFault>,
}

impl<'i> Replay<'i> {
    pub(super) fn new(index: &'i Index) -> Self {
        Self { index, pending: BTreeMap::new(), bytes: 0, mark: Mark::default(), groups: 0, outcome: Ok(()) }
    }

    pub(super) fn push(&mut self, record: &Record<'_>) {
        for (key, value) in record.writes() {
            self.bytes += key.len() + value.map_or(0, <[u8]>::len) + 64;
            self.pending.insert(key.to_vec(), value.map(<[u8]>::to_vec));
        }
        self.mark = record.mark;
        self.groups += 1;
        if self.bytes >= PIECE {
            self.apply();
        }
    }

    /// Number of groups taken so far.
    pub(super) fn groups(&self) -> u64 {
        self.groups
    }

    pub(super) fn finish(mut self) -> Result<(), IndexFault> {
        self.apply();
        self.outcome
    }

    fn apply(&mut self) {
        if self.outcome.is_ok() && !self.pending.is_empty() {
            let writes = self.pending.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
            self.outcome = self.index.apply(writes).and_then(|()| self.index.set_mark(self.mark));
        }
        self.pending.clear();
        self.bytes = 0;
    }
}

/// Rebuilds the index as `generation`, or a later one, from the newest intact checkpoint and the journal after it, and
/// deletes the others.
pub(super) fn rebuild(
    directory: &Path,
    settings: &Settings,
    generation: u64,
    report: &mut OpenReport,
) -> Result<(Index, Tail), OpenError> {
    let (index, tail, generation) = build_beside(directory, settings, generation, report, &AtomicBool::new(false))?;
    retire(directory, generation)?;
    Ok((index, tail))
}

/// As [`rebuild`], beside the others; also returns the generation. Stops when `closing` is set.
pub(super) fn build_beside(
    directory: &Path,
    settings: &Settings,
    generation: u64,
    report: &mut OpenReport,
    closing: &AtomicBool,
) -> Result<(Index, Tail, u64), OpenError> {
    let mut sources: Vec<Option<CheckpointName>> =
        checkpoint::list(&checkpoints(directory))?.into_iter().map(Some).collect();
    let journal = journal(directory);
    let segments = segment::list(&journal).map_err(OpenError::io(&journal, "read"))?;
    if segments.first().is_none_or(|segment| segment.first == 1) {
        sources.insert(0, None);
    }
    let bounds = report.bounds.clone();
    let mut failure = None;
    for (attempt, source) in (0_u64..).zip(sources.into_iter().rev()) {
        let generation = generation.saturating_add(attempt);
        let built = build(directory, settings, generation, source.as_ref(), (&bounds, closing));
        if built.is_err() {
            // A half-built index must not hide the previous one from a recovery. A leftover only takes space.
            let _ = fs::remove_dir_all(indexes(directory).join(generation.to_string()));
        }
        match built {
            Ok((index, tail, replayed)) => {
                (report.replayed, report.verified) = (replayed, true);
                return Ok((index, tail, generation));
            }
            // An older checkpoint with more of the journal may still work.
            Err(e @ (OpenError::Checkpoint(CheckpointError::Damaged { .. }) | OpenError::Mismatch { .. })) => {
                report.unusable_checkpoints.extend(source.is_some().then(|| e.to_string()));
                failure.get_or_insert(e);
            }
            Err(e) => return Err(e),
        }
    }
    Err(failure.unwrap_or_else(|| OpenError::Mismatch {
        directory: directory.to_owned(),
        reason: "the journal does not begin with the first group and there is no checkpoint".to_owned(),
    }))
}

fn build(
    directory: &Path,
    settings: &Settings,
    generation: u64,
    source: Option<&CheckpointName>,
    (bounds, closing): (&Bounds, &AtomicBool),
) -> Result<(Index, Tail, u64), OpenError> {
    let path = indexes(directory).join(generation.to_string());
    if path.try_exists().map_err(OpenError::io(&path, "read"))? {
        fs::remove_dir_all(&path).map_err(OpenError::io(&path, "removed"))?;
    }
    fs::create_dir_all(&path).map_err(OpenError::io(&path, "created"))?;
    let index = Index::open(&path, settings.cache_bytes)?;
    let (since, until) = match source {
        None => (Mark::default(), Mark::default()),
        Some(name) => load(&index, &name.path)?,
    };
    let mut replay = Replay::new(&index);
    let tail = walk(&journal(directory), since.sequence, &mut |found| match found {
        Found::Damage(damage) => Err(JournalError::Damaged(damage)),
        Found::Record(_) if closing.load(Ordering::Relaxed) => {
            Err(JournalError::io(directory, "read")(io::Error::other("the store is being closed")))
        }
        Found::Record(record) => {
            replay.push(&record);
            Ok(())
        }
    })?;
    let replayed = replay.groups();
    replay.finish()?;
    let mut bounds = bounds.clone();
    bounds.raise(until.sequence.max(since.sequence));
    bounds.demand(directory, &tail)?;
    let found = index.fingerprint()?;
    if found != tail.mark.fingerprint || (replayed == 0 && tail.mark != until) {
        let (has, should) = (found.records, tail.mark.fingerprint.records);
        let from = source.map_or("the journal".to_owned(), |name| name.path.display().to_string());
        let reason = format!("{from} leads to {has} records that are not the {should} of the journal's end");
        return Err(OpenError::Mismatch { directory: directory.to_owned(), reason });
    }
    index.set_mark(tail.mark)?;
    index.flush()?;
    Ok((index, tail, replayed))
}

/// Writes a checkpoint's records to the index.
pub(super) fn load(index: &Index, path: &Path) -> Result<(Mark, Mark), OpenError> {
    let mut piece: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let (mut bytes, mut fault) = (0, None);
    let mut apply = |piece: &mut Vec<(Vec<u8>, Vec<u8>)>| {
        let writes = piece.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
        fault = fault.take().or_else(|| index.apply(writes).err());
        piece.clear();
    };
    let summary = checkpoint::read(path, &mut |key, value| {
        bytes += key.len() + value.len();
        piece.push((key.to_vec(), value.to_vec()));
        if bytes >= PIECE {
            apply(&mut piece);
            bytes = 0;
        }
        Ok(())
    })?;
    apply(&mut piece);
    match fault {
        Some(fault) => Err(fault.into()),
        None => Ok((summary.since, summary.until)),
    }
}

/// Makes the new generation the only one.
pub(super) fn retire(directory: &Path, generation: u64) -> Result<(), OpenError> {
    remove_indexes(directory, |found| found != Some(generation))?;
    debug_assert_eq!(newest_generation(directory).ok().flatten(), Some(generation));
    Ok(())
}

/// Deletes the generations before the new one; one that is being built after it stays.
pub(super) fn retire_before(directory: &Path, generation: u64) -> Result<(), OpenError> {
    remove_indexes(directory, |found| found.is_none_or(|found| found < generation))
}

fn remove_indexes(directory: &Path, unwanted: impl Fn(Option<u64>) -> bool) -> Result<(), OpenError> {
    let all = indexes(directory);
    checkpoint::sync_directory(&all)?;
    let entries = fs::read_dir(&all).map_err(OpenError::io(&all, "read"))?;
    for entry in entries {
        let path = entry.map_err(OpenError::io(&all, "read"))?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if unwanted(number) {
            fs::remove_dir_all(&path).map_err(OpenError::io(&path, "removed"))?;
        }
    }
    marker::remove(directory)
}
