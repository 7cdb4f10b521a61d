//! A manifest: one backup, by the files that it consists of. JSON, so that it is readable in an emergency, and a last
//! line with the SHA-256 of everything before it.
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
    /// The version of the format.
    pub version: u32,
    /// Its name.
    pub id: String,
    /// When it was begun.
    pub created: Timestamp,
    /// The program's version.
    pub program: String,
    /// The machine's name.
    pub host: String,
    /// The store's mark: the backup contains everything up to it, and nothing later.
    pub mark: MarkForm,
    /// The checkpoint that the journal is applied to; `None` if the journal begins with the first group.
    pub checkpoint: Option<CheckpointFile>,
    /// Journal segments up to the mark, in order, without a gap.
    pub journal: Vec<SegmentFile>,
    /// Attachments, by their hash.
    pub blobs: Vec<KeptFile>,
    /// Segments of received mail, by their number.
    pub spool: Vec<KeptFile>,
    /// Total bytes of its files.
    #[serde(rename = "octets")]
    pub bytes: u64,
    /// Bytes newly written for it.
    #[serde(rename = "new_octets")]
    pub new_bytes: u64,
    /// Files of the store that were damaged, and so are not in the backup.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// The backup's number in this repository, starting at 1; absent in backups of older versions.
    #[serde(default)]
    pub number: Option<u64>,
    /// The previous backup, so that a missing one is noticed; absent in the first, and in those of older versions.
    #[serde(default)]
    pub before: Option<Before>,
}

/// The previous backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its name.
    pub id: String,
    /// The SHA-256 of its manifest, from that manifest's last line.
    pub sha256: String,
}

/// A content in the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileRef {
    /// Its name: the SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Its length in bytes.
    #[serde(rename = "octets")]
    pub bytes: u64,
}

/// A mark as written in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkForm {
    /// The number of the last group of commits.
    pub group: u64,
    /// Number of records after that group.
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
    /// When its first group became durable, if recorded.
    pub begun: Option<Timestamp>,
    /// When its last group became durable, if recorded.
    pub ended: Option<Timestamp>,
    /// The latest time of a group in it: not the last one if a clock was set back.
    pub latest: Option<Timestamp>,
    /// The seed of its checksums, hexadecimal, unique to each segment.
    pub salt: String,
    /// The file.
    pub file: FileRef,
}

/// An attachment or a segment of the spool in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// Its hash, or its number.
    pub name: String,
    /// When it was last written; its retention period starts here.
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
    /// The mark; `None` if its sum is not a number.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let sum = u128::from_str_radix(&self.sum, 16).ok()?;
        Some(Mark { sequence: self.group, fingerprint: Fingerprint { records: self.records, sum } })
    }
}

impl Manifest {
    /// An empty manifest.
    pub(crate) fn new(id: String, created: Timestamp, host: String) -> Self {
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

    /// Every file that the backup consists of.
    pub fn files(&self) -> impl Iterator<Item = &FileRef> {
        let checkpoint = self.checkpoint.iter().map(|checkpoint| &checkpoint.file);
        let journal = self.journal.iter().map(|segment| &segment.file);
        checkpoint.chain(journal).chain(self.blobs.iter().chain(&self.spool).map(|kept| &kept.file))
    }

    /// Encodes it for the disk.
    ///
    /// # Errors
    /// [`serde_json::Error`], which does not occur for manifests.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(sealed(serde_json::to_vec(self)?))
    }

    /// Decodes the file at `path`, whose name must match the id.
    ///
    /// # Errors
    /// [`BackupError::Damaged`], [`BackupError::Newer`].
    pub(crate) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, BackupError> {
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

/// Appends a last line with the SHA-256 of the text.
pub(super) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(b'\n');
    let hash = to_hex(&content_hash(&bytes));
    bytes.extend_from_slice(format!("sha256 {hash}\n").as_bytes());
    bytes
}

/// The text before the last line of [`sealed`], including the line break.
pub(super) fn unsealed<'o>(path: &Path, bytes: &'o [u8]) -> Result<&'o [u8], BackupError> {
    const LAST: usize = "sha256 ".len() + 64 + 1;
    let split = bytes.len().checked_sub(LAST).ok_or_else(|| BackupError::damaged(path, "it is cut short"))?;
    let (body, last) = bytes.split_at(split);
    match last == format!("sha256 {}\n", to_hex(&content_hash(body))).as_bytes() {
        true => Ok(body),
        false => Err(BackupError::damaged(path, "its checksum is wrong")),
    }
}

/// The SHA-256 in the last line of [`sealed`].
pub(super) fn seal_of(bytes: &[u8]) -> String {
    let line = bytes.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}
