//! What a backup copies of a running store, and what the store keeps for the next one.
//!
//! The current segment is ended, so that all groups up to one mark are in files that never change again. They are
//! opened at once, under the lock that checkpoints take: files dropped meanwhile can still be read.
//!
//! A checkpoint by size may make journal superfluous that is in no backup yet; without it no instant in between could
//! be restored. So the store records how far it was backed up (`backed-up`), and keeps later journal, within
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
use crate::store::maintenance::{Sealed, Snapshot};

use super::layout::{checkpoints, journal};
use super::notes::{self, BACKED_UP};
use super::request::Request;
use super::{EmbeddedEngine, Shared};

/// How many segments the next backup needs.
pub(super) struct Held {
    /// The number of newest segments kept for it.
    pub kept: usize,
    /// The number of oldest segments that are in a backup, or that no backup would contain anyway.
    pub saved: usize,
}

impl EmbeddedEngine {
    /// Opens all files that lead to the last durable group. Commits continue after waiting for one sync. Blocks.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(crate) fn snapshot(&self) -> Result<Snapshot, EngineError> {
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

    /// Ends the current journal segment, so that it never changes again; returns the store's mark. Blocks.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn seal(&self) -> Result<Mark, EngineError> {
        self.send_seal()?.recv().map_err(|_| EngineError::Stopped("it is closed".to_owned()))?
    }

    /// Requests a seal; the returned channel receives the result.
    pub(super) fn send_seal(&self) -> Result<Receiver<Result<Mark, EngineError>>, EngineError> {
        let (answer, receiver) = channel();
        self.shared.ask(Request::Seal(answer))?;
        Ok(receiver)
    }

    /// Stores that all groups up to `mark` are in a backup.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`]: more journal than needed is kept, until the next backup.
    pub fn note_backed_up(&self, mark: Mark) -> Result<(), EngineError> {
        notes::write_backed_up(&self.shared.directory, mark).map_err(failed)
    }
}

/// Which of the segments that no checkpoint needs, oldest first, are kept for the next backup. The last of `segments`
/// is the first that a checkpoint needs.
pub(super) fn held(shared: &Shared, segments: &[SegmentName]) -> Result<Held, EngineError> {
    let limit = shared.settings.hold_bytes;
    let unneeded = segments.split_last().map_or(segments, |(_, unneeded)| unneeded);
    if limit == 0 {
        return Ok(Held { kept: 0, saved: unneeded.len() });
    }
    // A damaged note is treated as absent: then more is kept than needed.
    let note = notes::read(&shared.directory, BACKED_UP).map_err(failed)?;
    let saved_to = note.whole.map_or(0, |mark| mark.sequence);
    // A segment's last group follows from the next one's first.
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
