//! Only one process at a time can open a store.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// Holds the lock of a store directory as long as it lives; the operating system releases it when the process ends.
#[derive(Debug)]
pub(crate) struct StoreLock {
    file: File,
}

impl StoreLock {
    /// Takes the lock of `directory`, which must exist.
    ///
    /// # Errors
    /// [`OpenError::Locked`] if another process has it open, with its number; [`OpenError::Io`].
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
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
        // The process number is only for display.
        file.set_len(0).map_err(failed("written"))?;
        file.rewind().map_err(failed("written"))?;
        writeln!(file, "{}", std::process::id()).map_err(failed("written"))?;
        Ok(Self { file })
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child being started elsewhere in this process holds the open file, and so the
        // lock, until it runs its program. If this fails, closing still releases it a moment later.
        let _ = self.file.unlock();
    }
}
