//! Writes a checkpoint under a temporary name until it is complete and durable.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::store::fingerprint::Mark;
use crate::store::journal::disk::make_directories;

use super::{CheckpointError, CheckpointName, MAGIC, SUFFIX, UNFINISHED, VERSION, failed, sync_directory};

/// The size in bytes at which a block is written.
const BLOCK: usize = 64 * 1024;

/// A checkpoint being written, under a temporary name until it is complete and durable.
pub(crate) struct CheckpointWriter {
    file: BufWriter<File>,
    directory: PathBuf,
    temporary: PathBuf,
    since: Mark,
    block: Vec<u8>,
    all: Xxh3,
    records: u64,
}

impl CheckpointWriter {
    /// Begins a checkpoint in `directory`; overwrites the leftover of an interrupted one.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub(crate) fn begin(directory: &Path, since: Mark) -> Result<Self, CheckpointError> {
        make_directories(directory, 0o777).map_err(failed(directory, "created"))?;
        let temporary = directory.join(UNFINISHED);
        let file = File::create(&temporary).map_err(failed(&temporary, "created"))?;
        let mut header = Vec::with_capacity(52);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&since.to_bytes());
        header.extend_from_slice(&xxh3_64(&header).to_le_bytes());
        let mut file = BufWriter::with_capacity(256 * 1024, file);
        file.write_all(&header).map_err(failed(&temporary, "written"))?;
        let directory = directory.to_owned();
        Ok(Self { file, directory, temporary, since, block: Vec::new(), all: Xxh3::new(), records: 0 })
    }

    /// Adds a record; keys must be in ascending order.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), CheckpointError> {
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

    /// Completes the file, which is exact at `until`, and makes it durable, still under its temporary name.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub(crate) fn seal(mut self, until: Mark) -> Result<SealedCheckpoint, CheckpointError> {
        self.write_block()?;
        let mut end = vec![0; 8];
        end.extend_from_slice(&until.to_bytes());
        end.extend_from_slice(&self.records.to_le_bytes());
        self.all.update(&end);
        end.extend_from_slice(&self.all.digest().to_le_bytes());
        let written = self.file.write_all(&end).and_then(|()| self.file.flush());
        written.and_then(|()| self.file.get_ref().sync_all()).map_err(failed(&self.temporary, "written"))?;
        Ok(SealedCheckpoint { directory: self.directory, path: self.temporary, since: self.since })
    }
}

/// A complete and durable checkpoint that does not count until it is published.
pub(crate) struct SealedCheckpoint {
    directory: PathBuf,
    /// Its temporary path.
    pub path: PathBuf,
    since: Mark,
}

impl SealedCheckpoint {
    /// Renames it to its final name; from now on it counts.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub(crate) fn publish(self) -> Result<CheckpointName, CheckpointError> {
        let path = self.directory.join(format!("{:020}{SUFFIX}", self.since.sequence));
        fs::rename(&self.path, &path).map_err(failed(&path, "renamed"))?;
        sync_directory(&self.directory)?;
        Ok(CheckpointName { since: self.since.sequence, path })
    }

    /// Deletes it.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]
    pub(crate) fn discard(self) -> Result<(), CheckpointError> {
        fs::remove_file(&self.path).map_err(failed(&self.path, "removed"))
    }
}
