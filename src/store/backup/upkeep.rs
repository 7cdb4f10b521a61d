//! Keeps a repository intact: with each backup a part of the files is read again, so that all are read within a week,
//! and damaged files are rewritten if the store still has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::base::clock::Timestamp;
use crate::store::journal::disk::numbered_path;
use crate::store::maintenance::SnapshotFile;
use crate::store::spool::SUFFIX;

use super::create::Source;
use super::manifest::{FileRef, Manifest};
use super::repository::Repository;
use super::verify::fault_of;
use super::{BackupError, Event, Watch};

/// The minimum of bytes read with each backup, even right after the previous one: a small repository is read
/// completely.
pub(crate) const AT_LEAST: u64 = 64 * 1024 * 1024;
/// Everything is read within this many seconds: six days, so that one night may be missed.
const ROUND: i64 = 6 * 86_400;

/// The result of an upkeep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Number of files read.
    pub files: u64,
    /// Their total bytes.
    pub bytes: u64,
    /// Files that were damaged and are intact again.
    pub rewritten: Vec<PathBuf>,
}

/// Reads a part of the files, at least the given number of bytes, and rewrites damaged ones.
///
/// # Errors
/// [`BackupError`] if it cannot be done; damage is not an error, see [`super::health::condition`].
pub fn upkeep(
    source: &Source<'_>,
    repository: &Repository,
    now: Timestamp,
    at_least: u64,
    watch: Watch<'_>,
) -> Result<Upkeep, BackupError> {
    let manifests = repository.manifests()?;
    let mut done = read_part(repository, &manifests, now, at_least, watch)?;
    done.rewritten = write_again(source, repository, &manifests, watch)?;
    repository.save_health(watch)?;
    Ok(done)
}

/// Reads the least recently read files, as many as are due since the last time.
fn read_part(
    repository: &Repository,
    manifests: &[Manifest],
    now: Timestamp,
    at_least: u64,
    watch: Watch<'_>,
) -> Result<Upkeep, BackupError> {
    let all: BTreeSet<&FileRef> = manifests.iter().flat_map(Manifest::files).collect();
    let total: u64 = all.iter().map(|file| file.bytes).sum();
    let mut files: Vec<(bool, Timestamp, &FileRef)> = repository.with_health(|health| {
        // A file known to be damaged is checked each time: it may have been replaced.
        let mut seen = |file: &FileRef| (!health.is_damaged(&file.sha256), health.read_at(&file.sha256, now));
        all.iter().map(|file| (seen(file), *file)).map(|((whole, at), file)| (whole, at, file)).collect()
    });
    files.sort();
    let last = repository.with_health(|health| health.examined());
    let passed = last.map_or(86_400, |last| (now - last).num_seconds()).clamp(0, ROUND);
    let share = u128::from(total) * u128::from(passed.unsigned_abs()) / u128::from(ROUND.unsigned_abs());
    let due = u64::try_from(share).unwrap_or(u64::MAX).max(at_least);
    let mut done = Upkeep::default();
    let chosen: Vec<&FileRef> = files
        .iter()
        .take_while(|(whole, at, file)| {
            let is_due = !whole || done.bytes < due || (now - *at).num_seconds() > ROUND;
            if is_due {
                done.bytes += file.bytes;
            }
            is_due
        })
        .map(|(.., file)| *file)
        .collect();
    watch(Event::Total(done.bytes)).map_err(BackupError::io(repository.directory(), "read"))?;
    for file in chosen {
        let wrong = fault_of(repository, file, watch)?;
        repository.with_health(|health| health.note(&file.sha256, now, wrong));
        done.files += 1;
    }
    repository.with_health(|health| health.set_examined(now));
    Ok(done)
}

/// Rewrites damaged files from the store. Returns the files that are intact again.
fn write_again(
    source: &Source<'_>,
    repository: &Repository,
    manifests: &[Manifest],
    watch: Watch<'_>,
) -> Result<Vec<PathBuf>, BackupError> {
    let mut places: BTreeMap<&FileRef, PathBuf> = BTreeMap::new();
    for manifest in manifests {
        for (file, place) in places_of(manifest, source) {
            if !repository.has(file)? {
                places.insert(file, place);
            }
        }
    }
    let mut rewritten = Vec::new();
    for (file, place) in places {
        let mut found = match File::open(&place) {
            Ok(found) => found,
            // The store dropped it, or it is damaged there too, which a check of the store reports.
            Err(_) => continue,
        };
        if found.metadata().is_ok_and(|found| found.len() >= file.bytes)
            && was_written(repository.put_again(&mut found, file, &place, watch), &place)?
        {
            rewritten.push(repository.path(file));
        }
    }
    if !rewritten.is_empty() {
        repository.sync()?;
    }
    Ok(rewritten)
}

/// An unreadable file of the store must not prevent the backup.
fn was_written(outcome: Result<bool, BackupError>, from: &Path) -> Result<bool, BackupError> {
    match outcome {
        Err(BackupError::Io { path, .. }) if path == from => Ok(false),
        other => other,
    }
}

/// The store's path of each file of a backup, if it still has it.
fn places_of<'m>(manifest: &'m Manifest, source: &Source<'_>) -> Vec<(&'m FileRef, PathBuf)> {
    let checkpoint = manifest.checkpoint.iter();
    let checkpoint = checkpoint.map(|kept| (&kept.file, SnapshotFile::Checkpoint(kept.since.group)));
    let journal = manifest.journal.iter().map(|kept| (&kept.file, SnapshotFile::Segment(kept.first)));
    let mut places: Vec<(&FileRef, PathBuf)> =
        checkpoint.chain(journal).filter_map(|(file, of)| Some((file, source.engine.snapshot_file(of)?))).collect();
    for kept in &manifest.blobs {
        let folder = kept.name.get(..2).unwrap_or("xx");
        places.push((&kept.file, source.blobs.join(folder).join(&kept.name)));
    }
    for kept in &manifest.spool {
        places.push((&kept.file, numbered_path(&source.spool, kept.name.parse().unwrap_or(0), SUFFIX)));
    }
    places
}
