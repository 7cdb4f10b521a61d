//! A manifest: one backup, by the files that it is made of. JSON, so that a person can read it in need, and a last line
//! with the SHA-256 of all before it.
//!
//! ```text
//! {"version":1,"id":"20261122T031700Z", ...}
//! sha256 <64 hex>
//! ```

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::token::{content_hash, to_hex};
use crate::store::fingerprint::{Fingerprint, Mark};

use super::BackupError;

const VERSION: u32 = 1;

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this file.
    pub version: u32,
    /// Its name.
    pub id: String,
    /// When it was begun.
    pub created: Timestamp,
    /// The program's version.
    pub program: String,
    /// The machine's name.
    pub host: String,
    /// Where the store stood: everything up to there is in it, and nothing later.
    pub mark: MarkForm,
    /// The checkpoint that the journal is applied to; none when the journal begins with the first group.
    pub checkpoint: Option<CheckpointFile>,
    /// Journal segments, in order, without gap, up to the mark.
    pub journal: Vec<SegmentFile>,
    /// Attachments, by their hash.
    pub blobs: Vec<KeptFile>,
    /// Segments of mail that came in, by their number.
    pub spool: Vec<KeptFile>,
    /// Bytes of all its files.
    #[serde(rename = "octets")]
    pub bytes: u64,
    /// Bytes that had to be written for it.
    #[serde(rename = "new_octets")]
    pub new_bytes: u64,
    /// Files of the store that were damaged where they lie, so that they are not in it.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// How many backups were made in this repository before it, and one; absent in those of older programs.
    #[serde(default)]
    pub number: Option<u64>,
    /// The backup before it, so that a missing one is noticed; absent in the first, and in those of older programs.
    #[serde(default)]
    pub before: Option<Before>,
}

/// The backup that another follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its name.
    pub id: String,
    /// The SHA-256 of its manifest, as the last line of that says it.
    pub sha256: String,
}

/// Content in the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileRef {
    /// Its name: the SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Its length.
    #[serde(rename = "octets")]
    pub bytes: u64,
}

/// A mark as it stands in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkForm {
    /// The number of the last group of commits.
    pub group: u64,
    /// How many records there then were.
    pub records: u64,
    /// The sum of their hashes, hexadecimal.
    pub sum: String,
}

/// A checkpoint in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointFile {
    /// Groups after this must be applied on top.
    pub since: MarkForm,
    /// At least up to this one.
    pub until: MarkForm,
    /// The file.
    pub file: FileRef,
}

/// A journal segment in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentFile {
    /// The number of its first group.
    pub first: u64,
    /// The number of its last group.
    pub last: u64,
    /// When its first group became durable, where that is on record.
    pub begun: Option<Timestamp>,
    /// When its last group became durable, where that is on record.
    pub ended: Option<Timestamp>,
    /// The latest time of a group in it: where a clock was set back, not the last.
    pub latest: Option<Timestamp>,
    /// What its checksums are seeded with, hexadecimal: no two segments have the same.
    pub salt: String,
    /// The file.
    pub file: FileRef,
}

/// An attachment or a segment of the spool in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// Its hash, or its number.
    pub name: String,
    /// When it was last written to; how long it is kept counts from here.
    pub written: Timestamp,
    /// The file.
    pub file: FileRef,
}

impl From<Mark> for MarkForm {
    fn from(mark: Mark) -> Self {
        let Fingerprint { records, sum } = mark.fingerprint;
        Self { group: mark.sequence, records, sum: format!("{sum:032x}") }
    }
}

impl MarkForm {
    /// The mark; `None` when its sum is no number.
    pub fn mark(&self) -> Option<Mark> {
        let sum = u128::from_str_radix(&self.sum, 16).ok()?;
        Some(Mark { sequence: self.group, fingerprint: Fingerprint { records: self.records, sum } })
    }
}

impl Manifest {
    /// An empty one.
    pub fn new(id: String, created: Timestamp, host: String) -> Self {
        Self {
            version: VERSION,
            id,
            created,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            host,
            mark: Mark::default().into(),
            checkpoint: None,
            journal: Vec::new(),
            blobs: Vec::new(),
            spool: Vec::new(),
            bytes: 0,
            new_bytes: 0,
            left_out: Vec::new(),
            number: None,
            before: None,
        }
    }

    /// Every file that it is made of.
    pub fn files(&self) -> impl Iterator<Item = &FileRef> {
        let checkpoint = self.checkpoint.iter().map(|checkpoint| &checkpoint.file);
        let journal = self.journal.iter().map(|segment| &segment.file);
        checkpoint.chain(journal).chain(self.blobs.iter().chain(&self.spool).map(|kept| &kept.file))
    }

    /// The form on disk.
    ///
    /// # Errors
    /// [`serde_json::Error`], which no manifest gives.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(sealed(serde_json::to_vec(self)?))
    }

    /// From the form on disk, in the file at `path`, whose name must be its own.
    ///
    /// # Errors
    /// [`BackupError::Damaged`], [`BackupError::Newer`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, BackupError> {
        let damaged = |what: &str| BackupError::damaged(path, what);
        let body = unsealed(path, bytes)?;
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let version: Version = serde_json::from_slice(body).map_err(|e| damaged(&e.to_string()))?;
        if version.version != VERSION {
            return Err(BackupError::Newer { path: path.to_owned(), version: version.version });
        }
        let manifest: Self = serde_json::from_slice(body).map_err(|e| damaged(&e.to_string()))?;
        if path.file_stem().and_then(|name| name.to_str()) != Some(manifest.id.as_str()) {
            return Err(damaged("it has the name of another backup"));
        }
        Ok(manifest)
    }
}

/// Text with a last line that says the SHA-256 of all before it.
pub(super) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(b'\n');
    let hash = to_hex(&content_hash(&bytes));
    bytes.extend_from_slice(format!("sha256 {hash}\n").as_bytes());
    bytes
}

/// What stands before the last line of [`sealed`], the line break included.
pub(super) fn unsealed<'o>(path: &Path, bytes: &'o [u8]) -> Result<&'o [u8], BackupError> {
    const LAST: usize = "sha256 ".len() + 64 + 1;
    let split = bytes.len().checked_sub(LAST).ok_or_else(|| BackupError::damaged(path, "it is cut short"))?;
    let (body, last) = bytes.split_at(split);
    match last == format!("sha256 {}\n", to_hex(&content_hash(body))).as_bytes() {
        true => Ok(body),
        false => Err(BackupError::damaged(path, "it does not have the checksum that it names")),
    }
}

/// The SHA-256 that the last line of [`sealed`] says.
pub(super) fn seal_of(bytes: &[u8]) -> String {
    let line = bytes.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}
