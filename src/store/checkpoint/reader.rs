//! Reads a complete checkpoint, record by record.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::store::fingerprint::Mark;

use super::{CheckpointError, MAGIC, MAX_BLOCK, Summary, VERSION, failed};

/// Reads a checkpoint and passes its records in order to `visit`. Only when this returns `Ok` is the checkpoint known
/// to be intact.
///
/// # Errors
/// [`CheckpointError`], including those of `visit`.
pub fn read(
    path: &Path,
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), CheckpointError>,
) -> Result<Summary, CheckpointError> {
    let mut reader = Reader::open(path)?;
    let since = reader.header()?;
    let (mut all, mut records, mut last) = (Xxh3::new(), 0, Vec::new());
    loop {
        let [raw, packed] = [reader.number()?, reader.number()?];
        if raw == 0 {
            if packed != 0 {
                return Err(reader.damaged("its end does not match the rest"));
            }
            let mut end = vec![0; 8];
            end.extend_from_slice(&reader.take::<{ Mark::LENGTH + 8 }>()?);
            all.update(&end);
            let checksum = u64::from_le_bytes(reader.take()?);
            let until = end.get(8..8 + Mark::LENGTH).and_then(Mark::from_bytes);
            let counted = end.get(8 + Mark::LENGTH..).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
            return match until {
                Some(until) if checksum == all.digest() && counted == Some(records) => {
                    Ok(Summary { since, until, records })
                }
                _ => Err(reader.damaged("its end does not match the rest")),
            };
        }
        let block = reader.block(raw, packed, &mut all)?;
        let mut rest = block.as_slice();
        while !rest.is_empty() {
            let Some((key, value, after)) = split(rest) else { return Err(reader.damaged("a block is damaged")) };
            if records > 0 && *key <= *last {
                return Err(reader.damaged("its keys are not in order"));
            }
            visit(key, value)?;
            last.clear();
            last.extend_from_slice(key);
            records += 1;
            rest = after;
        }
    }
}

/// A key, its value, and the bytes after them.
pub(super) type Entry<'a> = (&'a [u8], &'a [u8], &'a [u8]);

pub(super) fn split(bytes: &[u8]) -> Option<Entry<'_>> {
    let (key, rest) = bytes.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key)))?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*value)).ok()?)?;
    Some((key, value, rest))
}

pub(super) struct Reader<'p> {
    file: BufReader<File>,
    path: &'p Path,
}

impl<'p> Reader<'p> {
    /// Opens the file and reads from its start.
    pub(crate) fn open(path: &'p Path) -> Result<Self, CheckpointError> {
        let file = File::open(path).map_err(failed(path, "read"))?;
        Ok(Self { file: BufReader::with_capacity(256 * 1024, file), path })
    }

    fn damaged(&self, what: &'static str) -> CheckpointError {
        CheckpointError::Damaged { path: self.path.to_owned(), what }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), CheckpointError> {
        match self.file.read_exact(bytes) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged("it is cut short")),
            other => other.map_err(failed(self.path, "read")),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<usize, CheckpointError> {
        let number = u32::from_le_bytes(self.take()?);
        usize::try_from(number).map_err(|_| self.damaged("a number is out of range"))
    }

    pub(crate) fn header(&mut self) -> Result<Mark, CheckpointError> {
        let bytes: [u8; 44] = self.take()?;
        let checksum = u64::from_le_bytes(self.take()?);
        let (magic, rest) = bytes.split_at(8);
        let (version, mark) = rest.split_at(4);
        if magic != MAGIC || checksum != xxh3_64(&bytes) {
            return Err(self.damaged("its header is damaged"));
        }
        match version.try_into().map(u32::from_le_bytes) {
            Ok(VERSION) => Mark::from_bytes(mark).ok_or_else(|| self.damaged("its header is damaged")),
            Ok(version) => Err(CheckpointError::Newer { path: self.path.to_owned(), version }),
            Err(_) => Err(self.damaged("its header is damaged")),
        }
    }

    fn block(&mut self, raw: usize, packed: usize, all: &mut Xxh3) -> Result<Vec<u8>, CheckpointError> {
        let checksum: [u8; 8] = self.take()?;
        if raw > MAX_BLOCK || packed > 2 * MAX_BLOCK {
            return Err(self.damaged("a block is too long"));
        }
        let mut bytes = vec![0; packed];
        self.fill(&mut bytes)?;
        if xxh3_64(&bytes) != u64::from_le_bytes(checksum) {
            return Err(self.damaged("a block is damaged"));
        }
        all.update(&checksum);
        match lz4_flex::block::decompress(&bytes, raw) {
            Ok(block) if block.len() == raw => Ok(block),
            _ => Err(self.damaged("a block cannot be unpacked")),
        }
    }
}
