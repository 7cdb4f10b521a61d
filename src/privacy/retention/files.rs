//! Deletes files by age: captured mails, and what a recovery of the store set aside.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::clock::Timestamp;
use crate::model::present::Cutoff;
use crate::transport::capture::captured;

/// Removes captured mails in `directory` last written before the cutoff; other files stay. Returns how many; with
/// `dry` it only counts.
///
/// # Errors
/// The system's: what was removed before is gone.
pub(crate) async fn drop_captured(directory: PathBuf, old: Cutoff, dry: bool) -> io::Result<u64> {
    let paths = captured(directory).await?;
    blocking(move || {
        let mut dropped = 0;
        for path in paths {
            let Some(found) = there(std::fs::symlink_metadata(&path))? else { continue };
            if old.has(Timestamp::from(found.modified()?)) {
                dropped += 1;
                if !dry {
                    there(std::fs::remove_file(&path))?;
                }
            }
        }
        Ok(dropped)
    })
    .await
}

/// Removes directories in `store` that a recovery set aside before the cutoff. Returns how many; with `dry` it only
/// counts.
///
/// # Errors
/// The system's.
pub(crate) async fn drop_aside(store: PathBuf, old: Cutoff, dry: bool) -> io::Result<u64> {
    blocking(move || {
        let mut dropped = 0;
        for path in entries(&store)? {
            let is_aside =
                path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("aside-"));
            let Some(found) = there(std::fs::symlink_metadata(&path))? else { continue };
            if is_aside && found.is_dir() && old.has(Timestamp::from(found.modified()?)) {
                dropped += 1;
                if !dry {
                    there(std::fs::remove_dir_all(&path))?;
                }
            }
        }
        Ok(dropped)
    })
    .await
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match there(std::fs::read_dir(directory))? {
        Some(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        None => Ok(Vec::new()),
    }
}

fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
