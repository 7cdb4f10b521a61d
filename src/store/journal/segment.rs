//! Segment files: `<number of their first group, 20 digits>.journal`, a header, then records.
//!
//! ```text
//! magic 8 | version u32 | salt u64 | mark before the first record (32) | checksum u64 of all that
//! ```
//! In segments of version 2 each record has the time at which it became durable; version 1 stays readable for ever.

use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::store::fingerprint::Mark;

use super::disk::{numbered_files, numbered_path};

/// Bytes of a header.
pub(crate) const HEADER: usize = 60;

const MAGIC: [u8; 8] = *b"depeschJ";
/// The version of new segments.
pub(crate) const VERSION: u32 = 2;
const SUFFIX: &str = ".journal";

/// The header of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The version of its record format.
    pub version: u32,
    /// Seeds the checksums of this segment's records.
    pub salt: u64,
    /// The store's mark before the first record.
    pub before: Mark,
}

/// Why a header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Cut short or changed.
    Damaged,
    /// Intact, but of this version, which is newer than this program.
    Newer(u32),
}

impl Header {
    /// Whether its records have the time at which they became durable.
    pub(crate) fn is_timed(&self) -> bool {
        self.version >= 2
    }

    /// Encodes it for the disk.
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.salt.to_le_bytes());
        bytes[20..52].copy_from_slice(&self.before.to_bytes());
        let checksum = xxh3_64(&bytes[..52]);
        bytes[52..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Decodes the form on disk.
    ///
    /// # Errors
    /// [`HeaderFault`]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let fields = || {
            let (magic, rest) = bytes.split_first_chunk::<8>()?;
            let (version, rest) = rest.split_first_chunk::<4>()?;
            let (salt, rest) = rest.split_first_chunk::<8>()?;
            let (before, rest) = rest.split_at_checked(Mark::LENGTH)?;
            let (checksum, _) = rest.split_first_chunk::<8>()?;
            let whole = *magic == MAGIC && xxh3_64(bytes.get(..52)?) == u64::from_le_bytes(*checksum);
            let (version, salt) = (u32::from_le_bytes(*version), u64::from_le_bytes(*salt));
            whole.then_some(Self { version, salt, before: Mark::from_bytes(before)? })
        };
        match fields() {
            Some(header) if (1..=VERSION).contains(&header.version) => Ok(header),
            Some(header) => Err(HeaderFault::Newer(header.version)),
            None => Err(HeaderFault::Damaged),
        }
    }
}

/// A segment file and the group in its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    /// The number of the first group that it has or will have.
    pub first: u64,
    /// Its path.
    pub path: PathBuf,
}

impl SegmentName {
    /// The segment that begins with group `first`.
    pub(crate) fn new(directory: &Path, first: u64) -> Self {
        Self { first, path: numbered_path(directory, first, SUFFIX) }
    }
}

/// All segments in a directory, in order; empty if the directory does not exist.
///
/// # Errors
/// The operating system's.
pub fn list(directory: &Path) -> io::Result<Vec<SegmentName>> {
    let found = numbered_files(directory, SUFFIX)?;
    Ok(found.into_iter().map(|(first, path)| SegmentName { first, path }).collect())
}
