//! What is found to be wrong with a backup.

use std::path::PathBuf;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// Which backups cannot be restored whole because of it.
    pub backups: Vec<String>,
}
