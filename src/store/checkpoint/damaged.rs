//! Reads the intact parts of a damaged checkpoint.

use std::fs;
use std::path::Path;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::store::fingerprint::Mark;

use super::reader::{Reader, split};
use super::{CheckpointError, HEADER, MAX_BLOCK, failed};

/// A part of a checkpoint that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DamagedBlocks {
    /// Where it begins, in bytes from the start of the file.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// The last key before it.
    pub after: Option<Vec<u8>>,
    /// The first key after it.
    pub before: Option<Vec<u8>>,
}

/// Finds the unreadable blocks of a damaged checkpoint.
///
/// # Errors
/// [`CheckpointError::Io`].
pub(crate) fn damaged_blocks(path: &Path) -> Result<Vec<DamagedBlocks>, CheckpointError> {
    read_whole_blocks(path, &mut |_, _| Ok(()))
}

/// Passes the records of the intact blocks to `visit`, in order, and returns the damaged parts. After a damaged length
/// it searches for the next intact block. A checkpoint that [`read`](super::read) accepts has no damaged part.
///
/// # Errors
/// [`CheckpointError::Io`], and the errors of `visit`.
pub(crate) fn read_whole_blocks(
    path: &Path,
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), CheckpointError>,
) -> Result<Vec<DamagedBlocks>, CheckpointError> {
    let bytes = fs::read(path).map_err(failed(path, "read"))?;
    let mut reader = Reader::open(path)?;
    let (mut found, mut last): (Vec<DamagedBlocks>, Option<Vec<u8>>) = (Vec::new(), None);
    if reader.header().is_err() {
        found.push(DamagedBlocks { from: 0, to: HEADER, after: None, before: None });
    }
    let (mut at, mut all, mut records) = (HEADER as usize, Xxh3::new(), 0_u64);
    loop {
        // The next intact block: here, or after the damage.
        let next = (at..bytes.len()).find_map(|from| Some((from, whole_block(bytes.get(from..)?)?)));
        let end = next.as_ref().map_or(bytes.len(), |(from, _)| *from);
        let between = bytes.get(at..end).unwrap_or_default();
        let is_whole = match next {
            Some(_) => between.is_empty(),
            // After a damaged block the end does not match what was read.
            None if found.is_empty() => is_end(between, records, &all),
            None => between.len() == END && between.starts_with(&[0; 8]),
        };
        if !is_whole {
            found.push(DamagedBlocks { from: at as u64, to: end as u64, after: last.clone(), before: None });
        }
        let Some((from, (block, length))) = next else { return Ok(found) };
        if let Some(open) = found.last_mut().filter(|open| open.from >= HEADER && open.to == from as u64) {
            open.before = split(&block).map(|(key, ..)| key.to_vec());
        }
        all.update(bytes.get(from + 8..from + 16).unwrap_or_default());
        let mut rest = block.as_slice();
        while let Some((key, value, after)) = split(rest) {
            visit(key, value)?;
            last = Some(key.to_vec());
            records += 1;
            rest = after;
        }
        at = from + length;
    }
}

/// Bytes of a checkpoint's end.
const END: usize = 8 + Mark::LENGTH + 16;

/// Whether this is an end that matches what was read before it.
fn is_end(bytes: &[u8], records: u64, all: &Xxh3) -> bool {
    let (Some(end), Some(checksum)) = (bytes.get(..END - 8), bytes.get(END - 8..END)) else { return false };
    let mut all = all.clone();
    all.update(end);
    bytes.len() == END
        && end.starts_with(&[0; 8])
        && end.get(END - 16..) == Some(&records.to_le_bytes())
        && checksum == all.digest().to_le_bytes()
}

/// The unpacked block at the beginning of these bytes, and its length; `None` if it is not intact.
fn whole_block(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let raw = u32::from_le_bytes(bytes.first_chunk().copied()?) as usize;
    let packed = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
    if raw == 0 || raw > MAX_BLOCK || packed == 0 || packed > 2 * MAX_BLOCK {
        return None;
    }
    let body = bytes.get(16..16 + packed)?;
    if bytes.get(8..16)? != xxh3_64(body).to_le_bytes() {
        return None;
    }
    let block = lz4_flex::block::decompress(body, raw).ok().filter(|block| block.len() == raw)?;
    Some((block, 16 + packed))
}
