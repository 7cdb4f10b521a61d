//! The few file system operations of the journal and the spool, so that tests can make each of them fail.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

/// A segment file open for appending.
pub trait DiskFile: Send {
    /// Appends as many bytes as possible and returns the number, as `write(2)` does.
    ///
    /// # Errors
    /// The operating system's.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Makes everything written durable, as `fdatasync(2)` does.
    ///
    /// # Errors
    /// The operating system's. What was written before may be lost and must not be relied upon.
    fn sync(&mut self) -> io::Result<()>;
    /// Truncates the file to `length` bytes; later appends go there.
    ///
    /// # Errors
    /// The operating system's.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Writes all of `bytes` at offset `at`, in a file opened with [`Disk::open_to_overwrite`].
    ///
    /// # Errors
    /// The operating system's.
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
}

/// Where segment files are created.
pub trait Disk: Send + Sync + 'static {
    /// Creates an empty file.
    ///
    /// # Errors
    /// The operating system's; also if the file exists.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for appending.
    ///
    /// # Errors
    /// The operating system's.
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for overwriting parts of it.
    ///
    /// # Errors
    /// The operating system's.
    fn open_to_overwrite(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Makes the names in `directory` durable.
    ///
    /// # Errors
    /// The operating system's.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// Bytes that can still be written in the file system of `directory`.
    ///
    /// # Errors
    /// The operating system's.
    fn free(&self, directory: &Path) -> io::Result<u64>;
}

/// Appends all of `bytes`.
///
/// # Errors
/// The operating system's; a part may have been written.
pub(crate) fn write_all(file: &mut dyn DiskFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.append(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Creates `path` and its missing parents with the permissions `mode`; each is durable on return.
///
/// # Errors
/// The operating system's.
pub(crate) fn make_directories(path: &Path, mode: u32) -> io::Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(mode).create(directory) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => sync_upward(&SystemDisk, directory, 2)?,
        }
    }
    match path.is_dir() {
        true => Ok(()),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// Makes the names in `directory` and in the directories above it durable, `levels` in all. A directory that may not be
/// opened (as with systemd's private state directories) was created by another program, which is responsible for it.
///
/// # Errors
/// The operating system's.
pub(crate) fn sync_upward(disk: &dyn Disk, directory: &Path, levels: usize) -> io::Result<()> {
    let mut next = directory;
    for level in 0..levels {
        match disk.sync_directory(next) {
            Err(e) if level > 0 && e.kind() == io::ErrorKind::PermissionDenied => {}
            other => other?,
        }
        next = parent_of(next);
    }
    Ok(())
}

fn parent_of(path: &Path) -> &Path {
    path.parent().map_or(path, |parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Whether the disk was full: a retry can succeed once there is disk space.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The path of file `number`: its 20 digits and `suffix`.
pub(crate) fn numbered_path(directory: &Path, number: u64, suffix: &str) -> PathBuf {
    directory.join(format!("{number:020}{suffix}"))
}

/// All files in `directory` named as by [`numbered_path`], in order; empty if the directory does not exist.
///
/// # Errors
/// The operating system's.
pub(crate) fn numbered_files(directory: &Path, suffix: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let digits = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(suffix));
        if let Some(number) = digits.filter(|digits| digits.len() == 20).and_then(|digits| digits.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The machine's own file system.
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().append(true).create_new(true).open(path)?))
    }

    fn append_to(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn open_to_overwrite(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().write(true).open(path)?))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn free(&self, directory: &Path) -> io::Result<u64> {
        let system = rustix::fs::statvfs(directory)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

impl DiskFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }
}
