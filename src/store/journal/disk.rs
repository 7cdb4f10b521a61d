//! The few things that the journal asks of the file system, so that tests can make each of them fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A segment file that is being appended to.
pub trait DiskFile: Send {
    /// Writes as much as it can at the end and says how much, as `write(2)` does.
    ///
    /// # Errors
    /// The system's.
    fn append(&mut self, octets: &[u8]) -> io::Result<usize>;
    /// Makes all that was written durable, as `fdatasync(2)` does.
    ///
    /// # Errors
    /// The system's. What was written before may be lost and must not be relied upon.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to `length` octets; later appends go there.
    ///
    /// # Errors
    /// The system's.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// Where segment files are made.
pub trait Disk: Send + Sync + 'static {
    /// A new empty file.
    ///
    /// # Errors
    /// The system's; also when the file is there already.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// An existing file, to append to.
    ///
    /// # Errors
    /// The system's.
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Makes the names in `directory` durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// Octets that may still be written in the file system of `directory`.
    ///
    /// # Errors
    /// The system's.
    fn free(&self, directory: &Path) -> io::Result<u64>;
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

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn free(&self, directory: &Path) -> io::Result<u64> {
        let system = rustix::fs::statvfs(directory)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

impl DiskFile for File {
    fn append(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write(octets)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
