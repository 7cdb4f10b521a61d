//! Backups of a whole store: journal segments, a checkpoint, attachments and received mail, in a separate directory.
//!
//! ```text
//! <repository>/repository                    marker: identifies a repository
//! <repository>/lock                          held by a writer, shared by readers
//! <repository>/files/<2 hex>/<64 hex>        contents, each stored once, named by their SHA-256
//! <repository>/backups/<time>.manifest       one backup: the files it consists of (see `manifest`)
//! <repository>/health                        which backups exist, and when each file was last read (see `health_file`)
//! <repository>/incoming/                     files being written; leftovers are removed by the next backup
//! ```
//! A backup is its manifest, which is written last, when every file that it names is durable: a crash at any moment
//! leaves the earlier backups unchanged. Files that already exist are not written again. Nothing is compressed or
//! encrypted beyond what the store does itself, so that it can be reassembled by hand in an emergency.
//!
//! [`repository`] is the directory, [`create`] fills it, [`point`] finds the files for a backup or an instant,
//! [`verify`] reads everything, [`upkeep`] reads a part each night and rewrites damaged files, [`restore`] recreates a
//! store, [`salvage`] extracts the intact parts of a damaged one, [`prune`] removes old backups by rule.

use std::io;
use std::path::{Path, PathBuf};

use super::checkpoint::CheckpointError;
use super::embedded::OpenError;
use super::engine::EngineError;
use super::journal::JournalError;
use super::spool::SpoolError;
use crate::base::clock::Timestamp;

pub mod create;
mod fault;
mod files;
pub mod health;
mod health_file;
mod keep;
mod listed;
pub mod manifest;
pub(crate) mod people;
pub mod point;
pub mod prune;
pub mod repository;
pub mod restore;
pub(crate) mod salvage;
pub mod upkeep;
pub mod verify;

/// Why a backup cannot be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
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
    /// The repository does not exist.
    #[error("{} holds no backups; name their directory with --from DIRECTORY, or in [backup] directory", .0.display())]
    NoRepository(PathBuf),
    /// The directory holds something else.
    #[error("{} holds files that are not backups; name an empty or a new directory in [backup] directory", .0.display())]
    NotARepository(PathBuf),
    /// Another process is writing to it.
    #[error("{} is in use by another backup; try again when that is done", .0.display())]
    Busy(PathBuf),
    /// The backup does not exist.
    #[error("there is no backup \u{201c}{0}\u{201d}; see \u{201c}depesch backup list\u{201d}")]
    Unknown(String),
    /// The repository has no backups.
    #[error("there is no backup in {} yet; \u{201c}depesch backup create\u{201d} makes one", .0.display())]
    Empty(PathBuf),
    /// A file of the repository has changed.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The newest backup cannot be read.
    #[error(
        "the newest backup, {id}, is damaged ({}: {what}){}. --partial takes the newest that can be read",
        path.display(), next_words(next.as_deref())
    )]
    NewestDamaged {
        /// Its name.
        id: String,
        /// Its manifest.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// The newest readable backup.
        next: Option<String>,
    },
    /// The only readable backup cannot be removed.
    #[error("{0} is the only backup that can be read: make another first, with \u{201c}depesch backup create\u{201d}")]
    Last(String),
    /// Written by a newer Depesch.
    #[error("{} has version {version}, newer than this program knows; run the newer program", path.display())]
    Newer {
        /// The file or directory.
        path: PathBuf,
        /// The version found.
        version: u32,
    },
    /// No backup reaches that instant.
    #[error(
        "the newest backup was made at {newest}: no later time can be restored. Without --until that backup is restored"
    )]
    TooLate {
        /// When the newest backup was made.
        newest: Timestamp,
    },
    /// The files needed for that instant are in no backup.
    #[error(
        "the way to {until} is in no backup: {reason}. See \u{201c}depesch backup list\u{201d} for what can be restored"
    )]
    NoWay {
        /// The requested instant.
        until: Timestamp,
        /// What is missing.
        reason: String,
    },
    /// The target is occupied.
    #[error("{} already exists; a restore needs a place without a store. Move it aside, or name another \
             directory with --into DIRECTORY", .0.display())]
    Occupied(PathBuf),
    /// The store failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The restored store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The spool failed.
    #[error("the spool: {0}")]
    Spool(#[from] SpoolError),
}

impl BackupError {
    /// Whether the request or the present situation is the cause, not a disk.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NoRepository(_)
                | Self::NotARepository(_)
                | Self::Busy(_)
                | Self::Unknown(_)
                | Self::Empty(_)
                | Self::TooLate { .. }
                | Self::NoWay { .. }
                | Self::Occupied(_)
                | Self::Last(_)
        )
    }

    /// Whether something read differs from what was written, as far as can be determined.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Io { action, .. } => *action == "read",
            Self::Spool(_) | Self::Engine(_) => false,
            other => !other.is_refusal(),
        }
    }

    fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }

    fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}

fn next_words(next: Option<&str>) -> String {
    match next {
        Some(next) => format!("; the one before it is {next}, which can be named instead"),
        None => "; there is no other that can be read".to_owned(),
    }
}

/// Progress of making, reading or restoring a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The total number of bytes to process, as far as known.
    Total(u64),
    /// This many more bytes have been processed.
    Bytes(u64),
    /// The next change on disk follows; the text names it.
    Step(&'static str),
}

/// Receives progress events; an error interrupts the work at that point, as a crash would.
pub type Watch<'w> = &'w (dyn Fn(Event) -> io::Result<()> + Send + Sync);

/// Ignores all events.
pub fn unwatched(_: Event) -> io::Result<()> {
    Ok(())
}
