//! Faults found in a backup.

use std::path::PathBuf;

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// The backups that cannot be restored completely because of it.
    pub backups: Vec<String>,
}
