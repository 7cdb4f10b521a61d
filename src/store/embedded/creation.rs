//! Beginning an empty store. What makes a store is its journal, so the journal is laid out beside its place, made durable, and
//! put there by one rename: a creation that is cut short before has made nothing, and is begun again; after it, all that is
//! missing is derived, and the next start makes it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::store::journal::disk::{Disk, sync_upward};
use crate::store::journal::walk::Tail;
use crate::store::journal::writer::{JournalSettings, JournalWriter};

use super::layout::journal;
use super::open_error::OpenError;

/// How far above the store names are made durable: its own, that of the state directory, and that of what holds it.
const LEVELS: usize = 3;

/// Puts an empty journal into the store in `directory`, which has none.
///
/// # Errors
/// [`OpenError`]: there is no store, and this can be tried again.
pub(super) fn begin_journal(disk: &Arc<dyn Disk>, directory: &Path) -> Result<(), OpenError> {
    let fresh = directory.join("journal.new");
    match fs::remove_dir_all(&fresh) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(OpenError::io(&fresh, "removed")(e)),
        _ => fs::create_dir(&fresh).map_err(OpenError::io(&fresh, "created"))?,
    }
    let settings = JournalSettings { segment_bytes: u64::MAX, reserve_bytes: 0, head_in: None };
    JournalWriter::open(disk.clone(), &fresh, settings, &Tail::default())?;
    // An empty directory in its place, as an older program left it, gives way.
    fs::rename(&fresh, journal(directory)).map_err(OpenError::io(&fresh, "renamed"))?;
    sync_upward(disk.as_ref(), directory, LEVELS).map_err(OpenError::io(directory, "synced"))
}
