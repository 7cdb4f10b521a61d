//! Kept mails of theirs, and mails that the capture transport wrote down.

use std::path::{Path, PathBuf};

use super::super::traces::{Files, TraceError};
use super::Cases;

/// Removes them from the disk.
pub(super) async fn sweep(files: Option<&Files>, cases: &mut Cases) -> Result<(), TraceError> {
    let Some(files) = files else {
        for case in cases.list.iter_mut().filter(|case| !case.work.files.is_empty()) {
            case.holds.insert("kept mails of theirs are on the disk".to_owned());
        }
        return Ok(());
    };
    for case in &cases.list {
        for sha256 in &case.work.files {
            files.blobs.remove(sha256).await?;
        }
    }
    if let Some(capture) = &files.capture {
        sweep_capture(capture, cases).await?;
    }
    Ok(())
}

/// Captured mails to them, and those that name them. The folder is for trials: it is read as a whole.
async fn sweep_capture(directory: &Path, cases: &Cases) -> Result<(), TraceError> {
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut listing = match tokio::fs::read_dir(&folder).await {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&folder)(error)),
        };
        while let Some(entry) = listing.next_entry().await.map_err(failed(&folder))? {
            let path = entry.path();
            match entry.file_type().await.map_err(failed(&path))? {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() => sweep_captured(path, cases).await?,
                _ => {}
            }
        }
    }
    Ok(())
}

async fn sweep_captured(path: PathBuf, cases: &Cases) -> Result<(), TraceError> {
    let octets = match tokio::fs::read(&path).await {
        Ok(octets) => octets,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(&path)(error)),
    };
    if cases.people.in_message(&octets).is_empty() {
        return Ok(());
    }
    match tokio::fs::remove_file(&path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(&path)(error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> TraceError {
    let path = path.to_owned();
    move |error| TraceError::Capture { path, error }
}
