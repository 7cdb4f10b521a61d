//! Attachments and kept evidence: contents named by their SHA-256, behind [`BlobStore`]. The embedded one keeps files
//! ([`files`]).
//!
//! A content is complete and durable before [`Blobs::put`] returns, hence before any commit that names it. It never
//! changes afterwards, and each read checks the hash: a damaged content is an error, not a damaged mail.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::base::token::to_hex;
use crate::model::present::Cutoff;
use crate::model::release::Blob;

mod files;

use files::FileBlobs;

/// The largest file accepted, in bytes.
pub(crate) const MAX_BLOB: u64 = 100_000_000;

/// Bytes read and written at once.
const PIECE: usize = 64 * 1024;

/// What the methods of a [`BlobStore`] return.
pub type BlobFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BlobError>> + Send + 'a>>;

/// Where contents are kept. [`Blobs`] adds what is the same for all: names, hashes, the limit of size.
///
/// # Errors
/// Every method: [`BlobError::Io`] if the storage fails. `None` means that the content is certainly absent.
pub trait BlobStore: Send + Sync + 'static {
    /// Begins to write a content, whose hash is known only at its end.
    fn begin(&self) -> BlobFuture<'_, Box<dyn BlobWriter>>;

    /// The content with that hash, unverified; `None` if it is not stored.
    fn open<'a>(&'a self, sha256: &'a [u8; 32]) -> BlobFuture<'a, Option<Box<dyn AsyncRead + Send + Unpin>>>;

    /// The size of the content with that hash, in bytes; `None` if it is not stored.
    fn size<'a>(&'a self, sha256: &'a [u8; 32]) -> BlobFuture<'a, Option<u64>>;

    /// The contents last received before the cutoff.
    fn received_before(&self, cutoff: Cutoff) -> BlobFuture<'_, Vec<[u8; 32]>>;

    /// Removes a content; with a cutoff, unless it was received again since. An absent content is not an error.
    fn remove<'a>(&'a self, sha256: &'a [u8; 32], before: Option<Cutoff>) -> BlobFuture<'a, ()>;

    /// Removes partly received contents left by a crash.
    fn clear_incoming(&self) -> BlobFuture<'_, ()>;

    /// Where the content is or would be, for error messages.
    fn place(&self, sha256: &[u8; 32]) -> PathBuf;
}

/// A content being written; if dropped before [`BlobWriter::finish`], nothing of it is kept.
///
/// # Errors
/// Each method: [`BlobError::Io`].
pub trait BlobWriter: Send {
    /// Appends bytes.
    fn write<'a>(&'a mut self, piece: &'a [u8]) -> BlobFuture<'a, ()>;

    /// Stores what was written under its hash; durable on return. After an error nothing is stored under that hash by
    /// this writer, or it is stored whole.
    fn finish(self: Box<Self>, sha256: [u8; 32]) -> BlobFuture<'static, ()>;
}

/// The attachments of an installation. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    contents: Arc<dyn BlobStore>,
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

fn unreadable(path: &Path) -> impl Fn(io::Error) -> BlobError + use<> {
    let path = path.to_owned();
    move |error| BlobError::Io { action: "read", path: path.clone(), error }
}

impl Blobs {
    /// The attachments in `contents`.
    pub fn new(contents: Arc<dyn BlobStore>) -> Self {
        Self { contents }
    }

    /// The attachments of a state directory. Does not access the disk.
    pub fn in_state_directory(state_directory: &Path) -> Self {
        Self::new(Arc::new(FileBlobs::new(state_directory.join("blobs"))))
    }

    /// Begins to receive a file.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub async fn receive(&self) -> Result<IncomingBlob, BlobError> {
        Ok(IncomingBlob { writer: self.contents.begin().await?, hash: Sha256::new(), size: 0 })
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
        self.contents.size(sha256).await
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
        let place = self.contents.place(sha256);
        let Some(mut content) = self.contents.open(sha256).await? else {
            return Err(BlobError::Missing(to_hex(sha256)));
        };
        let (mut hash, mut size, mut piece) = (Sha256::new(), 0u64, vec![0; PIECE]);
        loop {
            let count = content.read(&mut piece).await.map_err(unreadable(&place))?;
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
            false => Err(BlobError::Damaged { path: place, found: to_hex(&found) }),
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
        self.contents.received_before(cutoff).await
    }

    /// Removes an attachment, unless it was received again since the cutoff. A missing file is not an error.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub(crate) async fn remove_if_before(&self, sha256: &[u8; 32], cutoff: Cutoff) -> Result<(), BlobError> {
        self.contents.remove(sha256, Some(cutoff)).await
    }

    /// Removes a file of any age. A missing file is not an error.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub(crate) async fn remove(&self, sha256: &[u8; 32]) -> Result<(), BlobError> {
        self.contents.remove(sha256, None).await
    }

    /// Removes partly received files left by a crash. Call it at start, before anything is received.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub(crate) async fn clear_incoming(&self) -> Result<(), BlobError> {
        self.contents.clear_incoming().await
    }
}

/// A file being received; if dropped before [`IncomingBlob::finish`], it is removed.
pub struct IncomingBlob {
    writer: Box<dyn BlobWriter>,
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
        self.hash.update(piece);
        self.writer.write(piece).await
    }

    /// Completes the file; durable on return. With `expected`, content with another hash is refused.
    ///
    /// # Errors
    /// [`BlobError`]: nothing was stored.
    pub async fn finish(self, expected: Option<[u8; 32]>) -> Result<Blob, BlobError> {
        let Self { writer, hash, size } = self;
        let blob = Blob { sha256: hash.finalize().into(), size };
        if let Some(expected) = expected
            && expected != blob.sha256
        {
            return Err(BlobError::Different { expected: to_hex(&expected), found: to_hex(&blob.sha256) });
        }
        writer.finish(blob.sha256).await?;
        Ok(blob)
    }
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
