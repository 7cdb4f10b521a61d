//! Removes old backups by rule: keeps all for some time, then one per day for a longer time. The newest intact ones are
//! always kept, at any age.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use crate::base::clock::Timestamp;

use super::files::{step, sync_directory};
pub use super::keep::{Keep, NEWEST};
use super::manifest::{FileRef, Manifest};
use super::repository::Repository;
use super::{BackupError, Watch};

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The backups.
    pub backups: Vec<String>,
    /// Number of files that no backup names any more.
    pub files: u64,
    /// Their total bytes.
    pub bytes: u64,
    /// Unreadable or missing backups: as long as there are any, no file is removed, as they may name it.
    pub unreadable: Vec<String>,
}

/// Removes the backups that the rule does not keep, and files that no backup names any more.
///
/// # Errors
/// [`BackupError`]: what remains is intact.
pub fn prune(repository: &Repository, keep: Keep, now: Timestamp, watch: Watch<'_>) -> Result<Pruned, BackupError> {
    let mut pruned = Pruned::default();
    let (mut kept, mut paths) = (Vec::new(), Vec::new());
    let all = repository.list()?;
    let missing = repository.with_health(|health| health.missing(repository.directory(), &all));
    pruned.unreadable.extend(missing.into_iter().flat_map(|fault| fault.backups));
    for listed in all {
        match listed.manifest {
            Ok(manifest) => {
                paths.push(listed.path);
                kept.push(manifest);
            }
            Err(_) => pruned.unreadable.push(listed.id),
        }
    }
    let stays = staying(repository, &kept, keep, now)?;
    let gone: Vec<String> = kept.iter().map(|one| one.id.clone()).filter(|id| !stays.contains(id)).collect();
    // Before anything is removed: so that pruned backups are never taken for lost.
    if repository.with_health(|health| health.forget(&gone)) {
        repository.save_health(watch)?;
    }
    let mut remaining = Vec::new();
    for (manifest, path) in kept.into_iter().zip(paths) {
        if stays.contains(&manifest.id) {
            remaining.push(manifest);
            continue;
        }
        step(watch, &path, "forget")?;
        fs::remove_file(&path).map_err(BackupError::io(&path, "removed"))?;
        pruned.backups.push(manifest.id);
    }
    // No file may be removed before the manifest that names it is durably removed.
    sync_directory(&repository.directory().join("backups"))?;
    if pruned.unreadable.is_empty() {
        let named: BTreeSet<&FileRef> = remaining.iter().flat_map(Manifest::files).collect();
        let names: BTreeSet<&str> = named.iter().map(|file| file.sha256.as_str()).collect();
        for path in repository.contents()? {
            if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| names.contains(name)) {
                continue;
            }
            step(watch, &path, "remove")?;
            pruned.bytes += fs::metadata(&path).map_or(0, |found| found.len());
            pruned.files += 1;
            fs::remove_file(&path).map_err(BackupError::io(&path, "removed"))?;
        }
        if repository.with_health(|health| health.tidy(&remaining)) {
            repository.save_health(watch)?;
        }
    }
    Ok(pruned)
}

/// Removes one backup at a user's request: a damaged or missing one, which is then no longer reported. Its files are
/// removed with the next backup.
///
/// # Errors
/// [`BackupError::Unknown`], [`BackupError::Last`], [`BackupError::Io`].
pub fn forget(repository: &Repository, id: &str, watch: Watch<'_>) -> Result<(), BackupError> {
    let listed = repository.list()?;
    let there = listed.iter().find(|one| one.id == id);
    let missing = repository.with_health(|health| health.missing(repository.directory(), &listed));
    if there.is_none() && !missing.iter().any(|fault| fault.backups.iter().any(|missing| missing == id)) {
        return Err(BackupError::Unknown(id.to_owned()));
    }
    if there.is_some_and(|one| one.manifest.is_ok()) && listed.iter().filter(|one| one.manifest.is_ok()).count() == 1 {
        return Err(BackupError::Last(id.to_owned()));
    }
    repository.with_health(|health| {
        health.take_in(&listed);
        health.forget(&[id.to_owned()])
    });
    repository.save_health(watch)?;
    if let Some(one) = there {
        step(watch, &one.path, "forget")?;
        fs::remove_file(&one.path).map_err(BackupError::io(&one.path, "removed"))?;
        sync_directory(&repository.directory().join("backups"))?;
    }
    Ok(())
}

/// The names of the backups to keep. `manifests` are in the order in which they were made.
fn staying(
    repository: &Repository,
    manifests: &[Manifest],
    keep: Keep,
    now: Timestamp,
) -> Result<BTreeSet<String>, BackupError> {
    let is_younger = |manifest: &Manifest, than: Duration| {
        chrono::Duration::from_std(than).is_ok_and(|than| now - manifest.created < than)
    };
    let mut stays = BTreeSet::new();
    let mut days = BTreeSet::new();
    let mut newest_whole = 0;
    for manifest in manifests.iter().rev() {
        let is_of_newest = newest_whole < NEWEST && is_whole(repository, manifest)?;
        newest_whole += usize::from(is_of_newest);
        let mut is_last_of_day = || is_younger(manifest, keep.daily) && days.insert(manifest.created.date_naive());
        if is_younger(manifest, keep.all) || is_last_of_day() || is_of_newest {
            stays.insert(manifest.id.clone());
        }
    }
    Ok(stays)
}

/// Whether all its files exist with the right lengths.
///
/// # Errors
/// [`BackupError::Io`].
pub(crate) fn is_whole(repository: &Repository, manifest: &Manifest) -> Result<bool, BackupError> {
    for file in manifest.files() {
        if !repository.has(file)? {
            return Ok(false);
        }
    }
    Ok(true)
}
