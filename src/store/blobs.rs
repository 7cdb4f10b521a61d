//! Attachments: files named by the SHA-256 of their content, under `<state>/blobs/<2 hex>/<64 hex>`.
//!
//! A file is complete, synced and in place before [`Blobs::put`] returns, hence before any commit that names it. It
//! never changes afterwards, and each read checks the hash: a damaged file is an error, not a damaged mail.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::fs::{self, File};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::base::clock::Timestamp;
use crate::base::token::to_hex;
use crate::model::present::Cutoff;
use crate::model::release::Blob;

use super::journal::disk::{Disk, SystemDisk};

/// The largest file accepted, in bytes.
pub(crate) const MAX_BLOB: u64 = 100_000_000;

/// Bytes read and written at once.
const PIECE: usize = 64 * 1024;

/// Bytes of disk space left free: more than the store leaves free, so that an attachment cannot stop outgoing mail.
const RESERVE: u64 = 128 * 1024 * 1024;

/// Bytes of a file written between two checks of the free disk space.
const CHECK_EVERY: u64 = 4 * 1024 * 1024;

/// The directory of attachments. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    directory: PathBuf,
}

/// Why a file could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No file has that hash.
    #[error("there is no file with the content {0}; send it first")]
    Missing(String),
    /// The content received does not have the announced hash.
    #[error("the content of the file is {found}, not {expected} as announced; send it again")]
    Different {
        /// The hash announced.
        expected: String,
        /// The hash of the content received.
        found: String,
    },
    /// The file on disk has changed.
    #[error("{path} is damaged: its content is {found}; put it back from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The hash of its current content.
        found: String,
    },
    /// The file is too large.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The sender's stream failed.
    #[error("the file could not be received: {0}")]
    Source(io::Error),
    /// The disk failed.
    #[error("{path} could not be {action}: {error}")]
    Io {
        /// `read` or `written`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's message.
        error: io::Error,
    },
}

fn written(path: &Path) -> impl Fn(io::Error) -> BlobError + use<> {
    let path = path.to_owned();
    move |error| BlobError::Io { action: "written", path: path.clone(), error }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> BlobError + use<> {
    let path = path.to_owned();
    move |error| BlobError::Io { action: "read", path: path.clone(), error }
}

impl Blobs {
    /// The attachments of a state directory. Does not access the disk.
    pub fn in_state_directory(state_directory: &Path) -> Self {
        Self { directory: state_directory.join("blobs") }
    }

    fn path(&self, sha256: &[u8; 32]) -> PathBuf {
        let hex = to_hex(sha256);
        self.directory.join(&hex[..2]).join(hex)
    }

    /// Begins to receive a file.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub async fn receive(&self) -> Result<IncomingBlob, BlobError> {
        let incoming = self.directory.join("incoming");
        create_directory(&incoming).await?;
        check_disk_space(&incoming)?;
        // Each writer uses its own name; leftovers of a crash are removed at the next start.
        let temporary = tempfile::Builder::new().prefix("blob-").tempfile_in(&incoming).map_err(written(&incoming))?;
        let (file, path) = temporary.into_parts();
        Ok(IncomingBlob { blobs: self.clone(), file: File::from_std(file), path, hash: Sha256::new(), size: 0 })
    }

    /// Stores what `source` yields; durable on return. With `expected`, content with another hash is refused.
    ///
    /// # Errors
    /// [`BlobError`]: nothing was stored.
    pub async fn put(&self, expected: Option<[u8; 32]>, mut source: impl AsyncRead + Unpin) -> Result<Blob, BlobError> {
        let mut incoming = self.receive().await?;
        let mut piece = vec![0; PIECE];
        loop {
            match source.read(&mut piece).await.map_err(BlobError::Source)? {
                0 => return incoming.finish(expected).await,
                count => incoming.write(&piece[..count]).await?,
            }
        }
    }

    /// The size of the content with that hash, in bytes; `None` if it is not stored.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub async fn size(&self, sha256: &[u8; 32]) -> Result<Option<u64>, BlobError> {
        let path = self.path(sha256);
        match fs::metadata(&path).await {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&path)(error)),
        }
    }

    /// Writes the content with that hash to `target`, checking the hash on the way.
    ///
    /// # Errors
    /// [`BlobError::Missing`]; [`BlobError::Damaged`] if the content written is not what was stored: discard it.
    pub(crate) async fn copy_out(
        &self,
        sha256: &[u8; 32],
        mut target: impl AsyncWrite + Unpin,
    ) -> Result<u64, BlobError> {
        let path = self.path(sha256);
        let mut file = match File::open(&path).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BlobError::Missing(to_hex(sha256))),
            Err(error) => return Err(unreadable(&path)(error)),
        };
        let (mut hash, mut size, mut piece) = (Sha256::new(), 0u64, vec![0; PIECE]);
        loop {
            let count = file.read(&mut piece).await.map_err(unreadable(&path))?;
            if count == 0 {
                break;
            }
            hash.update(&piece[..count]);
            size += count as u64;
            target.write_all(&piece[..count]).await.map_err(BlobError::Source)?;
        }
        let found: [u8; 32] = hash.finalize().into();
        match found == *sha256 {
            true => Ok(size),
            false => Err(BlobError::Damaged { path, found: to_hex(&found) }),
        }
    }

    /// The complete content with that hash: for attachments sent inside the mail, which are small.
    ///
    /// # Errors
    /// As [`Blobs::copy_out`].
    pub async fn read(&self, sha256: &[u8; 32]) -> Result<Vec<u8>, BlobError> {
        let mut bytes = Vec::new();
        self.copy_out(sha256, &mut bytes).await?;
        Ok(bytes)
    }

    /// The attachments last received before the cutoff.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub(crate) async fn received_before(&self, cutoff: Cutoff) -> Result<Vec<[u8; 32]>, BlobError> {
        let mut old = Vec::new();
        for folder in entries(&self.directory).await? {
            if folder.file_name().is_none_or(|name| name.len() != 2) {
                continue;
            }
            for path in entries(&folder).await? {
                let sha256 = path.file_name().and_then(|name| parse_sha256(name.to_str()?));
                if let Some(sha256) = sha256
                    && is_old(&path, cutoff).await?
                {
                    old.push(sha256);
                }
            }
        }
        Ok(old)
    }

    /// Removes an attachment, unless it was received again since the cutoff. A missing file is not an error.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub(crate) async fn remove_if_before(&self, sha256: &[u8; 32], cutoff: Cutoff) -> Result<(), BlobError> {
        let path = self.path(sha256);
        if !is_old(&path, cutoff).await? {
            return Ok(());
        }
        match fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(written(&path)(error)),
            _ => Ok(()),
        }
    }

    /// Removes a file of any age. A missing file is not an error.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub(crate) async fn remove(&self, sha256: &[u8; 32]) -> Result<(), BlobError> {
        let path = self.path(sha256);
        match fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(written(&path)(error)),
            _ => Ok(()),
        }
    }

    /// Removes partly received files left by a crash. Call it at start, before anything is received.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub(crate) async fn clear_incoming(&self) -> Result<(), BlobError> {
        let incoming = self.directory.join("incoming");
        match fs::remove_dir_all(&incoming).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(written(&incoming)(error)),
            _ => Ok(()),
        }
    }
}

/// A file being received; if dropped before [`IncomingBlob::finish`], it is removed.
pub struct IncomingBlob {
    blobs: Blobs,
    file: File,
    path: TempPath,
    hash: Sha256,
    size: u64,
}

impl IncomingBlob {
    /// Appends bytes.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`], [`BlobError::Io`].
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        self.size += piece.len() as u64;
        if self.size > MAX_BLOB {
            return Err(BlobError::TooLarge(MAX_BLOB));
        }
        if self.size % CHECK_EVERY < piece.len() as u64 {
            check_disk_space(&self.path)?;
        }
        self.hash.update(piece);
        self.file.write_all(piece).await.map_err(written(&self.path))
    }

    /// Completes the file; durable on return. With `expected`, content with another hash is refused.
    ///
    /// # Errors
    /// [`BlobError`]: nothing was stored.
    pub async fn finish(self, expected: Option<[u8; 32]>) -> Result<Blob, BlobError> {
        let Self { blobs, mut file, path, hash, size } = self;
        let blob = Blob { sha256: hash.finalize().into(), size };
        if let Some(expected) = expected
            && expected != blob.sha256
        {
            return Err(BlobError::Different { expected: to_hex(&expected), found: to_hex(&blob.sha256) });
        }
        file.flush().await.map_err(written(&path))?;
        file.sync_all().await.map_err(written(&path))?;
        let place = blobs.path(&blob.sha256);
        let folder = place.parent().unwrap_or(&blobs.directory);
        create_directory(folder).await?;
        path.persist(&place).map_err(|e| written(&place)(e.error))?;
        // The name too must survive a power cut: sync the folder and its parents.
        sync_directory(folder).await?;
        sync_directory(&blobs.directory).await?;
        if let Some(state_directory) = blobs.directory.parent() {
            sync_directory(state_directory).await?;
        }
        Ok(blob)
    }
}

/// An error if only the reserved disk space is left.
fn check_disk_space(path: &Path) -> Result<(), BlobError> {
    // Only a guard: if the free space cannot be determined, the write itself will fail.
    match SystemDisk.free(path) {
        Ok(free) if free < RESERVE => Err(written(path)(io::ErrorKind::StorageFull.into())),
        _ => Ok(()),
    }
}

/// The entries of a directory; empty if it does not exist.
async fn entries(directory: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let mut listing = match fs::read_dir(directory).await {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(directory)(error)),
    };
    let mut paths = Vec::new();
    while let Some(entry) = listing.next_entry().await.map_err(unreadable(directory))? {
        paths.push(entry.path());
    }
    Ok(paths)
}

/// Whether a file was last written before the cutoff; `false` if it does not exist.
async fn is_old(path: &Path, cutoff: Cutoff) -> Result<bool, BlobError> {
    match fs::metadata(path).await.and_then(|found| found.modified()) {
        Ok(modified) => Ok(cutoff.has(Timestamp::from(modified))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unreadable(path)(error)),
    }
}

async fn create_directory(path: &Path) -> Result<(), BlobError> {
    fs::create_dir_all(path).await.map_err(written(path))
}

async fn sync_directory(path: &Path) -> Result<(), BlobError> {
    let directory = File::open(path).await.map_err(written(path))?;
    directory.sync_all().await.map_err(written(path))
}

/// Parses a hash as written in API paths: 64 hexadecimal digits.
pub fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
