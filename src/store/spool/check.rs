//! Checks a segment from its beginning: which parts hold an intact or an erased message, and which do not.

use std::fs;
use std::path::Path;

use super::SpoolError;
use super::record::{self, HEAD, Head};

/// The parts of a segment without an intact message: damaged ones, and an end torn by a crash.
///
/// # Errors
/// [`SpoolError::Io`].
pub(crate) fn unreadable(path: &Path, number: u64) -> Result<Vec<(u64, u64)>, SpoolError> {
    let bytes = fs::read(path).map_err(SpoolError::io(path, "read"))?;
    let mut parts: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match message(&bytes, at, number) {
            Some(next) => at = next,
            None => {
                let next = (at + 1..bytes.len()).find(|from| message(&bytes, *from, number).is_some());
                let next = next.unwrap_or(bytes.len());
                parts.push((at as u64, next as u64));
                at = next;
            }
        }
    }
    Ok(parts)
}

/// The end of the intact message that begins at an offset.
fn message(bytes: &[u8], at: usize, number: u64) -> Option<usize> {
    let head: &[u8; HEAD] = bytes.get(at..)?.first_chunk()?;
    let end = |length: usize| at.checked_add(HEAD)?.checked_add(length);
    match record::read_head(head) {
        Head::Message { length, checksum } => {
            let message = bytes.get(at + HEAD..end(length)?)?;
            (record::checksum(number, at as u64, message) == checksum).then_some(end(length)?)
        }
        // Only its place is left. If the end of the file cuts it off, it was erased up to there.
        Head::Erased { length } => {
            let end = end(length)?.min(bytes.len());
            bytes.get(at + HEAD..end)?.iter().all(|byte| *byte == 0).then_some(end)
        }
        Head::Newer | Head::Other => None,
    }
}
