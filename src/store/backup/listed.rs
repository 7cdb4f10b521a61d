//! The list of backups in a repository, by their manifests.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::BackupError;
use super::manifest::{Manifest, seal_of};

const SUFFIX: &str = ".manifest";

/// A backup in a repository.
#[derive(Debug)]
pub struct Listed {
    /// Its name, from the file name.
    pub id: String,
    /// Its manifest's path.
    pub path: PathBuf,
    /// The manifest, or why it cannot be read.
    pub manifest: Result<Manifest, BackupError>,
    /// The SHA-256 in the manifest's last line; meaningless if the manifest cannot be read.
    pub sha256: String,
}

/// The path of the manifest of the backup with this name.
pub(super) fn manifest_path(directory: &Path, id: &str) -> PathBuf {
    directory.join("backups").join(format!("{id}{SUFFIX}"))
}

/// All backups in the repository `directory`, oldest first.
///
/// # Errors
/// [`BackupError::Io`]; an unreadable backup is listed with the reason.
pub(super) fn list(directory: &Path) -> Result<Vec<Listed>, BackupError> {
    let backups = directory.join("backups");
    let entries = match fs::read_dir(&backups) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(BackupError::io(&backups, "read")(e)),
    };
    let mut listed = Vec::new();
    for entry in entries {
        let path = entry.map_err(BackupError::io(&backups, "read"))?.path();
        let id = path.file_name().and_then(|name| name.to_str()?.strip_suffix(SUFFIX)).map(str::to_owned);
        if let Some(id) = id {
            let bytes = fs::read(&path).map_err(BackupError::io(&path, "read"));
            let sha256 = bytes.as_ref().map(|bytes| seal_of(bytes)).unwrap_or_default();
            let manifest = bytes.and_then(|bytes| Manifest::from_bytes(&path, &bytes));
            listed.push(Listed { id, path, manifest, sha256 });
        }
    }
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(listed)
}

/// Whether there is a manifest, damaged or not.
pub(super) fn has_manifests(directory: &Path) -> Result<bool, BackupError> {
    let backups = directory.join("backups");
    match fs::read_dir(&backups) {
        Ok(mut entries) => Ok(entries.any(|entry| {
            entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(|name| name.ends_with(SUFFIX)))
        })),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(BackupError::io(&backups, "read")(e)),
    }
}
