//! Contents as files, under `<state>/blobs/<2 hex>/<64 hex>`.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use tokio::fs::{self, File};
use tokio::io::{AsyncRead, AsyncWriteExt};

use crate::base::clock::Timestamp;
use crate::base::token::to_hex;
use crate::model::present::Cutoff;
use crate::store::journal::disk::{Disk, SystemDisk};

use super::{BlobError, BlobFuture, BlobStore, BlobWriter, parse_sha256, unreadable};

/// Bytes of disk space left free: more than the store leaves free, so that an attachment cannot stop outgoing mail.
const RESERVE: u64 = 128 * 1024 * 1024;

/// Bytes of a file written between two checks of the free disk space.
const LOOK_EVERY: u64 = 4 * 1024 * 1024;

/// A directory of contents.
pub(super) struct FileBlobs {
    directory: PathBuf,
}

impl FileBlobs {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    async fn begin_file(&self) -> Result<Box<dyn BlobWriter>, BlobError> {
        let incoming = self.directory.join("incoming");
        create_directory(&incoming).await?;
        has_room(&incoming)?;
        // Each writer uses its own name; leftovers of a crash are removed at the next start.
        let temporary = tempfile::Builder::new().prefix("blob-").tempfile_in(&incoming).map_err(written(&incoming))?;
        let (file, path) = temporary.into_parts();
        Ok(Box::new(Incoming { directory: self.directory.clone(), file: File::from_std(file), path, size: 0 }))
    }

    async fn old(&self, cutoff: Cutoff) -> Result<Vec<[u8; 32]>, BlobError> {
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
}

impl BlobStore for FileBlobs {
    fn begin(&self) -> BlobFuture<'_, Box<dyn BlobWriter>> {
        Box::pin(self.begin_file())
    }

    fn open<'a>(&'a self, sha256: &'a [u8; 32]) -> BlobFuture<'a, Option<Box<dyn AsyncRead + Send + Unpin>>> {
        let path = self.place(sha256);
        Box::pin(async move {
            match File::open(&path).await {
                Ok(file) => Ok(Some(Box::new(file) as Box<dyn AsyncRead + Send + Unpin>)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(unreadable(&path)(error)),
            }
        })
    }

    fn size<'a>(&'a self, sha256: &'a [u8; 32]) -> BlobFuture<'a, Option<u64>> {
        let path = self.place(sha256);
        Box::pin(async move {
            match fs::metadata(&path).await {
                Ok(found) => Ok(Some(found.len())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(unreadable(&path)(error)),
            }
        })
    }

    fn received_before(&self, cutoff: Cutoff) -> BlobFuture<'_, Vec<[u8; 32]>> {
        Box::pin(self.old(cutoff))
    }

    fn remove<'a>(&'a self, sha256: &'a [u8; 32], before: Option<Cutoff>) -> BlobFuture<'a, ()> {
        let path = self.place(sha256);
        Box::pin(async move {
            if let Some(cutoff) = before
                && !is_old(&path, cutoff).await?
            {
                return Ok(());
            }
            match fs::remove_file(&path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(written(&path)(error)),
                _ => Ok(()),
            }
        })
    }

    fn clear_incoming(&self) -> BlobFuture<'_, ()> {
        let incoming = self.directory.join("incoming");
        Box::pin(async move {
            match fs::remove_dir_all(&incoming).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(written(&incoming)(error)),
                _ => Ok(()),
            }
        })
    }

    fn place(&self, sha256: &[u8; 32]) -> PathBuf {
        place(&self.directory, sha256)
    }
}

fn place(directory: &Path, sha256: &[u8; 32]) -> PathBuf {
    let hex = to_hex(sha256);
    directory.join(&hex[..2]).join(hex)
}

/// A file being received; it is removed if this is dropped.
struct Incoming {
    directory: PathBuf,
    file: File,
    path: TempPath,
    size: u64,
}

impl Incoming {
    async fn append(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        self.size += piece.len() as u64;
        if self.size % LOOK_EVERY < piece.len() as u64 {
            has_room(&self.path)?;
        }
        self.file.write_all(piece).await.map_err(written(&self.path))
    }

    async fn keep(self, sha256: [u8; 32]) -> Result<(), BlobError> {
        let Self { directory, mut file, path, .. } = self;
        file.flush().await.map_err(written(&path))?;
        file.sync_all().await.map_err(written(&path))?;
        let place = place(&directory, &sha256);
        let folder = place.parent().unwrap_or(&directory);
        create_directory(folder).await?;
        path.persist(&place).map_err(|e| written(&place)(e.error))?;
        // The name too must survive a power cut: sync the folder and its parents.
        sync_directory(folder).await?;
        sync_directory(&directory).await?;
        if let Some(state_directory) = directory.parent() {
            sync_directory(state_directory).await?;
        }
        Ok(())
    }
}

impl BlobWriter for Incoming {
    fn write<'a>(&'a mut self, piece: &'a [u8]) -> BlobFuture<'a, ()> {
        Box::pin(self.append(piece))
    }

    fn finish(self: Box<Self>, sha256: [u8; 32]) -> BlobFuture<'static, ()> {
        Box::pin(self.keep(sha256))
    }
}

fn written(path: &Path) -> impl Fn(io::Error) -> BlobError + use<> {
    let path = path.to_owned();
    move |error| BlobError::Io { action: "written", path: path.clone(), error }
}

/// An error if only the reserved disk space is left.
fn has_room(path: &Path) -> Result<(), BlobError> {
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
