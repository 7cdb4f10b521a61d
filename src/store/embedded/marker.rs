//! The marker on disk that the index is damaged. While it exists, no start uses the index: the index is rebuilt from
//! checkpoint and journal, and then the marker is removed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::store::checkpoint;

use super::open_error::OpenError;

fn path(directory: &Path) -> PathBuf {
    directory.join("rebuild")
}

/// Durably marks the index as damaged, with the reason.
///
/// # Errors
/// The operating system's: the next start compares the index with the journal nevertheless.
pub(super) fn write(directory: &Path, reason: &str) -> io::Result<()> {
    let mut file = File::create(path(directory))?;
    file.write_all(reason.as_bytes())?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

/// The reason for which the index was marked as damaged, if it was. Only the file's presence counts: its text may be
/// damaged, and older versions wrote none.
///
/// # Errors
/// [`OpenError::Io`].
pub(super) fn read(directory: &Path) -> Result<Option<String>, OpenError> {
    let path = path(directory);
    match fs::read(&path) {
        Ok(text) if text.is_empty() => Ok(Some("it was found damaged while the daemon was running".to_owned())),
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(OpenError::io(&path, "read")(e)),
    }
}

/// Removes the marker, once an intact index is in use.
///
/// # Errors
/// [`OpenError`].
pub(super) fn remove(directory: &Path) -> Result<(), OpenError> {
    let path = path(directory);
    match fs::remove_file(&path) {
        Ok(()) => Ok(checkpoint::sync_directory(directory)?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(OpenError::io(&path, "removed")(e)),
    }
}
