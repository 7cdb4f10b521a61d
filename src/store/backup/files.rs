//! Creates files and directories of a repository durably.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::super::journal::disk::make_directories;
use super::{BackupError, Event, Watch};

/// Reports that a change on disk follows; an error stops the work there.
pub(super) fn step(watch: Watch<'_>, path: &Path, what: &'static str) -> Result<(), BackupError> {
    watch(Event::Step(what)).map_err(BackupError::io(path, "written"))
}

/// Creates a directory that only its owner can read.
pub(super) fn make_directory(path: &Path) -> Result<(), BackupError> {
    make_directories(path, 0o700).map_err(BackupError::io(path, "made"))
}

/// Creates a file that only its owner can read.
pub(super) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(BackupError::io(path, "synced"))
}
