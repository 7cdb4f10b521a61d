//! The paths of a store's parts in its directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// The journal's directory.
pub(super) fn journal(directory: &Path) -> PathBuf {
    directory.join("journal")
}

/// The checkpoints' directory.
pub(super) fn checkpoints(directory: &Path) -> PathBuf {
    directory.join("checkpoints")
}

/// The directory of the index's generations.
pub(super) fn indexes(directory: &Path) -> PathBuf {
    directory.join("index")
}

/// The newest generation of the index, if there is one.
pub(super) fn newest_generation(directory: &Path) -> Result<Option<u64>, OpenError> {
    let path = indexes(directory);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(OpenError::io(&path, "read")(e)),
    };
    let mut newest = None;
    for entry in entries {
        let name = entry.map_err(OpenError::io(&path, "read"))?.file_name();
        newest = newest.max(name.to_str().and_then(|name| name.parse().ok()));
    }
    Ok(newest)
}
