//! Checkpoints: a sorted, checksummed, compressed copy of all records. One format, three uses: the point before which
//! the journal may be dropped, the backup, and the move to another engine.
//!
//! ```text
//! <number of the group it was begun after, 20 digits>.checkpoint
//! magic 8 | version u32 | mark `since` 32 | checksum u64
//! blocks:  raw length u32 | packed length u32 | checksum u64 of the packed bytes | packed (LZ4)
//!          each holds: key length u16 | value length u32 | key | value, keys ascending over the whole file
//! end:     0 u32 | 0 u32 | mark `until` 32 | records u64 | checksum u64 of all block checksums and this
//! ```
//! It may be written while commits continue, and then holds some records as of `since` and some as of up to `until`:
//! with all groups after `since` applied, at least up to `until`, it is exact.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::fingerprint::Mark;

mod damaged;
mod reader;
mod writer;

pub(crate) use damaged::{DamagedBlocks, damaged_blocks, read_whole_blocks};
pub use reader::read;
pub(crate) use writer::CheckpointWriter;

const MAGIC: [u8; 8] = *b"depeschC";
const VERSION: u32 = 1;
const SUFFIX: &str = ".checkpoint";

/// The file name of a checkpoint being written.
const UNFINISHED: &str = "unfinished";
/// Bytes before the first block.
pub(super) const HEADER: u64 = 52;
/// The largest block, in bytes: at most one entry is added to a full block.
const MAX_BLOCK: usize = 2 * 1024 * 1024;

/// Why a checkpoint cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system failed.
    #[error("{} could not be {action}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file does not hold what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// Written by a newer Depesch.
    #[error("{} has version {version}, newer than this program knows; run the newer program", path.display())]
    Newer {
        /// The file or directory.
        path: PathBuf,
        /// The version found.
        version: u32,
    },
}

/// A checkpoint file and the group in its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckpointName {
    /// The group after which it was begun.
    pub since: u64,
    /// Its path.
    pub path: PathBuf,
}

/// All finished checkpoints in a directory, oldest first.
///
/// # Errors
/// The operating system's.
pub fn list(directory: &Path) -> Result<Vec<CheckpointName>, CheckpointError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(directory, "read")(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed(directory, "read"))?.path();
        let digits = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(since) = digits.filter(|digits| digits.len() == 20).and_then(|digits| digits.parse().ok()) {
            found.push(CheckpointName { since, path });
        }
    }
    found.sort();
    Ok(found)
}

/// Removes an unfinished checkpoint, if there is one.
///
/// # Errors
/// The operating system's.
pub(crate) fn remove_unfinished(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(UNFINISHED)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// The header and end of a complete checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The store's position when it was begun: groups after this must be applied on top.
    pub since: Mark,
    /// The checkpoint is exact once groups up to this one have been applied.
    pub until: Mark,
    /// Number of records in the file.
    pub records: u64,
}

pub(super) fn sync_directory(directory: &Path) -> Result<(), CheckpointError> {
    File::open(directory).and_then(|file| file.sync_all()).map_err(failed(directory, "synced"))
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io { path, action, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fingerprint::Fingerprint;

    fn written(directory: &Path) -> (PathBuf, Mark, Mark) {
        let since = Mark { sequence: 3, fingerprint: Fingerprint { records: 1, sum: 2 } };
        let until = Mark { sequence: 9, fingerprint: Fingerprint { records: 4, sum: 5 } };
        let mut writer = CheckpointWriter::begin(directory, since).unwrap();
        for number in 0_u32..3000 {
            writer.push(&number.to_be_bytes(), format!("value {number}").repeat(5).as_bytes()).unwrap();
        }
        (writer.seal(until).unwrap().publish().unwrap().path, since, until)
    }

    #[test]
    fn a_checkpoint_is_read_as_written() {
        let directory = tempfile::tempdir().unwrap();
        let (path, since, until) = written(directory.path());
        let mut next = 0_u32;
        let summary = read(&path, &mut |key, value| {
            assert_eq!(key, next.to_be_bytes());
            assert_eq!(value, format!("value {next}").repeat(5).as_bytes());
            next += 1;
            Ok(())
        });
        assert_eq!(summary.unwrap(), Summary { since, until, records: 3000 });
        assert_eq!(list(directory.path()).unwrap(), [CheckpointName { since: 3, path }]);
    }

    #[test]
    fn no_damage_goes_unseen() {
        let directory = tempfile::tempdir().unwrap();
        let (path, ..) = written(directory.path());
        let whole = fs::read(&path).unwrap();
        let check = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read(&path, &mut |_, _| Ok(())).is_err()
        };
        for position in (0..whole.len()).step_by(whole.len() / 200).chain(whole.len() - 60..whole.len()).chain(0..60) {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x10;
            assert!(check(&damaged), "byte {position}");
            assert!(check(&whole[..position]), "cut at {position}");
        }
        assert!(!check(&whole));
    }
}
