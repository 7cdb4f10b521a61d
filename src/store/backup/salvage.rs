//! Extracts the intact records of a damaged backup, and reports the rest.
//!
//! First it tries every path that leads to all records: other checkpoints of the same history, with the journal from
//! there on. If none is intact, it takes the one that lost the fewest bytes: the intact blocks of its checkpoint and
//! every readable group of the journal, written as a new checkpoint with a new journal after it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::checkpoint::{self, CheckpointError, CheckpointWriter, DamagedBlocks};
use crate::store::fingerprint::{Fingerprint, Mark};
use crate::store::journal::disk::SystemDisk;
use crate::store::journal::segment::{self, Header, SegmentName};
use crate::store::journal::walk::{Found, Tail, header_of, walk_segments};
use crate::store::journal::writer::{JournalSettings, JournalWriter};
use crate::store::{keys, names};

use super::fault::Fault;
use super::files::make_directory;
use super::manifest::{CheckpointFile, Manifest, SegmentFile};
use super::point::{Point, chain, of_backup};
use super::repository::Repository;
use super::verify::fault_of;
use super::{BackupError, Watch};

/// The key range of counters: from the first (inclusive) to the second (exclusive).
const COUNTERS: (&[u8], &[u8]) = (b"c", b"d");

/// The result of a salvage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Salvaged {
    /// Number of records.
    pub records: u64,
    /// The records are exactly those of the backup, although a file was damaged.
    pub exact: bool,
    /// Faults and what they affect.
    pub faults: Vec<Fault>,
}

/// One path to the records.
struct Way {
    checkpoint: Option<CheckpointFile>,
    journal: Vec<SegmentFile>,
}

/// The data read on one path.
struct Gathered {
    /// The journal's changes since the checkpoint.
    later: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    checkpoint: Option<PathBuf>,
    lost_bytes: u64,
    /// The lost data may include counters.
    lost_counters: bool,
    faults: Vec<Fault>,
}

/// Another path to the same records, from intact files; `None` if not found.
///
/// # Errors
/// [`BackupError`].
pub(super) fn whole_way(
    repository: &Repository,
    point: &Point,
    watch: Watch<'_>,
) -> Result<Option<Point>, BackupError> {
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    for way in ways(repository, point)? {
        let mut is_whole = way.checkpoint.is_some() || way.journal.first().is_some_and(|first| first.first <= 1);
        let files = way.checkpoint.iter().map(|c| &c.file).chain(way.journal.iter().map(|segment| &segment.file));
        for file in files {
            if !known.contains_key(&file.sha256) {
                known.insert(file.sha256.clone(), fault_of(repository, file, watch)?.is_none());
            }
            is_whole &= known.get(&file.sha256) == Some(&true);
        }
        let point = Point { checkpoint: way.checkpoint, journal: way.journal, ..point.clone() };
        // Its fingerprint must match the manifest's.
        let is_same = |point: &Point| match point.records(repository, &|_| true, &mut |_, _| {}) {
            Ok((mark, sum)) => sum == mark.fingerprint && point.mark.is_none_or(|known| known == mark),
            Err(_) => false,
        };
        if is_whole && is_same(&point) {
            return Ok(Some(point));
        }
    }
    Ok(None)
}

/// Writes the extractable records of a point as a new store into `store`.
///
/// # Errors
/// [`BackupError`].
pub(super) fn salvage(
    repository: &Repository,
    point: &Point,
    store: &Path,
    watch: Watch<'_>,
) -> Result<Salvaged, BackupError> {
    let pieces = store.with_file_name("pieces");
    make_directory(&pieces)?;
    let mut best: Option<Gathered> = None;
    for way in ways(repository, point)? {
        let gathered = gather(repository, point, &way, &pieces, watch)?;
        if best.as_ref().is_none_or(|best| gathered.lost_bytes < best.lost_bytes) {
            best = Some(gathered);
        }
    }
    let Some(mut best) = best else {
        return Err(BackupError::damaged(repository.directory(), "no record can be read from any copy"));
    };
    best.complete(repository, point)?;
    let mut sum = Fingerprint::default();
    best.each(&mut |key, value| {
        sum.add(key, value);
        Ok(())
    })?;
    let exact = point.mark.map_or(best.faults.is_empty(), |mark| mark.fingerprint == sum);
    let sequence = if exact { point.group } else { point.group.saturating_add(1) };
    let mark = Mark { sequence, fingerprint: sum };
    let mut writer = CheckpointWriter::begin(&store.join("checkpoints"), mark)?;
    best.each(&mut |key, value| writer.push(key, value))?;
    writer.seal(mark)?.publish()?;
    let journal = store.join("journal");
    make_directory(&journal)?;
    let settings = JournalSettings { segment_bytes: u64::MAX, reserve_bytes: 0, head_in: None };
    JournalWriter::open(Arc::new(SystemDisk), &journal, settings, &Tail { mark, ..Tail::default() })?;
    fs::remove_dir_all(&pieces).map_err(BackupError::io(&pieces, "removed"))?;
    Ok(Salvaged { records: sum.records, exact, faults: best.faults })
}

/// All paths to a point within its own history, the point's own first, then by newest checkpoint.
fn ways(repository: &Repository, point: &Point) -> Result<Vec<Way>, BackupError> {
    let mut manifests = repository.manifests()?;
    let own = manifests.iter().position(|manifest| manifest.id == point.backup);
    manifests.truncate(own.map_or(manifests.len(), |own| own + 1));
    let chain = chain(&manifests);
    let salts: BTreeSet<(&str, u64)> = chain.iter().map(|segment| (segment.salt.as_str(), segment.first)).collect();
    // A backup whose journal is not in the chain has another history: its data must not be mixed with this one.
    let is_own = |manifest: &&Manifest| {
        manifest.journal.iter().all(|segment| salts.contains(&(segment.salt.as_str(), segment.first)))
    };
    let begin = chain.first().map_or(1, |segment| segment.first);
    let mut checkpoints: Vec<CheckpointFile> =
        manifests.iter().filter(is_own).filter_map(|manifest| manifest.checkpoint.clone()).collect();
    checkpoints.retain(|one| one.until.group <= point.group && one.since.group + 1 >= begin);
    checkpoints.sort_by_key(|one| std::cmp::Reverse(one.since.group));
    checkpoints.dedup_by(|one, other| one.file == other.file);
    let mut ways = vec![Way { checkpoint: point.checkpoint.clone(), journal: point.journal.clone() }];
    for checkpoint in checkpoints.into_iter().map(Some).chain([None]) {
        let since = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.since.group);
        let is_needed = |segment: &&SegmentFile| segment.last > since && segment.first <= point.group;
        let journal = chain.iter().filter(is_needed).cloned().collect();
        if checkpoint != point.checkpoint {
            ways.push(Way { checkpoint, journal });
        }
    }
    Ok(ways)
}

/// Reads everything readable on one path.
fn gather(
    repository: &Repository,
    point: &Point,
    way: &Way,
    pieces: &Path,
    watch: Watch<'_>,
) -> Result<Gathered, BackupError> {
    let mut gathered =
        Gathered { later: BTreeMap::new(), checkpoint: None, lost_bytes: 0, lost_counters: false, faults: Vec::new() };
    if let Some(checkpoint) = &way.checkpoint {
        gathered.take_checkpoint(repository, point, checkpoint, watch)?;
    }
    let mut segments = Vec::new();
    for segment in &way.journal {
        segments.extend(gathered.take_segment(repository, point, segment, pieces, watch)?);
    }
    let since = way.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.since.group);
    let Gathered { later, lost_bytes, faults, .. } = &mut gathered;
    let place =
        |first: u64| way.journal.iter().find(|segment| segment.first == first).map(|one| repository.path(&one.file));
    let original = |path: &Path| segments.iter().find(|one| one.path == path).and_then(|one| place(one.first));
    let mut missing = |path: &Path, from: u64, to: u64, what: &str| {
        let path = original(path).unwrap_or_else(|| path.to_owned());
        let what = format!("{what}: changes {from} to {to} are not known, nor who left or was suppressed by them");
        faults.push(Fault { path, what, backups: vec![point.backup.clone()] });
    };
    let mut reached = since;
    let tail = walk_segments(&segments, since, &mut |found| {
        match found {
            Found::Damage(damage) => {
                *lost_bytes += damage.to.saturating_sub(damage.from).max(1);
                if let Some(before) = damage.before {
                    missing(&damage.path, damage.after.max(since) + 1, before.saturating_sub(1), damage.what);
                }
            }
            Found::Record(record) if record.mark.sequence <= point.group => {
                reached = record.mark.sequence;
                for (key, value) in record.writes() {
                    later.insert(key.to_vec(), value.map(<[u8]>::to_vec));
                }
            }
            Found::Record(_) => {}
        }
        Ok(())
    })?;
    if reached < point.group {
        *lost_bytes += tail.torn.max(1);
        let path = segments.last().map_or_else(|| repository.directory().to_owned(), |last| last.path.clone());
        missing(&path, reached + 1, point.group, "the journal's end is missing");
    }
    Ok(gathered)
}

impl Gathered {
    fn take_checkpoint(
        &mut self,
        repository: &Repository,
        point: &Point,
        checkpoint: &CheckpointFile,
        watch: Watch<'_>,
    ) -> Result<(), BackupError> {
        let path = repository.path(&checkpoint.file);
        let fault = |what: String| Fault { path: path.clone(), what, backups: vec![point.backup.clone()] };
        let Some(wrong) = fault_of(repository, &checkpoint.file, watch)? else {
            self.checkpoint = Some(path);
            return Ok(());
        };
        let Ok(blocks) = checkpoint::damaged_blocks(&path) else {
            self.lost_bytes += checkpoint.file.bytes;
            self.lost_counters = true;
            self.faults.push(fault(format!("{wrong}: the copies of all older records are lost")));
            return Ok(());
        };
        for DamagedBlocks { from, to, after, before } in blocks {
            self.lost_bytes += (to - from).max(1);
            let is_behind = after.as_deref().is_some_and(|after| after >= COUNTERS.1);
            let is_before = before.as_deref().is_some_and(|before| before < COUNTERS.0);
            self.lost_counters |= from >= checkpoint::HEADER && !is_behind && !is_before;
            let name = |key: Option<Vec<u8>>, other: &str| key.as_deref().map_or(other.to_owned(), names::words);
            let (after, before) = (name(after, "the first"), name(before, "the last"));
            self.faults.push(fault(format!("bytes {from} to {to} are damaged: the records from {after} to {before}")));
        }
        self.lost_bytes += checkpoint.file.bytes.saturating_sub(fs::metadata(&path).map_or(0, |found| found.len()));
        self.checkpoint = Some(path);
        Ok(())
    }

    /// Reads a segment as far as possible. If only its header is damaged, the header is restored from the manifest.
    fn take_segment(
        &mut self,
        repository: &Repository,
        point: &Point,
        segment: &SegmentFile,
        pieces: &Path,
        watch: Watch<'_>,
    ) -> Result<Option<SegmentName>, BackupError> {
        let path = repository.path(&segment.file);
        let name = SegmentName { first: segment.first, path: path.clone() };
        let Some(wrong) = fault_of(repository, &segment.file, watch)? else { return Ok(Some(name)) };
        self.faults.push(Fault { path: path.clone(), what: wrong, backups: vec![point.backup.clone()] });
        let copied = SegmentName::new(pieces, segment.first);
        if fs::copy(&path, &copied.path).is_err() {
            self.lost_bytes += segment.file.bytes;
            return Ok(None);
        }
        let failed = |action| BackupError::io(&copied.path, action);
        let file = File::options().read(true).write(true).open(&copied.path).map_err(failed("opened"))?;
        self.lost_bytes += segment.file.bytes.saturating_sub(file.metadata().map_err(failed("read"))?.len());
        if header_of(&name, &file).is_err()
            && let Ok(salt) = u64::from_str_radix(&segment.salt, 16)
        {
            let before = Mark { sequence: segment.first.saturating_sub(1), fingerprint: Fingerprint::default() };
            let version = if segment.begun.is_some() { segment::VERSION } else { 1 };
            let header = Header { version, salt, before };
            file.write_all_at(&header.to_bytes(), 0).map_err(failed("written"))?;
        }
        Ok(Some(copied))
    }

    /// Takes indispensable data, the installation's key and the counters, from another backup if they are lost: with
    /// another key no suppression is found again, and a number allocated twice refers to someone else.
    fn complete(&mut self, repository: &Repository, point: &Point) -> Result<(), BackupError> {
        let key = keys::setting("key").0;
        let mut known: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let is_needed = |name: &[u8]| name == key.as_slice() || name.starts_with(COUNTERS.0);
        self.each(&mut |name, value| {
            if is_needed(name) {
                known.insert(name.to_vec(), value.to_vec());
            }
            Ok(())
        })?;
        if known.contains_key(&key) && !self.lost_counters {
            return Ok(());
        }
        let listed = repository.list()?;
        let manifests = listed.into_iter().rev().filter_map(|one| one.manifest.ok());
        for other in manifests.filter(|manifest| manifest.id != point.backup).map(of_backup) {
            let mut found = Vec::new();
            let read =
                other.records(repository, &is_needed, &mut |name, value| found.push((name.to_vec(), value.to_vec())));
            if read.is_err() || found.is_empty() {
                continue;
            }
            for (name, value) in found {
                // The higher of the two counters: numbers in between were allocated.
                let own = known.get(&name);
                if own.is_none_or(|own| name != key && *own < value) {
                    self.later.insert(name, Some(value));
                }
            }
            return Ok(());
        }
        let what = "the installation's key or the numbers that it gave out are in the damaged part, and in no other backup: \
                    restore an older one";
        Err(BackupError::damaged(repository.directory(), what))
    }

    /// Passes all records in order to the callback.
    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), CheckpointError>) -> Result<(), BackupError> {
        let mut later = self.later.iter().peekable();
        if let Some(path) = &self.checkpoint {
            checkpoint::read_whole_blocks(path, &mut |key, value| {
                while let Some((own, changed)) = later.next_if(|(own, _)| own.as_slice() < key) {
                    if let Some(changed) = changed {
                        visit(own, changed)?;
                    }
                }
                match later.next_if(|(own, _)| own.as_slice() == key) {
                    Some((_, Some(changed))) => visit(key, changed),
                    Some((_, None)) => Ok(()),
                    None => visit(key, value),
                }
            })?;
        }
        for (key, changed) in later {
            if let Some(changed) = changed {
                visit(key, changed)?;
            }
        }
        Ok(())
    }
}
