//! Erases their kept mails, and mails written by the capture transport.

use std::path::{Path, PathBuf};

use crate::base::token::to_hex;
use crate::privacy::personal_data::{Files, PersonalDataError};
use crate::privacy::retention::needed_files;
use crate::store::{Store, StoreError};
use crate::transport::capture::captured;

use super::Cases;

/// Removes them from the disk.
pub(super) async fn sweep(store: &Store, files: Option<&Files>, cases: &mut Cases) -> Result<(), PersonalDataError> {
    let Some(files) = files else {
        for case in cases.list.iter_mut().filter(|case| !case.work.files.is_empty()) {
            case.holds.insert("mails from them are kept on the disk".to_owned());
        }
        return Ok(());
    };
    // One mail to two lists is two posts with one file: it is removed with the last of them.
    let all: Vec<[u8; 32]> = cases.list.iter().flat_map(|case| case.work.files.clone()).collect();
    let needed = match needed_files(store, &all).await {
        // An unreadable record may refer to any of them.
        Err(error @ StoreError::Record(_)) => {
            cases.hold_unreadable(&[("what names kept files".to_owned(), error)]);
            all.into_iter().collect()
        }
        needed => needed?,
    };
    for case in &mut cases.list {
        for sha256 in &case.work.files {
            if needed.contains(sha256) {
                let name = to_hex(sha256);
                case.holds.insert(format!("the kept file {name} is still named by a post, a release or a consent"));
            } else {
                files.blobs.remove(sha256).await?;
            }
        }
    }
    if let Some(capture) = &files.capture {
        sweep_capture(capture, cases).await?;
    }
    Ok(())
}

/// Removes captured mails to them, and those that mention them. The folder is for trials: all of it is read.
async fn sweep_capture(directory: &Path, cases: &Cases) -> Result<(), PersonalDataError> {
    for path in captured(directory.to_owned()).await.map_err(failed(directory))? {
        sweep_captured(path, cases).await?;
    }
    Ok(())
}

async fn sweep_captured(path: PathBuf, cases: &Cases) -> Result<(), PersonalDataError> {
    let bytes = match tokio::fs::read(&path).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(&path)(error)),
    };
    if cases.people.in_message(bytes).await.is_empty() {
        return Ok(());
    }
    match tokio::fs::remove_file(&path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(&path)(error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> PersonalDataError {
    let path = path.to_owned();
    move |error| PersonalDataError::Capture { path, error }
}
