//! What the committer is asked to do, and how it is asked.

use std::sync::PoisonError;
use std::sync::mpsc::Sender;

use tokio::sync::oneshot;

use crate::base::clock::Stopwatch;
use crate::store::engine::{Batch, Commit, EngineError};
use crate::store::fingerprint::Mark;

use super::Shared;
use super::new_index::NewIndex;

/// Where the outcome of a batch goes.
pub(super) type Answer = oneshot::Sender<Result<Commit, EngineError>>;

/// What the committer is asked to do.
pub(super) enum Request {
    Commit(Batch, Answer, Stopwatch),
    /// Ends the journal segment that is written to; says where the store then stands.
    Seal(Sender<Result<Mark, EngineError>>),
    /// Notes durably, outside the journal's segments, how far they reach.
    NoteHead,
    /// Takes another index in place of the present one; both hold the same records.
    Index(NewIndex, oneshot::Sender<Result<(), EngineError>>),
    /// The index is damaged and no other can be built, for this reason.
    Unhealed(String),
    /// Reads the next piece of the index, to compare it with its mark.
    Check(oneshot::Sender<Result<CheckStep, EngineError>>),
    /// Ends the thread when everything before it is done.
    Close,
}

/// How far a comparison has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStep {
    /// There is more to read.
    More,
    /// All of it was read, so many records, and adds up.
    Whole(u64),
}

impl Shared {
    /// Asks the committer for something.
    pub(super) fn ask(&self, request: Request) -> Result<(), EngineError> {
        let stopped = || EngineError::Stopped("it is closed".to_owned());
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.as_ref().ok_or_else(stopped)?.send(request).map_err(|_| stopped())
    }
}
