//! The directory that holds backups.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::base::token::to_hex;

use super::fault::Fault;
use super::files::{create_file, make_directory, step, sync_directory};
use super::health_file::{self, Health};
use super::listed::{Listed, list, manifest_path};
use super::manifest::{FileRef, Manifest, seal_of};
use super::{BackupError, Event, Watch};

mod opening;

/// Bytes read and written at once.
const PIECE: usize = 256 * 1024;

/// A directory of backups, locked as long as this value lives.
#[derive(Debug)]
pub struct Repository {
    directory: PathBuf,
    /// `None` if it cannot be written to, e.g. on a read-only disk: then no other process writes there either.
    lock: Option<File>,
    /// The content of its `health` file.
    health: Mutex<Health>,
    /// Faults of the marker and of `health`.
    faults: Vec<Fault>,
}

impl Drop for Repository {
    fn drop(&mut self) {
        // As with the store's lock: a child that is just being started holds the open file, and so the lock.
        if let Some(lock) = &self.lock {
            let _ = lock.unlock();
        }
    }
}

impl Repository {
    /// Faults of the repository itself: its marker, its `health` file, damaged or missing manifests. `listed` is the
    /// result of [`Repository::list`].
    pub(crate) fn faults(&self, listed: &[Listed]) -> Vec<Fault> {
        let mut faults = self.faults.clone();
        for one in listed {
            if let Err(error) = &one.manifest {
                let what = match error {
                    BackupError::Damaged { what, .. } => what.clone(),
                    other => other.to_string(),
                };
                faults.push(Fault { path: one.path.clone(), what, backups: vec![one.id.clone()] });
            }
        }
        faults.extend(self.with_health(|health| health.missing(&self.directory, listed)));
        faults
    }

    /// Why its `health` file cannot be trusted, so that missing backups go unnoticed; `None` if it can.
    pub(crate) fn notes_fault(&self) -> Option<Fault> {
        self.faults.iter().find(|fault| fault.path.file_name().is_some_and(|name| name == health_file::NAME)).cloned()
    }

    /// Reads or changes the content of the `health` file; a change is durable once [`Repository::save_health`] has
    /// returned.
    pub(super) fn with_health<T>(&self, work: impl FnOnce(&mut Health) -> T) -> T {
        work(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the `health` file durable.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub(super) fn save_health(&self, watch: Watch<'_>) -> Result<(), BackupError> {
        let health = self.with_health(|health| health.clone());
        health.write(&self.directory, watch)
    }

    /// Its path.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of a content.
    pub fn path(&self, file: &FileRef) -> PathBuf {
        let folder = file.sha256.get(..2).unwrap_or("xx");
        self.directory.join("files").join(folder).join(&file.sha256)
    }

    /// Whether it has a content, judged by its length and the result of the last read.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub(crate) fn has(&self, file: &FileRef) -> Result<bool, BackupError> {
        let path = self.path(file);
        match fs::metadata(&path) {
            Ok(found) => Ok(found.len() == file.bytes && !self.with_health(|health| health.is_damaged(&file.sha256))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(BackupError::io(&path, "looked at")(e)),
        }
    }

    /// Stores the first `bytes` of `source`; returns the content's name and whether it had to be written. It is durable
    /// under its name once [`Repository::sync`] has returned.
    ///
    /// # Errors
    /// [`BackupError::Io`]; `from` names the source in the error.
    pub(crate) fn put(
        &self,
        source: &mut dyn Read,
        bytes: u64,
        from: &Path,
        watch: Watch<'_>,
    ) -> Result<(FileRef, bool), BackupError> {
        let file = self.take_in(source, bytes, from, watch)?;
        let is_new = !self.has(&file)?;
        if is_new {
            self.name(&file, watch)?;
        }
        Ok((file, is_new))
    }

    /// As [`Repository::put`], for a content that is damaged here: it is rewritten if `source` still has it.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub(super) fn put_again(
        &self,
        source: &mut dyn Read,
        wanted: &FileRef,
        from: &Path,
        watch: Watch<'_>,
    ) -> Result<bool, BackupError> {
        let found = self.take_in(source, wanted.bytes, from, watch)?;
        if found == *wanted {
            self.name(wanted, watch)?;
        }
        Ok(found == *wanted)
    }

    /// Writes `source` to `incoming`, durably, and returns the content's name.
    fn take_in(
        &self,
        source: &mut dyn Read,
        bytes: u64,
        from: &Path,
        watch: Watch<'_>,
    ) -> Result<FileRef, BackupError> {
        let temporary = self.directory.join("incoming").join("file");
        step(watch, &temporary, "write")?;
        let mut target = create_file(&temporary).map_err(BackupError::io(&temporary, "created"))?;
        let mut source = source.take(bytes);
        let (mut hash, mut length, mut piece) = (Sha256::new(), 0_u64, vec![0; PIECE]);
        loop {
            let count = source.read(&mut piece).map_err(BackupError::io(from, "read"))?;
            let Some(part) = piece.get(..count).filter(|part| !part.is_empty()) else { break };
            hash.update(part);
            length += count as u64;
            target.write_all(part).map_err(BackupError::io(&temporary, "written"))?;
            watch(Event::Bytes(count as u64)).map_err(BackupError::io(&temporary, "written"))?;
        }
        let file = FileRef { sha256: to_hex(&hash.finalize()), bytes: length };
        if !self.has(&file)? {
            target.sync_all().map_err(BackupError::io(&temporary, "synced"))?;
        }
        Ok(file)
    }

    /// Moves a file from `incoming` to its name, replacing an existing one.
    fn name(&self, file: &FileRef, watch: Watch<'_>) -> Result<(), BackupError> {
        let place = self.path(file);
        make_directory(place.parent().unwrap_or(&self.directory))?;
        step(watch, &place, "name")?;
        fs::rename(self.directory.join("incoming").join("file"), &place).map_err(BackupError::io(&place, "named"))?;
        self.with_health(|health| health.written(&file.sha256));
        Ok(())
    }

    /// Makes the names of all contents durable.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub(crate) fn sync(&self) -> Result<(), BackupError> {
        let files = self.directory.join("files");
        for folder in fs::read_dir(&files).map_err(BackupError::io(&files, "read"))? {
            sync_directory(&folder.map_err(BackupError::io(&files, "read"))?.path())?;
        }
        sync_directory(&files)
    }

    /// Writes a manifest: from now on the backup exists. All its files must be durable.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub(crate) fn publish(&self, manifest: &Manifest, watch: Watch<'_>) -> Result<(), BackupError> {
        let temporary = self.directory.join("incoming").join("manifest");
        let failed = |action| BackupError::io(&temporary, action);
        step(watch, &temporary, "manifest")?;
        let bytes = manifest.to_bytes().map_err(|e| failed("written")(io::Error::other(e)))?;
        let mut file = create_file(&temporary).map_err(failed("created"))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed("written"))?;
        let backups = self.directory.join("backups");
        let place = manifest_path(&self.directory, &manifest.id);
        step(watch, &place, "publish")?;
        fs::rename(&temporary, &place).map_err(BackupError::io(&place, "named"))?;
        sync_directory(&backups)?;
        self.with_health(|health| health.made(manifest, seal_of(&bytes)));
        self.save_health(watch)
    }

    /// All backups, oldest first.
    ///
    /// # Errors
    /// [`BackupError::Io`]; an unreadable backup is listed with the reason.
    pub fn list(&self) -> Result<Vec<Listed>, BackupError> {
        list(&self.directory)
    }

    /// The readable backups, oldest first.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn manifests(&self) -> Result<Vec<Manifest>, BackupError> {
        Ok(self.list()?.into_iter().filter_map(|listed| listed.manifest.ok()).collect())
    }

    /// The backup with that name, or the only one whose name begins with it; `None`: the newest.
    ///
    /// # Errors
    /// [`BackupError::Unknown`], [`BackupError::Empty`], and the reason if it cannot be read.
    pub fn manifest(&self, id: Option<&str>) -> Result<Manifest, BackupError> {
        let mut listed = self.list()?;
        if let Some(id) = id {
            let is_exact = listed.iter().any(|one| one.id == id);
            listed.retain(|one| if is_exact { one.id == id } else { one.id.starts_with(id) });
            if listed.len() != 1 {
                return Err(BackupError::Unknown(id.to_owned()));
            }
        }
        let is_newest = id.is_none();
        let Some(Listed { id, manifest, .. }) = listed.pop() else {
            return Err(BackupError::Empty(self.directory.clone()));
        };
        manifest.map_err(|error| match error {
            BackupError::Damaged { path, what } if is_newest => {
                let next = listed.into_iter().rev().find(|one| one.manifest.is_ok()).map(|one| one.id);
                BackupError::NewestDamaged { id, path, what, next }
            }
            other => other,
        })
    }

    /// The path of every file below `files`, including those whose name is not a hash.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn contents(&self) -> Result<Vec<PathBuf>, BackupError> {
        let files = self.directory.join("files");
        let mut found = Vec::new();
        for folder in fs::read_dir(&files).map_err(BackupError::io(&files, "read"))? {
            let folder = folder.map_err(BackupError::io(&files, "read"))?.path();
            for entry in fs::read_dir(&folder).map_err(BackupError::io(&folder, "read"))? {
                found.push(entry.map_err(BackupError::io(&folder, "read"))?.path());
            }
        }
        found.sort();
        Ok(found)
    }
}
