//! The directory that backups lie in.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::base::token::to_hex;

use super::super::journal::disk::make_directories;
use super::manifest::{FileRef, Manifest};
use super::{BackupError, Event, Watch};

const MARKER: &str = "repository";
const MARK: &[u8] = b"Backups of Depesch, version 1. Keep all of it together; see \"depesch backup --help\".\n";
const SUFFIX: &str = ".manifest";
/// Octets that are read and written at once.
const PIECE: usize = 256 * 1024;

/// A directory of backups, locked as long as this lives.
#[derive(Debug)]
pub struct Repository {
    directory: PathBuf,
    /// None where it cannot be written to, e.g. on a read-only disk: then nobody else writes there either.
    lock: Option<File>,
}

impl Drop for Repository {
    fn drop(&mut self) {
        // As with the store's lock: a child that is just being started holds the open file, and the lock with it.
        if let Some(lock) = &self.lock {
            let _ = lock.unlock();
        }
    }
}

/// A backup as it lies there.
#[derive(Debug)]
pub struct Listed {
    /// Its name, by its file's.
    pub id: String,
    /// Its file.
    pub path: PathBuf,
    /// What it says, or why it cannot be read.
    pub manifest: Result<Manifest, BackupError>,
}

impl Repository {
    /// Opens it to write; it is begun where there is nothing. Leftovers of a backup that was cut short are cleared.
    ///
    /// # Errors
    /// [`BackupError::NotARepository`], [`BackupError::Busy`], [`BackupError::Io`].
    pub fn open_to_write(directory: &Path, watch: Watch<'_>) -> Result<Self, BackupError> {
        make_directory(directory)?;
        let marker = directory.join(MARKER);
        if !marker.try_exists().map_err(BackupError::io(&marker, "read"))? {
            let mut others = fs::read_dir(directory).map_err(BackupError::io(directory, "read"))?;
            let is_ours = |name: &std::ffi::OsStr| name == "lock" || name == "repository.new";
            if others.any(|entry| entry.is_ok_and(|entry| !is_ours(&entry.file_name()))) {
                return Err(BackupError::NotARepository(directory.to_owned()));
            }
        }
        let lock = take_lock(directory, true)?;
        let repository = Self { directory: directory.to_owned(), lock };
        if !marker.try_exists().map_err(BackupError::io(&marker, "read"))? {
            repository.write_marker(&marker, watch)?;
        }
        repository.check_marker()?;
        for name in ["files", "backups"] {
            make_directory(&directory.join(name))?;
        }
        let incoming = directory.join("incoming");
        match fs::remove_dir_all(&incoming) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(BackupError::io(&incoming, "cleared")(e)),
            _ => make_directory(&incoming)?,
        }
        sync_directory(directory)?;
        Ok(repository)
    }

    /// Opens it to read.
    ///
    /// # Errors
    /// [`BackupError::NoRepository`], [`BackupError::Busy`], [`BackupError::Damaged`], [`BackupError::Io`].
    pub fn open_to_read(directory: &Path) -> Result<Self, BackupError> {
        let marker = directory.join(MARKER);
        match marker.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(BackupError::NoRepository(directory.to_owned())),
            Err(e) => return Err(BackupError::io(&marker, "read")(e)),
        }
        let repository = Self { directory: directory.to_owned(), lock: take_lock(directory, false)? };
        repository.check_marker()?;
        Ok(repository)
    }

    fn write_marker(&self, marker: &Path, watch: Watch<'_>) -> Result<(), BackupError> {
        let temporary = self.directory.join("repository.new");
        step(watch, &temporary, "begin")?;
        let failed = |action| BackupError::io(&temporary, action);
        let mut file = create_file(&temporary).map_err(failed("created"))?;
        file.write_all(MARK).and_then(|()| file.sync_all()).map_err(failed("written"))?;
        fs::rename(&temporary, marker).map_err(failed("renamed"))
    }

    fn check_marker(&self) -> Result<(), BackupError> {
        let marker = self.directory.join(MARKER);
        let found = fs::read(&marker).map_err(BackupError::io(&marker, "read"))?;
        match found == MARK {
            true => Ok(()),
            false => Err(BackupError::damaged(&marker, "it does not say that backups of this version lie here")),
        }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a content lies, or would.
    pub fn path(&self, file: &FileRef) -> PathBuf {
        let folder = file.sha256.get(..2).unwrap_or("xx");
        self.directory.join("files").join(folder).join(&file.sha256)
    }

    /// Whether it has a content, as far as its length tells.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn has(&self, file: &FileRef) -> Result<bool, BackupError> {
        let path = self.path(file);
        match fs::metadata(&path) {
            Ok(found) => Ok(found.len() == file.octets),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(BackupError::io(&path, "looked at")(e)),
        }
    }

    /// Keeps the first `octets` of what `source` gives; says how it is called and whether it had to be written. It is
    /// durable under its name once [`Repository::sync`] has returned.
    ///
    /// # Errors
    /// [`BackupError::Io`]; `from` is where it comes from, for the error.
    pub fn put(
        &self,
        source: &mut dyn Read,
        octets: u64,
        from: &Path,
        watch: Watch<'_>,
    ) -> Result<(FileRef, bool), BackupError> {
        let temporary = self.directory.join("incoming").join("file");
        step(watch, &temporary, "write")?;
        let mut target = create_file(&temporary).map_err(BackupError::io(&temporary, "created"))?;
        let mut source = source.take(octets);
        let (mut hash, mut length, mut piece) = (Sha256::new(), 0_u64, vec![0; PIECE]);
        loop {
            let count = source.read(&mut piece).map_err(BackupError::io(from, "read"))?;
            let Some(part) = piece.get(..count).filter(|part| !part.is_empty()) else { break };
            hash.update(part);
            length += count as u64;
            target.write_all(part).map_err(BackupError::io(&temporary, "written"))?;
            watch(Event::Octets(count as u64)).map_err(BackupError::io(&temporary, "written"))?;
        }
        let file = FileRef { sha256: to_hex(&hash.finalize()), octets: length };
        if self.has(&file)? {
            return Ok((file, false));
        }
        target.sync_all().map_err(BackupError::io(&temporary, "synced"))?;
        let place = self.path(&file);
        make_directory(place.parent().unwrap_or(&self.directory))?;
        step(watch, &place, "name")?;
        fs::rename(&temporary, &place).map_err(BackupError::io(&place, "named"))?;
        Ok((file, true))
    }

    /// Makes the names of all contents durable.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn sync(&self) -> Result<(), BackupError> {
        let files = self.directory.join("files");
        for folder in fs::read_dir(&files).map_err(BackupError::io(&files, "read"))? {
            sync_directory(&folder.map_err(BackupError::io(&files, "read"))?.path())?;
        }
        sync_directory(&files)
    }

    /// Writes a manifest: from now on the backup counts. All its files must be durable.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn publish(&self, manifest: &Manifest, watch: Watch<'_>) -> Result<(), BackupError> {
        let temporary = self.directory.join("incoming").join("manifest");
        let failed = |action| BackupError::io(&temporary, action);
        step(watch, &temporary, "manifest")?;
        let octets = manifest.to_octets().map_err(|e| failed("written")(io::Error::other(e)))?;
        let mut file = create_file(&temporary).map_err(failed("created"))?;
        file.write_all(&octets).and_then(|()| file.sync_all()).map_err(failed("written"))?;
        let backups = self.directory.join("backups");
        let place = backups.join(format!("{}{SUFFIX}", manifest.id));
        step(watch, &place, "publish")?;
        fs::rename(&temporary, &place).map_err(BackupError::io(&place, "named"))?;
        sync_directory(&backups)
    }

    /// All backups, oldest first.
    ///
    /// # Errors
    /// [`BackupError::Io`]; one that cannot be read is listed with the reason.
    pub fn list(&self) -> Result<Vec<Listed>, BackupError> {
        let backups = self.directory.join("backups");
        let entries = match fs::read_dir(&backups) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(BackupError::io(&backups, "read")(e)),
        };
        let mut listed = Vec::new();
        for entry in entries {
            let path = entry.map_err(BackupError::io(&backups, "read"))?.path();
            let id = path.file_name().and_then(|name| name.to_str()?.strip_suffix(SUFFIX)).map(str::to_owned);
            if let Some(id) = id {
                let octets = fs::read(&path).map_err(BackupError::io(&path, "read"));
                let manifest = octets.and_then(|octets| Manifest::from_octets(&path, &octets));
                listed.push(Listed { id, path, manifest });
            }
        }
        listed.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(listed)
    }

    /// The backups that can be read, oldest first.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn manifests(&self) -> Result<Vec<Manifest>, BackupError> {
        Ok(self.list()?.into_iter().filter_map(|listed| listed.manifest.ok()).collect())
    }

    /// The backup of that name, or the only one whose name begins so; the newest without a name.
    ///
    /// # Errors
    /// [`BackupError::Unknown`], [`BackupError::Empty`], and why it cannot be read.
    pub fn manifest(&self, id: Option<&str>) -> Result<Manifest, BackupError> {
        let mut listed = self.list()?;
        if let Some(id) = id {
            let is_exact = listed.iter().any(|one| one.id == id);
            listed.retain(|one| if is_exact { one.id == id } else { one.id.starts_with(id) });
            if listed.len() != 1 {
                return Err(BackupError::Unknown(id.to_owned()));
            }
        }
        listed.pop().ok_or_else(|| BackupError::Empty(self.directory.clone()))?.manifest
    }

    /// Every file below `files`, with its path; names that are no hash too.
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

/// Tells that a change on the disk comes; an error stops there.
pub(super) fn step(watch: Watch<'_>, path: &Path, what: &'static str) -> Result<(), BackupError> {
    watch(Event::Step(what)).map_err(BackupError::io(path, "written"))
}

/// Makes a directory that only its owner reads.
pub(super) fn make_directory(path: &Path) -> Result<(), BackupError> {
    make_directories(path, 0o700).map_err(BackupError::io(path, "made"))
}

/// Begins a file that only its owner reads.
pub(super) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(BackupError::io(path, "synced"))
}

fn take_lock(directory: &Path, alone: bool) -> Result<Option<File>, BackupError> {
    let path = directory.join("lock");
    let file = match OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path) {
        Ok(file) => file,
        // To read it one need not be able to write there.
        Err(e) if !alone && matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
            return Ok(None);
        }
        Err(e) => return Err(BackupError::io(&path, "opened")(e)),
    };
    let taken = if alone { file.try_lock() } else { file.try_lock_shared() };
    match taken {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(BackupError::Busy(directory.to_owned())),
        Err(TryLockError::Error(e)) => Err(BackupError::io(&path, "locked")(e)),
    }
}
