//! Notes that hold one mark each, with a checksum: `clean`, the store's mark at its last orderly stop, and `backed-up`,
//! how far it is in a backup.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::checkpoint;
use crate::store::fingerprint::Mark;

use super::open_error::OpenError;

/// The note of an orderly stop.
pub(super) const CLEAN: &str = "clean";
/// The note of the last backup.
pub(super) const BACKED_UP: &str = "backed-up";

/// A note as found on disk.
pub(super) struct Note {
    /// It exists, intact or not.
    pub exists: bool,
    /// Its mark; `None` if it is damaged or absent.
    pub whole: Option<Mark>,
}

/// Reads a note. Of a damaged one only its existence is known.
///
/// # Errors
/// The operating system's.
pub(super) fn read(directory: &Path, name: &str) -> io::Result<Note> {
    let bytes = match fs::read(directory.join(name)) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Note { exists: false, whole: None }),
        Err(e) => return Err(e),
    };
    let parts = bytes.split_at_checked(Mark::LENGTH);
    let mark = parts.filter(|(mark, checksum)| *checksum == xxh3_64(mark).to_le_bytes());
    Ok(Note { exists: true, whole: mark.and_then(|(mark, _)| Mark::from_bytes(mark)) })
}

fn form(mark: Mark) -> Vec<u8> {
    let mut bytes = mark.to_bytes().to_vec();
    bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
    bytes
}

/// Stores that the index is intact and durable up to `mark`.
pub(super) fn write_clean(directory: &Path, mark: Mark) -> io::Result<()> {
    let mut file = File::create(directory.join(CLEAN))?;
    file.write_all(&form(mark))?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

/// Removes that note, durably, before anything is changed.
pub(super) fn take_clean(directory: &Path) -> Result<(), OpenError> {
    let path = directory.join(CLEAN);
    match fs::remove_file(&path) {
        Ok(()) => Ok(checkpoint::sync_directory(directory)?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(OpenError::io(&path, "removed")(e)),
    }
}

/// Stores that all groups up to `mark` are in a backup.
pub(super) fn write_backed_up(directory: &Path, mark: Mark) -> io::Result<()> {
    let temporary = directory.join("backed-up.new");
    let mut file = File::create(&temporary)?;
    file.write_all(&form(mark))?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(BACKED_UP))?;
    File::open(directory)?.sync_all()
}
