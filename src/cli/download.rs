//! Downloads to a file or to standard output.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::api::client::Answer;

use super::{CliError, Context, Done};

/// Prints a download, or writes it to a file: under a temporary name and renamed at the end, so that an incomplete
/// file never has the final name.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn save(mut answer: Answer, file: Option<PathBuf>, context: &Context) -> Result<Done, CliError> {
    let Some(file) = file else {
        while let Some(bytes) = answer.chunk().await? {
            context.output.bytes(&bytes)?;
        }
        return Ok(Done::Fully);
    };
    let failed = |error| CliError::File { action: "written", path: file.clone(), error };
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    while let Some(bytes) = answer.chunk().await? {
        new.write_all(&bytes).map_err(failed)?;
    }
    new.persist(&file).map_err(|e| failed(e.error))?;
    Ok(Done::Fully)
}
