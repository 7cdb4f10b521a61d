//! One process at a time has a store open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// Holds the lock of a store directory as long as it lives; the system lets go when the process ends, however it ends.
#[derive(Debug)]
pub struct StoreLock {
    file: File,
}

impl StoreLock {
    /// Takes the lock of `directory`, which must be there.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another process has it open, and who; [`OpenError::Io`].
    pub fn take(directory: &Path) -> Result<Self, OpenError> {
        let path: PathBuf = directory.join("lock");
        let failed = |action| OpenError::io(&path, action);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("opened"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(OpenError::Locked { directory: directory.to_owned(), pid });
            }
            Err(TryLockError::Error(e)) => return Err(failed("locked")(e)),
        }
        // The number is only there to be shown.
        file.set_len(0).map_err(failed("written"))?;
        file.rewind().map_err(failed("written"))?;
        writeln!(file, "{}", std::process::id()).map_err(failed("written"))?;
        Ok(Self { file })
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child being started elsewhere in this process holds the open file until it
        // runs its program, and the lock with it. Should this fail, closing still lets go a moment later.
        let _ = self.file.unlock();
    }
}
