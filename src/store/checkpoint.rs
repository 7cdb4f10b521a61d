//! Checkpoints: a sorted, checksummed, compressed copy of all records. One form, three uses: the point before which
//! the journal may be dropped, the backup, and the move to another engine.
//!
//! ```text
//! <number of the group it was begun after, 20 digits>.checkpoint
//! magic 8 | version u32 | mark `since` 32 | checksum u64
//! blocks:  raw length u32 | packed length u32 | checksum u64 of the packed octets | packed (LZ4)
//!          each holds: key length u16 | value length u32 | key | value, keys ascending over the whole file
//! end:     0 u32 | 0 u32 | mark `until` 32 | records u64 | checksum u64 of all block checksums and this
//! ```
//! It may be written while commits go on, and then holds some records as of `since` and some as of up to `until`:
//! with all groups after `since` applied, at least up to `until`, it is exact.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::fingerprint::Mark;
use super::journal::disk::make_directories;

const MAGIC: [u8; 8] = *b"depeschC";
const VERSION: u32 = 1;
const SUFFIX: &str = ".checkpoint";

/// The name of one that is being written.
const UNFINISHED: &str = "unfinished";
const BLOCK: usize = 64 * 1024;
/// Octets before the first block.
pub(super) const HEADER: u64 = 52;
/// No block is larger: one entry at most comes on top of a full block.
const MAX_BLOCK: usize = 2 * 1024 * 1024;

/// Why a checkpoint cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system failed.
    #[error("{} could not be {action}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// It does not hold what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// Written by a newer Depesch.
    #[error("{} has version {version}, newer than this program knows; run the newer program again", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The version found.
        version: u32,
    },
}

/// A checkpoint file by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckpointName {
    /// The group after which it was begun.
    pub since: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// All finished checkpoints in a directory, oldest first.
///
/// # Errors
/// The system's.
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

/// Removes what is left of a checkpoint that was not finished, if there is any.
///
/// # Errors
/// The system's.
pub fn remove_unfinished(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(UNFINISHED)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// What a whole checkpoint says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Where the store stood when it was begun: groups after this must be applied on top.
    pub since: Mark,
    /// It is exact once groups up to this have been applied.
    pub until: Mark,
    /// How many records are in the file.
    pub records: u64,
}

/// A checkpoint being written, under a temporary name until it is finished and durable.
pub struct CheckpointWriter {
    file: BufWriter<File>,
    directory: PathBuf,
    temporary: PathBuf,
    since: Mark,
    block: Vec<u8>,
    all: Xxh3,
    records: u64,
}

impl CheckpointWriter {
    /// Begins one in `directory`; a leftover of an earlier one that was cut short is overwritten.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub fn begin(directory: &Path, since: Mark) -> Result<Self, CheckpointError> {
        make_directories(directory, 0o777).map_err(failed(directory, "created"))?;
        let temporary = directory.join(UNFINISHED);
        let file = File::create(&temporary).map_err(failed(&temporary, "created"))?;
        let mut header = Vec::with_capacity(52);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&since.to_octets());
        header.extend_from_slice(&xxh3_64(&header).to_le_bytes());
        let mut file = BufWriter::with_capacity(256 * 1024, file);
        file.write_all(&header).map_err(failed(&temporary, "written"))?;
        let directory = directory.to_owned();
        Ok(Self { file, directory, temporary, since, block: Vec::new(), all: Xxh3::new(), records: 0 })
    }

    /// Adds a record; keys must come in ascending order.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), CheckpointError> {
        self.block.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.block.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(value);
        self.records += 1;
        match self.block.len() >= BLOCK {
            true => self.write_block(),
            false => Ok(()),
        }
    }

    fn write_block(&mut self) -> Result<(), CheckpointError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = lz4_flex::block::compress(&self.block);
        let checksum = xxh3_64(&packed);
        self.all.update(&checksum.to_le_bytes());
        let mut head = [0; 16];
        head[..4].copy_from_slice(&u32::try_from(self.block.len()).unwrap_or(u32::MAX).to_le_bytes());
        head[4..8].copy_from_slice(&u32::try_from(packed.len()).unwrap_or(u32::MAX).to_le_bytes());
        head[8..].copy_from_slice(&checksum.to_le_bytes());
        self.block.clear();
        let written = self.file.write_all(&head).and_then(|()| self.file.write_all(&packed));
        written.map_err(failed(&self.temporary, "written"))
    }

    /// Ends the file, which is exact at `until`, and makes it durable, still under its temporary name.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub fn seal(mut self, until: Mark) -> Result<SealedCheckpoint, CheckpointError> {
        self.write_block()?;
        let mut end = vec![0; 8];
        end.extend_from_slice(&until.to_octets());
        end.extend_from_slice(&self.records.to_le_bytes());
        self.all.update(&end);
        end.extend_from_slice(&self.all.digest().to_le_bytes());
        let written = self.file.write_all(&end).and_then(|()| self.file.flush());
        written.and_then(|()| self.file.get_ref().sync_all()).map_err(failed(&self.temporary, "written"))?;
        Ok(SealedCheckpoint { directory: self.directory, path: self.temporary, since: self.since })
    }
}

/// A checkpoint that is whole and durable but does not count until it is published.
pub struct SealedCheckpoint {
    directory: PathBuf,
    /// Its temporary place.
    pub path: PathBuf,
    since: Mark,
}

impl SealedCheckpoint {
    /// Gives it its name; from now on it counts.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub fn publish(self) -> Result<CheckpointName, CheckpointError> {
        let path = self.directory.join(format!("{:020}{SUFFIX}", self.since.sequence));
        fs::rename(&self.path, &path).map_err(failed(&path, "renamed"))?;
        sync_directory(&self.directory)?;
        Ok(CheckpointName { since: self.since.sequence, path })
    }

    /// Throws it away.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub fn discard(self) -> Result<(), CheckpointError> {
        fs::remove_file(&self.path).map_err(failed(&self.path, "removed"))
    }
}

/// Reads a checkpoint and shows its records in order. That it was whole is known only when this has returned.
///
/// # Errors
/// [`CheckpointError`], `visit`'s own included.
pub fn read(
    path: &Path,
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), CheckpointError>,
) -> Result<Summary, CheckpointError> {
    let file = File::open(path).map_err(failed(path, "read"))?;
    let mut reader = Reader { file: BufReader::with_capacity(256 * 1024, file), path };
    let since = reader.header()?;
    let (mut all, mut records, mut last) = (Xxh3::new(), 0, Vec::new());
    loop {
        let [raw, packed] = [reader.number()?, reader.number()?];
        if raw == 0 {
            if packed != 0 {
                return Err(reader.damaged("its end does not fit the rest"));
            }
            let mut end = vec![0; 8];
            end.extend_from_slice(&reader.take::<{ Mark::LENGTH + 8 }>()?);
            all.update(&end);
            let checksum = u64::from_le_bytes(reader.take()?);
            let until = end.get(8..8 + Mark::LENGTH).and_then(Mark::from_octets);
            let counted = end.get(8 + Mark::LENGTH..).and_then(|octets| octets.try_into().ok()).map(u64::from_le_bytes);
            return match until {
                Some(until) if checksum == all.digest() && counted == Some(records) => {
                    Ok(Summary { since, until, records })
                }
                _ => Err(reader.damaged("its end does not fit the rest")),
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

/// A key, its value, and what follows them.
type Entry<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn split(octets: &[u8]) -> Option<Entry<'_>> {
    let (key, rest) = octets.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key)))?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*value)).ok()?)?;
    Some((key, value, rest))
}

struct Reader<'p> {
    file: BufReader<File>,
    path: &'p Path,
}

impl Reader<'_> {
    fn damaged(&self, what: &'static str) -> CheckpointError {
        CheckpointError::Damaged { path: self.path.to_owned(), what }
    }

    fn fill(&mut self, octets: &mut [u8]) -> Result<(), CheckpointError> {
        match self.file.read_exact(octets) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged("it is cut short")),
            other => other.map_err(failed(self.path, "read")),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        let mut octets = [0; N];
        self.fill(&mut octets)?;
        Ok(octets)
    }

    fn number(&mut self) -> Result<usize, CheckpointError> {
        let number = u32::from_le_bytes(self.take()?);
        usize::try_from(number).map_err(|_| self.damaged("a number is out of range"))
    }

    fn header(&mut self) -> Result<Mark, CheckpointError> {
        let octets: [u8; 44] = self.take()?;
        let checksum = u64::from_le_bytes(self.take()?);
        let (magic, rest) = octets.split_at(8);
        let (version, mark) = rest.split_at(4);
        if magic != MAGIC || checksum != xxh3_64(&octets) {
            return Err(self.damaged("its header is damaged"));
        }
        match version.try_into().map(u32::from_le_bytes) {
            Ok(VERSION) => Mark::from_octets(mark).ok_or_else(|| self.damaged("its header is damaged")),
            Ok(version) => Err(CheckpointError::Newer { path: self.path.to_owned(), version }),
            Err(_) => Err(self.damaged("its header is damaged")),
        }
    }

    fn block(&mut self, raw: usize, packed: usize, all: &mut Xxh3) -> Result<Vec<u8>, CheckpointError> {
        let checksum: [u8; 8] = self.take()?;
        if raw > MAX_BLOCK || packed > 2 * MAX_BLOCK {
            return Err(self.damaged("a block is too long"));
        }
        let mut octets = vec![0; packed];
        self.fill(&mut octets)?;
        if xxh3_64(&octets) != u64::from_le_bytes(checksum) {
            return Err(self.damaged("a block is damaged"));
        }
        all.update(&checksum);
        match lz4_flex::block::decompress(&octets, raw) {
            Ok(block) if block.len() == raw => Ok(block),
            _ => Err(self.damaged("a block cannot be unpacked")),
        }
    }
}

/// A part of a checkpoint that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedBlocks {
    /// Where it begins, in octets from the start of the file.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// The last key before it.
    pub after: Option<Vec<u8>>,
    /// The first key behind it.
    pub before: Option<Vec<u8>>,
}

/// Finds the blocks of a damaged checkpoint that cannot be read.
///
/// # Errors
/// [`CheckpointError::Io`].
pub fn damaged_blocks(path: &Path) -> Result<Vec<DamagedBlocks>, CheckpointError> {
    read_whole_blocks(path, &mut |_, _| Ok(()))
}

/// Shows the records of the blocks that are whole, in order, and gives the parts that are not. Where a length is damaged,
/// the next whole block is looked for. A checkpoint that [`read`] reads has no such part.
///
/// # Errors
/// [`CheckpointError::Io`], and what `visit` gives.
pub fn read_whole_blocks(
    path: &Path,
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), CheckpointError>,
) -> Result<Vec<DamagedBlocks>, CheckpointError> {
    let octets = fs::read(path).map_err(failed(path, "read"))?;
    let mut reader = Reader { file: BufReader::new(File::open(path).map_err(failed(path, "read"))?), path };
    let (mut found, mut last): (Vec<DamagedBlocks>, Option<Vec<u8>>) = (Vec::new(), None);
    if reader.header().is_err() {
        found.push(DamagedBlocks { from: 0, to: HEADER, after: None, before: None });
    }
    let (mut at, mut all, mut records) = (HEADER as usize, Xxh3::new(), 0_u64);
    loop {
        // The next whole block: here, or behind what is damaged.
        let next = (at..octets.len()).find_map(|from| Some((from, whole_block(octets.get(from..)?)?)));
        let end = next.as_ref().map_or(octets.len(), |(from, _)| *from);
        let between = octets.get(at..end).unwrap_or_default();
        let is_whole = match next {
            Some(_) => between.is_empty(),
            // Behind a damaged block the end does not fit what was read.
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
        all.update(octets.get(from + 8..from + 16).unwrap_or_default());
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

/// Bytes of the end of a checkpoint.
const END: usize = 8 + Mark::LENGTH + 16;

/// Whether this is the end that fits what was read before it.
fn is_end(octets: &[u8], records: u64, all: &Xxh3) -> bool {
    let (Some(end), Some(checksum)) = (octets.get(..END - 8), octets.get(END - 8..END)) else { return false };
    let mut all = all.clone();
    all.update(end);
    octets.len() == END
        && end.starts_with(&[0; 8])
        && end.get(END - 16..) == Some(&records.to_le_bytes())
        && checksum == all.digest().to_le_bytes()
}

/// The block that these octets begin with, unpacked, and its length; `None` when it is not whole.
fn whole_block(octets: &[u8]) -> Option<(Vec<u8>, usize)> {
    let raw = u32::from_le_bytes(octets.first_chunk().copied()?) as usize;
    let packed = u32::from_le_bytes(octets.get(4..8)?.try_into().ok()?) as usize;
    if raw == 0 || raw > MAX_BLOCK || packed == 0 || packed > 2 * MAX_BLOCK {
        return None;
    }
    let body = octets.get(16..16 + packed)?;
    if octets.get(8..16)? != xxh3_64(body).to_le_bytes() {
        return None;
    }
    let block = lz4_flex::block::decompress(body, raw).ok().filter(|block| block.len() == raw)?;
    Some((block, 16 + packed))
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
        let check = |octets: &[u8]| {
            fs::write(&path, octets).unwrap();
            read(&path, &mut |_, _| Ok(())).is_err()
        };
        for position in (0..whole.len()).step_by(whole.len() / 200).chain(whole.len() - 60..whole.len()).chain(0..60) {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x10;
            assert!(check(&damaged), "octet {position}");
            assert!(check(&whole[..position]), "cut at {position}");
        }
        assert!(!check(&whole));
    }
}
