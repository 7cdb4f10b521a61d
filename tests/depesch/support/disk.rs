//! A disk that fails or is full on demand.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use depesch::store::journal::disk::{Disk, DiskFile, SystemDisk};

/// The faults of the disk.
#[derive(Default)]
pub struct Faults {
    /// Bytes that may still be written; then the disk is full.
    pub room: Option<usize>,
    /// The error of the next sync.
    pub sync: Option<ErrorKind>,
    /// The error of the next write, after half of it was written.
    pub write: Option<ErrorKind>,
    /// The error of the next write within a file.
    pub overwrite: Option<ErrorKind>,
    /// The free space that the system reports.
    pub free: Option<u64>,
    /// The number of syncs, including failed ones.
    pub synced: usize,
}

/// The machine's disk with these faults.
#[derive(Clone, Default)]
pub struct FaultyDisk(pub Arc<Mutex<Faults>>);

struct FaultyFile {
    file: Box<dyn DiskFile>,
    faults: Arc<Mutex<Faults>>,
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = SystemDisk.create(path)?;
        Ok(Box::new(FaultyFile { file, faults: self.0.clone() }))
    }

    fn append_to(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = SystemDisk.append_to(path)?;
        Ok(Box::new(FaultyFile { file, faults: self.0.clone() }))
    }

    fn open_to_overwrite(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = SystemDisk.open_to_overwrite(path)?;
        Ok(Box::new(FaultyFile { file, faults: self.0.clone() }))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn free(&self, _directory: &Path) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().free.unwrap_or(u64::MAX))
    }
}

impl DiskFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut faults = self.faults.lock().unwrap();
        if let Some(kind) = faults.write.take() {
            self.file.append(&bytes[..bytes.len() / 2])?;
            return Err(kind.into());
        }
        match &mut faults.room {
            Some(0) => Err(ErrorKind::StorageFull.into()),
            Some(room) => {
                let part = bytes.len().min(*room);
                *room -= part;
                self.file.append(&bytes[..part])
            }
            None => self.file.append(bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut faults = self.faults.lock().unwrap();
        faults.synced += 1;
        match faults.sync.take() {
            Some(kind) => Err(kind.into()),
            None => self.file.sync(),
        }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.cut(length)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        match self.faults.lock().unwrap().overwrite.take() {
            Some(kind) => Err(kind.into()),
            None => self.file.write_at(at, bytes),
        }
    }
}
