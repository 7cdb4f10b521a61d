//! Opens the store of an installation: the one place that decides which engine it has.

use std::path::Path;
use std::sync::Arc;

use super::Store;
use super::embedded::{EmbeddedEngine, OpenError, OpenReport, Settings};

/// Opens the embedded store in `directory`, repairing what the last stop left; reports what was found. Blocks.
///
/// # Errors
/// [`OpenError`]: no acknowledged group is discarded to open the store.
pub(crate) fn open(directory: &Path, settings: Settings) -> Result<(Store, OpenReport), OpenError> {
    let opened = EmbeddedEngine::open(directory, settings)?;
    Ok((Store::new(Arc::new(opened.engine)), opened.report))
}
