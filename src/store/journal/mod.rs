//! The journal: every group of commits, in order, made durable by one `fdatasync` before anything is acknowledged. It
//! is the source of truth; an index that disagrees is rebuilt.
//!
//! [`record`] and [`segment`] are the format on disk, [`walk`] reads, [`end`] distinguishes a torn end from damage,
//! [`writer`] appends, [`head`] stores outside the segments how far they reach, [`disk`] is the file system interface
//! of all of them.

use std::io;
use std::path::{Path, PathBuf};

pub mod disk;
pub(crate) mod end;
pub mod head;
pub(crate) mod record;
pub(crate) mod segment;
pub(crate) mod walk;
pub(crate) mod writer;

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
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
    /// A part that was once intact is damaged.
    #[error("the journal is damaged: {0}")]
    Damaged(Damage),
    /// Written by a newer Depesch.
    #[error("{} has version {version}, newer than this program knows; run the newer program", path.display())]
    Newer {
        /// The file or directory.
        path: PathBuf,
        /// The version found.
        version: u32,
    },
}

impl JournalError {
    pub(super) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}

/// A part of the journal that cannot be read although it held acknowledged data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment file.
    pub path: PathBuf,
    /// Where it begins, in bytes from the start of the file.
    pub from: u64,
    /// Where the readable part begins again, or the end of the file.
    pub to: u64,
    /// The last group before it.
    pub after: u64,
    /// The first group after it, if one follows in this file.
    pub before: Option<u64>,
    /// What is wrong.
    pub what: &'static str,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, to, after, what, .. } = self;
        write!(f, "{}, bytes {from} to {to}: {what}, after group {after}", self.path.display())?;
        match self.before {
            Some(before) => write!(f, ", before group {before}"),
            None => Ok(()),
        }
    }
}
