//! Why a store was not opened.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::checkpoint::CheckpointError;
use crate::store::journal::{Damage, JournalError};

use super::index::IndexFault;
use super::shortfall::Shortfall;

/// Why a store was not opened. Nothing was given up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none, and none was asked for.
    #[error("there is no store in {}; nothing was created", .0.display())]
    Absent(PathBuf),
    /// Another process has it open.
    #[error("the store in {} is in use by another process{}; stop that one first", directory.display(), of(*pid))]
    Locked {
        /// Where the store is.
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
    #[error("{0}. \u{201c}depesch store recover\u{201d} shows what is affected and goes on without it")]
    Damaged(Damage),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(JournalError),
    /// A checkpoint cannot be read and nothing else can take its place.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Acknowledged groups are missing at the journal's end, or the journal is missing.
    #[error(
        "the journal in {} ends after group {journal}: {shortfall}. Put the missing files back, or see what \
         \u{201c}depesch store recover\u{201d} can do", directory.display()
    )]
    JournalShort {
        /// Where the journal is.
        directory: PathBuf,
        /// The last group that it has.
        journal: u64,
        /// The last group that is known to have been there.
        seen: u64,
        /// What is missing.
        shortfall: Shortfall,
    },
    /// All that can be read was read, and does not add up to what the journal says.
    #[error(
        "the store in {} does not add up: {reason}. See what \u{201c}depesch store recover\u{201d} can do", directory.display()
    )]
    Mismatch {
        /// Where the store is.
        directory: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The index, built again, cannot be used.
    #[error("the index of the store fails: {0}")]
    Index(String),
}

fn of(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (number {pid})")).unwrap_or_default()
}

impl OpenError {
    /// Whether it is of no use to try again before a person has looked: there is no store, or something is damaged that
    /// cannot be built again.
    pub fn needs_a_person(&self) -> bool {
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
