//! Verifies a backup completely: every checksum, and that checkpoint and journal lead to the records that the manifest
//! names.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::base::token::to_hex;

pub use super::fault::Fault;
use super::listed::manifest_path;
use super::manifest::{FileRef, Manifest};
use super::point::{self, Wanted};
use super::repository::Repository;
use super::{BackupError, Event, Watch};

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The backups verified, oldest first.
    pub backups: Vec<String>,
    /// Number of files read.
    pub files: u64,
    /// Their total bytes.
    pub bytes: u64,
    /// Number of records in the last of the backups.
    pub records: u64,
    /// Faults, with the file; empty if all is well.
    pub faults: Vec<Fault>,
    /// The files read, by SHA-256, each with its fault if any: for [`Repository::note_read`].
    pub seen: Vec<(String, Option<String>)>,
}

/// Reads all of the backups with these names; all backups if no name is given. Faults of the repository itself and of
/// manifests are always reported.
///
/// # Errors
/// [`BackupError`] if it cannot be done; what is wrong with a backup is a fault, not an error.
pub fn verify(repository: &Repository, ids: &[String], watch: Watch<'_>) -> Result<Verified, BackupError> {
    let listed = repository.list()?;
    let mut faults = repository.faults(&listed);
    let mut manifests = Vec::new();
    if ids.is_empty() {
        manifests.extend(listed.into_iter().filter_map(|one| one.manifest.ok()));
    }
    for id in ids {
        match repository.manifest(Some(id)) {
            // Its fault is already recorded.
            Err(BackupError::Damaged { .. }) => {}
            found => manifests.push(found?),
        }
    }
    let files: BTreeSet<&FileRef> = manifests.iter().flat_map(Manifest::files).collect();
    let total = files.iter().map(|file| file.bytes).sum();
    watch(Event::Total(total)).map_err(BackupError::io(repository.directory(), "read"))?;
    let mut seen = Vec::new();
    for file in &files {
        let wrong = fault_of(repository, file, watch)?;
        seen.push((file.sha256.clone(), wrong.clone()));
        if let Some(what) = wrong {
            let of = manifests.iter().filter(|manifest| manifest.files().any(|other| other == *file));
            let backups = of.map(|manifest| manifest.id.clone()).collect();
            faults.push(Fault { path: repository.path(file), what, backups });
        }
    }
    let mut records = 0;
    for manifest in &manifests {
        let is_hit = |fault: &Fault| fault.backups.contains(&manifest.id);
        if faults.iter().any(is_hit) {
            continue;
        }
        match adds_up(repository, manifest) {
            Ok(found) => records = found,
            Err(e) => faults.push(Fault {
                path: manifest_path(repository.directory(), &manifest.id),
                what: e.to_string(),
                backups: vec![manifest.id.clone()],
            }),
        }
    }
    let (count, backups) = (files.len() as u64, manifests.iter().map(|manifest| manifest.id.clone()).collect());
    Ok(Verified { backups, files: count, bytes: total, records, faults, seen })
}

/// Applies the journal to the checkpoint and compares with the manifest. Returns the number of records.
fn adds_up(repository: &Repository, manifest: &Manifest) -> Result<u64, BackupError> {
    let point = point::find(repository, &Wanted::Backup(Some(manifest.id.clone())))?;
    let (mark, sum) = point.records(repository, &|_| true, &mut |_, _| {})?;
    if Some(mark) != point.mark || sum != mark.fingerprint {
        let (has, should) = (sum.records, manifest.mark.records);
        let what = format!("its {has} records are not the {should} that it states");
        return Err(BackupError::damaged(repository.directory(), what));
    }
    Ok(sum.records)
}

/// The fault of a content, if any.
pub(super) fn fault_of(
    repository: &Repository,
    file: &FileRef,
    watch: Watch<'_>,
) -> Result<Option<String>, BackupError> {
    let path = repository.path(file);
    let mut source = match File::open(&path) {
        Ok(source) => source,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Some("it is not there".to_owned())),
        Err(e) => return Ok(Some(format!("it cannot be read: {e}"))),
    };
    // Cached data would not show the disk's state; failing to drop the cache is harmless.
    let _ = rustix::fs::fadvise(&source, 0, None, rustix::fs::Advice::DontNeed);
    let (mut hash, mut length, mut piece) = (Sha256::new(), 0_u64, vec![0; 256 * 1024]);
    loop {
        let count = match source.read(&mut piece) {
            Ok(count) => count,
            // Finding an unreadable disk is the purpose of this check.
            Err(e) => return Ok(Some(format!("it cannot be read: {e}"))),
        };
        let Some(part) = piece.get(..count).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
        length += count as u64;
        watch(Event::Bytes(count as u64)).map_err(BackupError::io(&path, "read"))?;
    }
    let found = to_hex(&hash.finalize());
    Ok(match (length == file.bytes, found == file.sha256) {
        (true, true) => None,
        (false, _) => Some(format!("it has {length} bytes instead of {}", file.bytes)),
        (true, false) => Some("its content has changed".to_owned()),
    })
}
