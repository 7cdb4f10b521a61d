//! What a backup copies of a running store, and what the store keeps for the next one.
//!
//! The segment that is written to is ended, so that all groups up to one mark are in files that never change again.
//! They are opened at once, under the lock that checkpoints take: whatever is dropped meanwhile can still be read.
//!
//! A checkpoint by size may make journal superfluous that is in no backup yet; without it no instant in between could be
//! restored. So the store notes up to where it was backed up (`backed-up`), and what comes later stays, within
//! [`Settings::hold_bytes`](super::Settings::hold_bytes).

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, channel};

use crate::store::checkpoint;
use crate::store::engine::EngineError;
use crate::store::fingerprint::Mark;
use crate::store::journal::segment::{self, SegmentName};

use super::layout::{checkpoints, journal};
use super::notes::{self, BACKED_UP};
use super::request::Request;
use super::{EmbeddedEngine, Shared};

/// A file that never changes again, open.
#[derive(Debug)]
pub struct Sealed {
    /// The number of its first group, or the group after which it was begun.
    pub number: u64,
    /// Where it was when it was opened.
    pub path: PathBuf,
    /// It can be read though it may be gone from there.
    pub file: File,
    /// Its length.
    pub bytes: u64,
}

/// All that leads to one mark.
#[derive(Debug)]
pub struct Snapshot {
    /// Where the store stood.
    pub mark: Mark,
    /// The journal's segments up to there, in order, without gap.
    pub segments: Vec<Sealed>,
    /// The newest checkpoint, if there is one.
    pub checkpoint: Option<Sealed>,
}

/// How many of some segments the next backup needs.
pub(super) struct Held {
    /// So many of the last are kept for it.
    pub kept: usize,
    /// So many of the first are in a backup, or would be in none anyway.
    pub saved: usize,
}

impl EmbeddedEngine {
    /// Opens all that leads to the last durable group. Commits go on; they wait for one sync. Blocks.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn snapshot(&self) -> Result<Snapshot, EngineError> {
        let shared = &self.shared;
        let _no_checkpoint = shared.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = self.seal()?;
        let mut segments = Vec::new();
        for SegmentName { first, path } in segment::list(&journal(&shared.directory)).map_err(failed)? {
            if first <= mark.sequence {
                segments.push(opened(first, path)?);
            }
        }
        let newest = checkpoint::list(&checkpoints(&shared.directory))?.pop();
        let checkpoint = newest.map(|name| opened(name.since, name.path)).transpose()?;
        Ok(Snapshot { mark, segments, checkpoint })
    }

    /// Ends the journal segment that is written to, so that it never changes again; gives where the store then stands.
    /// Blocks.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn seal(&self) -> Result<Mark, EngineError> {
        self.send_seal()?.recv().map_err(|_| EngineError::Stopped("it is closed".to_owned()))?
    }

    /// Asks for it; what is given says when it is done.
    pub(super) fn send_seal(&self) -> Result<Receiver<Result<Mark, EngineError>>, EngineError> {
        let (answer, receiver) = channel();
        self.shared.ask(Request::Seal(answer))?;
        Ok(receiver)
    }

    /// Notes that all groups up to `mark` are in a backup.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`]: more journal than needed is kept, until the next backup.
    pub fn note_backed_up(&self, mark: Mark) -> Result<(), EngineError> {
        notes::write_backed_up(&self.shared.directory, mark).map_err(failed)
    }
}

/// Which of the segments that no checkpoint needs, the oldest first, stay for the next backup. The last of `segments` is the
/// first that a checkpoint needs.
pub(super) fn held(shared: &Shared, segments: &[SegmentName]) -> Result<Held, EngineError> {
    let limit = shared.settings.hold_bytes;
    let unneeded = segments.split_last().map_or(segments, |(_, unneeded)| unneeded);
    if limit == 0 {
        return Ok(Held { kept: 0, saved: unneeded.len() });
    }
    // A damaged note counts as none: then more is kept than needed.
    let note = notes::read(&shared.directory, BACKED_UP).map_err(failed)?;
    let saved_to = note.whole.map_or(0, |mark| mark.sequence);
    // A segment's last group is known by the next one's first.
    let is_saved = |pair: &[SegmentName]| pair.get(1).is_some_and(|next| next.first <= saved_to.saturating_add(1));
    let saved = segments.windows(2).take_while(|pair| is_saved(pair)).count();
    let (mut kept, mut bytes) = (0, 0_u64);
    for segment in unneeded.get(saved..).unwrap_or_default().iter().rev() {
        bytes = bytes.saturating_add(fs::metadata(&segment.path).map_err(failed)?.len());
        if bytes > limit {
            break;
        }
        kept += 1;
    }
    Ok(Held { kept, saved })
}

fn opened(number: u64, path: PathBuf) -> Result<Sealed, EngineError> {
    let file = File::open(&path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    Ok(Sealed { number, path, file, bytes })
}

fn failed(error: io::Error) -> EngineError {
    EngineError::Unavailable { action: "read for a backup", reason: error.to_string() }
}
