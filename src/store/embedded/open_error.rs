//! Why a store was not opened.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::checkpoint::CheckpointError;
use crate::store::journal::{Damage, JournalError};

use super::index::IndexFault;
use super::shortfall::Shortfall;

/// Why a store was not opened. Nothing was discarded.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no store, and none may be created.
    #[error("there is no store in {}; nothing was created", .0.display())]
    Absent(PathBuf),
    /// Another process has it open.
    #[error("the store in {} is in use by another process{}; stop that one first", directory.display(), of(*pid))]
    Locked {
        /// The store's directory.
        directory: PathBuf,
        /// The other process, if it left its number.
        pid: Option<u32>,
    },
    /// The file system failed.
    #[error("{} could not be {action}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// `read`, `written` and so on.
        action: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// The journal cannot be read or is damaged.
    #[error("{0}. \u{201c}depesch store recover\u{201d} shows what is affected and continues without it")]
    Damaged(Damage),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(JournalError),
    /// A checkpoint cannot be read and nothing else can replace it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Acknowledged groups are missing at the journal's end, or the journal is missing.
    #[error(
        "the journal in {} ends after group {journal}: {shortfall}. Restore the missing files, or see what \
         \u{201c}depesch store recover\u{201d} can do", directory.display()
    )]
    JournalShort {
        /// The journal's directory.
        directory: PathBuf,
        /// The last group in it.
        journal: u64,
        /// The last group known to have existed.
        seen: u64,
        /// What is missing.
        shortfall: Shortfall,
    },
    /// Everything readable was read, and does not match the journal.
    #[error(
        "the store in {} does not add up: {reason}. See what \u{201c}depesch store recover\u{201d} can do", directory.display()
    )]
    Mismatch {
        /// The store's directory.
        directory: PathBuf,
        /// What does not match.
        reason: String,
    },
    /// The rebuilt index cannot be used.
    #[error("the index of the store fails: {0}")]
    Index(String),
}

fn of(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (number {pid})")).unwrap_or_default()
}

impl OpenError {
    /// Whether a retry is useless until an operator acts: there is no store, or something is damaged that cannot be
    /// rebuilt.
    pub(crate) fn needs_a_person(&self) -> bool {
        match self {
            Self::Absent(_) | Self::Damaged(_) | Self::JournalShort { .. } | Self::Mismatch { .. } => true,
            Self::Journal(error) => !matches!(error, JournalError::Io { .. }),
            Self::Checkpoint(error) => !matches!(error, CheckpointError::Io { .. }),
            Self::Locked { .. } | Self::Io { .. } | Self::Index(_) => false,
        }
    }

    pub(super) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}

impl From<JournalError> for OpenError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Damaged(damage) => Self::Damaged(damage),
            other => Self::Journal(other),
        }
    }
}

impl From<IndexFault> for OpenError {
    fn from(fault: IndexFault) -> Self {
        Self::Index(fault.0)
    }
}
