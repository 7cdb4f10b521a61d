//! Creates an empty store. What makes a store is its journal, so the journal is prepared beside its place, made
//! durable, and moved there by one rename: a creation interrupted before that has no effect and is repeated; after it,
//! everything missing is derived, and the next start creates it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::store::journal::disk::{Disk, sync_upward};
use crate::store::journal::walk::Tail;
use crate::store::journal::writer::{JournalSettings, JournalWriter};

use super::layout::journal;
use super::open_error::OpenError;

/// Directory levels whose names are made durable: the store's, the state directory's, and its parent's.
const LEVELS: usize = 3;

/// Creates an empty journal in the store in `directory`, which has none.
///
/// # Errors
/// [`OpenError`]: there is no store, and this can be retried.
pub(super) fn begin_journal(disk: &Arc<dyn Disk>, directory: &Path) -> Result<(), OpenError> {
    let fresh = directory.join("journal.new");
    match fs::remove_dir_all(&fresh) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(OpenError::io(&fresh, "removed")(e)),
        _ => fs::create_dir(&fresh).map_err(OpenError::io(&fresh, "created"))?,
    }
    let settings = JournalSettings { segment_bytes: u64::MAX, reserve_bytes: 0, head_in: None };
    JournalWriter::open(disk.clone(), &fresh, settings, &Tail::default())?;
    // Replaces an empty directory there, as left by an older version.
    fs::rename(&fresh, journal(directory)).map_err(OpenError::io(&fresh, "renamed"))?;
    sync_upward(disk.as_ref(), directory, LEVELS).map_err(OpenError::io(directory, "synced"))
}
