//! The condition of a repository, without reading its files: from its manifests and its `health` file (see
//! `health_file`).

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;

use super::BackupError;
use super::fault::Fault;
use super::manifest::{FileRef, Manifest};
use super::repository::Repository;

/// The condition of a repository, as far as known without reading its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Damaged or missing manifests, and files that were damaged when last read.
    pub faults: Vec<Fault>,
    /// When the newest readable backup was made.
    pub newest: Option<Timestamp>,
    /// The time of the least recent read of a file. Everything is read within a week.
    pub oldest_read: Option<Timestamp>,
}

/// The condition of a repository.
///
/// # Errors
/// [`BackupError::Io`].
pub fn condition(repository: &Repository) -> Result<Condition, BackupError> {
    let listed = repository.list()?;
    let mut condition = Condition { faults: repository.faults(&listed), ..Condition::default() };
    let manifests: Vec<&Manifest> = listed.iter().filter_map(|one| one.manifest.as_ref().ok()).collect();
    condition.newest = manifests.last().map(|manifest| manifest.created);
    let mut files: BTreeMap<&FileRef, Vec<String>> = BTreeMap::new();
    for manifest in &manifests {
        for file in manifest.files() {
            let of = files.entry(file).or_default();
            if of.last() != Some(&manifest.id) {
                of.push(manifest.id.clone());
            }
        }
    }
    repository.with_health(|health| {
        for (file, backups) in &files {
            if let Some(what) = health.wrong(&file.sha256) {
                let path = repository.path(file);
                condition.faults.push(Fault { path, what: what.to_owned(), backups: backups.clone() });
            }
        }
        let read = files.keys().filter_map(|file| health.last_read(&file.sha256));
        condition.oldest_read = read.min();
    });
    for (file, backups) in files {
        if !repository.has(&file.clone())? && !condition.faults.iter().any(|fault| fault.path == repository.path(file))
        {
            let what = "it is missing or has another length".to_owned();
            condition.faults.push(Fault { path: repository.path(file), what, backups });
        }
    }
    Ok(condition)
}
