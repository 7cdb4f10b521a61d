//! Opens a repository: its lock, its marker, and its `health` file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use crate::base::clock::Timestamp;

use super::super::fault::Fault;
use super::super::files::{create_file, make_directory, step, sync_directory};
use super::super::health_file::{self, Health};
use super::super::listed::{has_manifests, list};
use super::super::{BackupError, Watch};
use super::Repository;

const MARKER: &str = "repository";
const MARK: &[u8] = b"Backups of Depesch, version 1. Keep all of it together; see \"depesch backup --help\".\n";
/// Names of a repository's entries, and of those in the root of a separate disk.
const OWN: [&str; 9] =
    [MARKER, "repository.new", "lock", "files", "backups", "incoming", health_file::NAME, "health.new", "lost+found"];

impl Repository {
    /// Opens it for writing; creates it in a missing or empty directory. Removes leftovers of an interrupted backup.
    ///
    /// # Errors
    /// [`BackupError::NotARepository`], [`BackupError::Busy`], [`BackupError::Io`].
    pub fn open_to_write(directory: &Path, watch: Watch<'_>) -> Result<Self, BackupError> {
        make_directory(directory)?;
        let marker = directory.join(MARKER);
        if !is_marked(&marker)? && !is_ours(directory)? {
            return Err(BackupError::NotARepository(directory.to_owned()));
        }
        let lock = take_lock(directory, true)?;
        let mut repository = Self::locked(directory, lock);
        // A damaged marker is rewritten: the manifests are what counts, each with its own checksum and version.
        if !is_marked(&marker)? {
            repository.write_marker(&marker, watch)?;
        }
        for name in ["files", "backups"] {
            make_directory(&directory.join(name))?;
        }
        let incoming = directory.join("incoming");
        match fs::remove_dir_all(&incoming) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(BackupError::io(&incoming, "cleared")(e)),
            _ => make_directory(&incoming)?,
        }
        sync_directory(directory)?;
        repository.read_health()?;
        Ok(repository)
    }

    /// Opens it for reading. A damaged marker is accepted if there are backups: see [`Repository::faults`].
    ///
    /// # Errors
    /// [`BackupError::NoRepository`], [`BackupError::Busy`], [`BackupError::Damaged`], [`BackupError::Io`].
    pub fn open_to_read(directory: &Path) -> Result<Self, BackupError> {
        let marker = directory.join(MARKER);
        let is_marked = is_marked(&marker)?;
        let is_there = marker.try_exists().map_err(BackupError::io(&marker, "read"))?;
        if !is_marked && !has_manifests(directory)? {
            return Err(match is_there {
                true => BackupError::damaged(&marker, "it does not identify backups of this version"),
                false => BackupError::NoRepository(directory.to_owned()),
            });
        }
        let mut repository = Self::locked(directory, take_lock(directory, false)?);
        if !is_marked {
            let what = match is_there {
                true => "its content is wrong; the next backup rewrites it",
                false => "it is missing; the next backup rewrites it",
            };
            repository.faults.push(Fault { path: marker, what: what.to_owned(), backups: Vec::new() });
        }
        repository.read_health()?;
        Ok(repository)
    }

    /// Opens one to store the results of reading it, if no other process uses it.
    ///
    /// # Errors
    /// As [`Repository::open_to_read`], and [`BackupError::Io`] if it cannot be written to.
    pub(crate) fn note_read(
        directory: &Path,
        seen: &[(String, Option<String>)],
        now: Timestamp,
    ) -> Result<(), BackupError> {
        let mut repository = Self::locked(directory, take_lock(directory, true)?);
        repository.read_health()?;
        repository.with_health(|health| seen.iter().for_each(|(file, wrong)| health.note(file, now, wrong.clone())));
        repository.save_health(&super::super::unwatched)
    }

    fn locked(directory: &Path, lock: Option<File>) -> Self {
        Self { directory: directory.to_owned(), lock, health: Mutex::default(), faults: Vec::new() }
    }

    fn read_health(&mut self) -> Result<(), BackupError> {
        let what = match Health::read(&self.directory) {
            Ok(Some(health)) => {
                self.health = Mutex::new(health);
                return Ok(());
            }
            Ok(None) => "it is not there",
            Err(newer @ BackupError::Newer { .. }) => return Err(newer),
            Err(_) => "it is damaged",
        };
        let listed = self.list()?;
        // Older versions wrote none.
        if listed.iter().any(|one| one.manifest.as_ref().is_ok_and(|manifest| manifest.number.is_some())) {
            let what = format!(
                "{what}: when each file was last read is not known, nor whether a backup is missing, also a newer one; the next backup \
                 rewrites it"
            );
            self.faults.push(Fault { path: self.directory.join(health_file::NAME), what, backups: Vec::new() });
        }
        self.health = Mutex::new(Health::from_manifests(&listed));
        Ok(())
    }

    fn write_marker(&self, marker: &Path, watch: Watch<'_>) -> Result<(), BackupError> {
        let temporary = self.directory.join("repository.new");
        step(watch, &temporary, "begin")?;
        let failed = |action| BackupError::io(&temporary, action);
        let mut file = create_file(&temporary).map_err(failed("created"))?;
        file.write_all(MARK).and_then(|()| file.sync_all()).map_err(failed("written"))?;
        fs::rename(&temporary, marker).map_err(failed("renamed"))
    }
}

/// Whether the marker identifies a repository.
fn is_marked(marker: &Path) -> Result<bool, BackupError> {
    match fs::read(marker) {
        Ok(found) => Ok(found == MARK),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        // A marker on a damaged disk block counts as damaged.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(BackupError::io(marker, "read")(e)),
        Err(_) => Ok(false),
    }
}

/// Whether a directory without an intact marker may be written to: it holds only a repository's entries, or a readable
/// manifest.
fn is_ours(directory: &Path) -> Result<bool, BackupError> {
    let mut manifests = false;
    for one in list(directory)? {
        match one.manifest {
            Ok(_) => manifests = true,
            Err(newer @ BackupError::Newer { .. }) => return Err(newer),
            Err(_) => {}
        }
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(BackupError::io(directory, "read"))? {
        names.push(entry.map_err(BackupError::io(directory, "read"))?.file_name());
    }
    let has = |own: &str| names.iter().any(|name| name == own);
    let is_begun = !has(MARKER) || has("backups");
    let is_own = |name: &std::ffi::OsString| name.to_str().is_some_and(|name| OWN.contains(&name));
    Ok(manifests || is_begun && names.iter().all(is_own))
}

fn take_lock(directory: &Path, alone: bool) -> Result<Option<File>, BackupError> {
    let path = directory.join("lock");
    let file = match OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path) {
        Ok(file) => file,
        // Reading does not need write permission.
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
