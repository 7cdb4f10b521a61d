//! Finds the files that lead to one backup, or to one instant: a checkpoint or the beginning, and the journal up to a
//! group.
//!
//! An instant is compared with the times at which groups became durable. The first group later than the instant ends
//! the journal used, whatever follows it: if the clock was set back, less is restored, never more.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;

use crate::base::clock::Timestamp;
use crate::store::checkpoint;
use crate::store::fingerprint::{Fingerprint, Mark};
use crate::store::journal::JournalError;
use crate::store::journal::segment::SegmentName;
use crate::store::journal::walk::{Found, read_segment, walk_segments};

use super::BackupError;
use super::fault::Fault;
use super::listed::Listed;
use super::manifest::{CheckpointFile, KeptFile, Manifest, SegmentFile};
use super::repository::Repository;

/// The requested state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A backup, by name; `None`: the newest.
    Backup(Option<String>),
    /// Everything that was durable at this instant.
    Until(Timestamp),
}

/// One state of the store, and the files that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The backup that it was found in.
    pub backup: String,
    /// When that backup was made.
    pub created: Timestamp,
    /// The checkpoint that the journal is applied to; `None` if the journal begins with the first group.
    pub checkpoint: Option<CheckpointFile>,
    /// The journal, in order, without a gap; the last segment may continue beyond the group.
    pub journal: Vec<SegmentFile>,
    /// The last group.
    pub group: u64,
    /// When it became durable, if recorded.
    pub at: Option<Timestamp>,
    /// The store's mark, if a manifest has it.
    pub mark: Option<Mark>,
    /// Attachments.
    pub blobs: Vec<KeptFile>,
    /// Received mail.
    pub spool: Vec<KeptFile>,
}

/// Finds the point for the requested state.
///
/// # Errors
/// [`BackupError`].
pub fn find(repository: &Repository, wanted: &Wanted) -> Result<Point, BackupError> {
    match wanted {
        Wanted::Backup(id) => Ok(of_backup(repository.manifest(id.as_deref())?)),
        Wanted::Until(until) => Ok(of_instant(repository, *until, false)?.0),
    }
}

/// Finds the closest available point: without a backup name the newest readable backup, for an instant as much as can
/// be reached. Also returns the faults in the way.
///
/// # Errors
/// [`BackupError`].
pub(crate) fn find_partial(repository: &Repository, wanted: &Wanted) -> Result<(Point, Vec<Fault>), BackupError> {
    match wanted {
        Wanted::Until(until) => of_instant(repository, *until, true),
        Wanted::Backup(Some(_)) => Ok((find(repository, wanted)?, Vec::new())),
        Wanted::Backup(None) => {
            let listed = repository.list()?;
            let mut faults = repository.faults(&listed);
            let Some(newest) = listed.into_iter().rev().find_map(|one| one.manifest.ok()) else {
                return Err(BackupError::Empty(repository.directory().to_owned()));
            };
            faults.retain(|fault| fault.backups.iter().any(|backup| *backup > newest.id));
            Ok((of_backup(newest), faults))
        }
    }
}

/// The states of the backups later than a point, newest first.
pub(crate) fn points_after(listed: Vec<Listed>, point: &Point) -> impl Iterator<Item = Point> {
    let (backup, group) = (point.backup.clone(), point.group);
    let points = listed.into_iter().rev().filter_map(|one| one.manifest.ok()).map(of_backup);
    points.take_while(move |other| other.backup > backup || other.backup == backup && other.group != group)
}

/// The point of a backup, from its manifest.
pub(super) fn of_backup(manifest: Manifest) -> Point {
    let since = manifest.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.since.group);
    let at = manifest.journal.last().and_then(|segment| segment.ended);
    Point {
        backup: manifest.id,
        created: manifest.created,
        checkpoint: manifest.checkpoint,
        journal: manifest.journal.into_iter().filter(|segment| segment.last > since).collect(),
        group: manifest.mark.group,
        at,
        mark: manifest.mark.mark(),
        blobs: manifest.blobs,
        spool: manifest.spool,
    }
}

fn of_instant(repository: &Repository, until: Timestamp, partial: bool) -> Result<(Point, Vec<Fault>), BackupError> {
    let mut manifests = repository.manifests()?;
    let no_way = |reason: String| BackupError::NoWay { until, reason };
    let newest = manifests.last().ok_or_else(|| BackupError::Empty(repository.directory().to_owned()))?;
    let Some(position) = manifests.iter().position(|manifest| manifest.created >= until) else {
        return Err(BackupError::TooLate { newest: newest.created });
    };
    manifests.truncate(position + 1);
    let chain = chain(&manifests);
    let mut faults = Vec::new();
    let (group, at) = match partial {
        true => last_group(repository, &chain, until, Some(&mut faults))?,
        false => last_group(repository, &chain, until, None)?,
    };
    let begin = chain.first().map_or(1, |segment| segment.first);
    let checkpoints = manifests.iter().filter_map(|manifest| manifest.checkpoint.clone());
    let is_usable = |c: &CheckpointFile| c.until.group <= group && c.since.group + 1 >= begin;
    let checkpoint = checkpoints.filter(is_usable).max_by_key(|checkpoint| checkpoint.since.group);
    if checkpoint.is_none() && begin > 1 {
        let oldest = manifests.first().map_or(until, |manifest| manifest.created);
        return Err(no_way(format!(
            "the oldest backup was made at {oldest}, and its journal does not reach back that far"
        )));
    }
    let since = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.since.group);
    let journal = chain.into_iter().filter(|segment| segment.last > since && segment.first <= group).collect();
    let (mut blobs, mut spool) = (BTreeMap::new(), BTreeMap::new());
    // Files in the backup before the instant may have been dropped since; only the one after it has later files.
    for manifest in manifests.iter().rev().take(2).rev() {
        blobs.extend(manifest.blobs.iter().map(|kept| (kept.name.clone(), kept.clone())));
        spool.extend(manifest.spool.iter().map(|kept| (kept.name.clone(), kept.clone())));
    }
    let Some(last) = manifests.pop() else { return Err(BackupError::Empty(repository.directory().to_owned())) };
    let point = Point {
        backup: last.id,
        created: last.created,
        checkpoint,
        journal,
        group,
        at,
        mark: None,
        blobs: blobs.into_values().collect(),
        spool: spool.into_values().collect(),
    };
    Ok((point, faults))
}

/// The journal of the last of these backups, and of earlier ones as far as it is contiguous.
pub(super) fn chain(manifests: &[Manifest]) -> Vec<SegmentFile> {
    let mut chain: Vec<SegmentFile> = Vec::new();
    for manifest in manifests.iter().rev() {
        let Some(first) = chain.first() else {
            chain = manifest.journal.clone();
            continue;
        };
        // The same segment has the same salt everywhere. Without a shared segment, one journal must end just before the
        // other begins and have the same history, which the fingerprints show when they are read.
        let (first, salt) = (first.first, first.salt.clone());
        let before: Vec<SegmentFile> =
            manifest.journal.iter().filter(|segment| segment.first < first).cloned().collect();
        let shares = manifest.journal.iter().any(|segment| segment.salt == salt);
        let joins = before.last().is_some_and(|last| last.last + 1 == first);
        let same = shares || manifest.journal.last().is_some_and(|last| last.last + 1 == first);
        if before.is_empty() {
            continue;
        }
        if !(joins && same) {
            break;
        }
        chain.splice(0..0, before);
    }
    chain
}

/// The last group before the first that became durable after `until`; with `faults`, as far as readable.
fn last_group(
    repository: &Repository,
    chain: &[SegmentFile],
    until: Timestamp,
    mut faults: Option<&mut Vec<Fault>>,
) -> Result<(u64, Option<Timestamp>), BackupError> {
    let no_way = |reason: &str| BackupError::NoWay { until, reason: reason.to_owned() };
    let Some(first) = chain.first() else { return Err(no_way("the backup holds no journal")) };
    let mut reached = (first.first.saturating_sub(1), None);
    for segment in chain {
        let is_timed = segment.begun.is_some() && segment.ended.is_some();
        if is_timed && segment.latest.is_some_and(|latest| latest <= until) {
            reached = (segment.last, segment.ended);
            continue;
        }
        let path = repository.path(&segment.file);
        let mut over = false;
        let mut found = reached;
        let mut read = || -> Result<(), BackupError> {
            let file = File::open(&path).map_err(BackupError::io(&path, "read"))?;
            read_segment(&SegmentName { first: segment.first, path: path.clone() }, &file, &mut |record, _| {
                over |= record.at.is_some_and(|at| at > until);
                if !over {
                    found = (record.mark.sequence, record.at);
                }
                Ok(())
            })?;
            Ok(())
        };
        match (read(), &mut faults) {
            (Ok(()), _) => {}
            (Err(error), None) => return Err(error),
            (Err(_), Some(_)) if over => {}
            (Err(error), Some(faults)) => {
                let what = format!("{error}: what came after change {} is not restored", found.0);
                faults.push(Fault { path, what, backups: Vec::new() });
                return Ok(found);
            }
        }
        let untimed = found.1.is_none() && found.0 >= segment.first;
        if untimed {
            return Err(no_way(
                "when the changes around it were made is not on record; they were made by an older program",
            ));
        }
        reached = found;
        if over {
            return Ok(reached);
        }
    }
    Ok(reached)
}

impl Point {
    /// The segments, by their paths in the repository.
    pub(crate) fn segments(&self, repository: &Repository) -> Vec<SegmentName> {
        let name = |segment: &SegmentFile| SegmentName { first: segment.first, path: repository.path(&segment.file) };
        self.journal.iter().map(name).collect()
    }

    /// Passes the records whose keys are wanted to the callback, in no particular order, and returns the store's mark.
    /// Its fingerprint is only right if all are wanted.
    ///
    /// # Errors
    /// [`BackupError`].
    pub(crate) fn records(
        &self,
        repository: &Repository,
        wanted: &dyn Fn(&[u8]) -> bool,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(Mark, Fingerprint), BackupError> {
        let mut later: HashMap<Vec<u8>, Option<Vec<u8>>> = HashMap::new();
        let since = match &self.checkpoint {
            None => Mark::default(),
            Some(checkpoint) => {
                let path = repository.path(&checkpoint.file);
                checkpoint.since.mark().ok_or_else(|| BackupError::damaged(&path, "its mark is damaged"))?
            }
        };
        let mut mark = since;
        let segments = self.segments(repository);
        let tail = walk_segments(&segments, since.sequence, &mut |found| match found {
            Found::Damage(damage) => Err(JournalError::Damaged(damage)),
            Found::Record(record) if record.mark.sequence <= self.group => {
                mark = record.mark;
                for (key, value) in record.writes().filter(|(key, _)| wanted(key)) {
                    later.insert(key.to_vec(), value.map(<[u8]>::to_vec));
                }
                Ok(())
            }
            Found::Record(_) => Ok(()),
        })?;
        let directory = repository.directory();
        if tail.torn > 0 || tail.stillborn.is_some() {
            return Err(BackupError::damaged(directory, "the journal's last segment is cut short"));
        }
        if mark.sequence != self.group {
            let what = format!("the journal reaches group {} instead of {}", mark.sequence, self.group);
            return Err(BackupError::damaged(directory, what));
        }
        if !segments.is_empty() && tail.start != Some(since) {
            return Err(BackupError::damaged(directory, "checkpoint and journal are not of the same store"));
        }
        let mut sum = Fingerprint::default();
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint::read(&repository.path(&checkpoint.file), &mut |key, value| {
                if wanted(key) && !later.contains_key(key) {
                    sum.add(key, value);
                    visit(key, value);
                }
                Ok(())
            })?;
        }
        for (key, value) in &later {
            if let Some(value) = value {
                sum.add(key, value);
                visit(key, value);
            }
        }
        Ok((mark, sum))
    }
}
