//! Erases one message in place: its bytes are overwritten with zeros.
//!
//! The head is overwritten and synced before the message: so after any interruption the place reads as erased, never as
//! damaged, and a retry completes the erasure.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use crate::model::inbound::SpoolPlace;
use crate::store::journal::disk::numbered_path;

use super::record::{self, HEAD, Head};
use super::{SUFFIX, SpoolError};

/// Bytes overwritten at once.
const PIECE: usize = 64 * 1024;

/// Erases the message at `place`. A missing message is not an error; other bytes are not touched.
pub(super) fn erase(directory: &Path, place: SpoolPlace) -> Result<(), SpoolError> {
    let path = numbered_path(directory, place.segment, SUFFIX);
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SpoolError::io(&path, "erased from")(error)),
    };
    let mut head = [0; HEAD];
    match file.read_exact_at(&mut head, place.offset) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
        Err(error) => return Err(SpoolError::io(&path, "read")(error)),
    }
    match record::read_head(&head) {
        Head::Message { length, .. } | Head::Erased { length } if u32::try_from(length) == Ok(place.length) => {}
        Head::Newer => return Err(SpoolError::Newer { path }),
        _ => {
            let what = "no message of that length begins there, so nothing was erased";
            return Err(SpoolError::Damaged { path, offset: place.offset, what });
        }
    }
    overwrite(&file, place).map_err(SpoolError::io(&path, "erased from"))
}

fn overwrite(file: &File, place: SpoolPlace) -> io::Result<()> {
    let metadata = file.metadata()?;
    let written = metadata.modified()?;
    file.write_all_at(&record::erased_head(place.length), place.offset)?;
    file.sync_data()?;
    // A torn end may be shorter than its message; nothing is written beyond the end of the file.
    let begin = place.offset + HEAD as u64;
    let end = begin.saturating_add(u64::from(place.length)).min(metadata.len());
    let zeros = vec![0; PIECE];
    let mut at = begin;
    while at < end {
        let count = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        file.write_all_at(&zeros[..count], at)?;
        at += count as u64;
    }
    // The segment keeps the age of its mail, but not exactly: with the same time a backup would reuse its old copy.
    file.set_modified(written + Duration::from_millis(1))?;
    file.sync_all()
}
