//! Reads from the spool: one message by its place, and the list of segments.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::base::clock::Timestamp;
use crate::model::inbound::SpoolPlace;
use crate::store::journal::disk::numbered_files;

use super::record::{self, HEAD, Head};
use super::{SUFFIX, Segment, SpoolError};

/// The message at `place`, in the file at `path`.
pub(super) fn read(path: PathBuf, place: SpoolPlace) -> Result<Vec<u8>, SpoolError> {
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(SpoolError::Dropped { path }),
        Err(error) => return Err(SpoolError::io(&path, "read")(error)),
    };
    let damaged = |what| SpoolError::Damaged { path: path.clone(), offset: place.offset, what };
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => damaged("the file ends before the message does"),
        _ => SpoolError::io(&path, "read")(error),
    };
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, place.offset).map_err(failed)?;
    let expected = match record::read_head(&head) {
        Head::Message { length, checksum } if u32::try_from(length) == Ok(place.length) => checksum,
        Head::Message { .. } => return Err(damaged("the message there has another length")),
        Head::Erased { .. } => return Err(SpoolError::Erased { path, offset: place.offset }),
        Head::Newer => return Err(SpoolError::Newer { path }),
        Head::Other => return Err(damaged("no message begins there")),
    };
    let begin = place.offset.saturating_add(HEAD as u64);
    let end = begin.saturating_add(u64::from(place.length));
    // Checked first, so that a damaged length allocates no memory.
    if file.metadata().map_err(failed)?.len() < end {
        return Err(damaged("the file ends before the message does"));
    }
    let mut bytes = vec![0; place.length as usize];
    file.read_exact_at(&mut bytes, begin).map_err(failed)?;
    match record::checksum(place.segment, place.offset, &bytes) == expected {
        true => Ok(bytes),
        false => Err(damaged("the message has changed")),
    }
}

/// All segments in `directory`, in order.
pub(super) fn segments(directory: &Path) -> Result<Vec<Segment>, SpoolError> {
    let mut segments = Vec::new();
    for (number, path) in numbered_files(directory, SUFFIX).map_err(SpoolError::io(directory, "read"))? {
        let found = match fs::metadata(&path).and_then(|found| Ok((found.len(), found.modified()?))) {
            Ok((bytes, written)) => Segment { number, path, bytes, written: Timestamp::from(written) },
            // Dropped since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(SpoolError::io(&path, "read")(error)),
        };
        segments.push(found);
    }
    Ok(segments)
}
