//! The directory that backups lie in.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::base::clock::Timestamp;
use crate::base::token::to_hex;

use super::super::journal::disk::make_directories;
use super::health::{self, Health};
use super::manifest::{FileRef, Manifest, seal_of};
use super::verify::Fault;
use super::{BackupError, Event, Watch};

const MARKER: &str = "repository";
const MARK: &[u8] = b"Backups of Depesch, version 1. Keep all of it together; see \"depesch backup --help\".\n";
const SUFFIX: &str = ".manifest";
/// What lies in a repository, and in the root of a disk of its own.
const OWN: [&str; 9] =
    [MARKER, "repository.new", "lock", "files", "backups", "incoming", health::NAME, "health.new", "lost+found"];
/// Octets that are read and written at once.
const PIECE: usize = 256 * 1024;

/// A directory of backups, locked as long as this lives.
#[derive(Debug)]
pub struct Repository {
    directory: PathBuf,
    /// None where it cannot be written to, e.g. on a read-only disk: then nobody else writes there either.
    lock: Option<File>,
    /// What is known of its files and backups.
    health: Mutex<Health>,
    /// What is wrong with the marker and with `health`.
    faults: Vec<Fault>,
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
    /// The SHA-256 that its last line names; of no meaning when it cannot be read.
    pub sha256: String,
}

impl Repository {
    /// Opens it to write; it is begun where there is nothing. Leftovers of a backup that was cut short are cleared.
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
        // A damaged marker is written anew: what counts are the manifests, each with a checksum and a version of its own.
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

    /// Opens it to read. A damaged marker is no hindrance where there are backups: see [`Repository::faults`].
    ///
    /// # Errors
    /// [`BackupError::NoRepository`], [`BackupError::Busy`], [`BackupError::Damaged`], [`BackupError::Io`].
    pub fn open_to_read(directory: &Path) -> Result<Self, BackupError> {
        let marker = directory.join(MARKER);
        let is_marked = is_marked(&marker)?;
        let is_there = marker.try_exists().map_err(BackupError::io(&marker, "read"))?;
        if !is_marked && !has_manifests(directory)? {
            return Err(match is_there {
                true => BackupError::damaged(&marker, "it does not say that backups of this version lie here"),
                false => BackupError::NoRepository(directory.to_owned()),
            });
        }
        let mut repository = Self::locked(directory, take_lock(directory, false)?);
        if !is_marked {
            let what = match is_there {
                true => "it does not say what it should; the next backup writes it anew",
                false => "it is not there; the next backup writes it anew",
            };
            repository.faults.push(Fault { path: marker, what: what.to_owned(), backups: Vec::new() });
        }
        repository.read_health()?;
        Ok(repository)
    }

    /// Opens one to note in it what was found by reading, while nobody else uses it.
    ///
    /// # Errors
    /// As [`Repository::open_to_read`], and [`BackupError::Io`] where it cannot be written to.
    pub fn note_read(directory: &Path, seen: &[(String, Option<String>)], now: Timestamp) -> Result<(), BackupError> {
        let mut repository = Self::locked(directory, take_lock(directory, true)?);
        repository.read_health()?;
        repository.with_health(|health| seen.iter().for_each(|(file, wrong)| health.note(file, now, wrong.clone())));
        repository.save_health(&super::unwatched)
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
        // Older programs wrote none.
        if listed.iter().any(|one| one.manifest.as_ref().is_ok_and(|manifest| manifest.number.is_some())) {
            let what = format!(
                "{what}: when each file was last read is not known, nor whether a backup is missing, also a newer one; the next backup \
                 writes it anew"
            );
            self.faults.push(Fault { path: self.directory.join(health::NAME), what, backups: Vec::new() });
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

    /// What is wrong with the repository itself: its marker, its notes, manifests that are damaged or missing. `listed`
    /// is what [`Repository::list`] gives.
    pub fn faults(&self, listed: &[Listed]) -> Vec<Fault> {
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

    /// Why its notes cannot be believed, so that it cannot say whether a backup is missing; `None` where they can.
    pub fn notes_fault(&self) -> Option<Fault> {
        self.faults.iter().find(|fault| fault.path.file_name().is_some_and(|name| name == health::NAME)).cloned()
    }

    /// Reads or changes what is known of its files and backups; a change lasts once [`Repository::save_health`] has
    /// returned.
    pub(super) fn with_health<T>(&self, work: impl FnOnce(&mut Health) -> T) -> T {
        work(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes durable what is known of its files and backups.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub(super) fn save_health(&self, watch: Watch<'_>) -> Result<(), BackupError> {
        let health = self.with_health(|health| health.clone());
        health.write(&self.directory, watch)
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

    /// Whether it has a content, as far as its length and what was found when it was last read tell.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn has(&self, file: &FileRef) -> Result<bool, BackupError> {
        let path = self.path(file);
        match fs::metadata(&path) {
            Ok(found) => Ok(found.len() == file.octets && !self.with_health(|health| health.is_damaged(&file.sha256))),
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
        let file = self.take_in(source, octets, from, watch)?;
        let is_new = !self.has(&file)?;
        if is_new {
            self.name(&file, watch)?;
        }
        Ok((file, is_new))
    }

    /// As [`Repository::put`], for a content that is damaged here: it is written anew if `source` still gives it.
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
        let found = self.take_in(source, wanted.octets, from, watch)?;
        if found == *wanted {
            self.name(wanted, watch)?;
        }
        Ok(found == *wanted)
    }

    /// Writes what `source` gives to `incoming`, durable, and says how it is called.
    fn take_in(
        &self,
        source: &mut dyn Read,
        octets: u64,
        from: &Path,
        watch: Watch<'_>,
    ) -> Result<FileRef, BackupError> {
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
        if !self.has(&file)? {
            target.sync_all().map_err(BackupError::io(&temporary, "synced"))?;
        }
        Ok(file)
    }

    /// Gives what was taken in its name; what had it before is replaced.
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
        sync_directory(&backups)?;
        self.with_health(|health| health.made(manifest, seal_of(&octets)));
        self.save_health(watch)
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
                let sha256 = octets.as_ref().map(|octets| seal_of(octets)).unwrap_or_default();
                let manifest = octets.and_then(|octets| Manifest::from_octets(&path, &octets));
                listed.push(Listed { id, path, manifest, sha256 });
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

/// Whether the marker says that backups lie here.
fn is_marked(marker: &Path) -> Result<bool, BackupError> {
    match fs::read(marker) {
        Ok(found) => Ok(found == MARK),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        // What cannot be read because the disk is damaged there is as good as damaged.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(BackupError::io(marker, "read")(e)),
        Err(_) => Ok(false),
    }
}

/// Whether there is a manifest, damaged or not.
fn has_manifests(directory: &Path) -> Result<bool, BackupError> {
    let backups = directory.join("backups");
    match fs::read_dir(&backups) {
        Ok(mut entries) => Ok(entries.any(|entry| {
            entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(|name| name.ends_with(SUFFIX)))
        })),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(BackupError::io(&backups, "read")(e)),
    }
}

/// Whether a directory without a whole marker may be written to: it holds nothing but what lies in a repository, or a
/// manifest that can be read.
fn is_ours(directory: &Path) -> Result<bool, BackupError> {
    let mut manifests = false;
    for one in Repository::locked(directory, None).list()? {
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
