//! Requests to the committer.

use std::sync::PoisonError;
use std::sync::mpsc::Sender;

use tokio::sync::oneshot;

use crate::base::clock::Stopwatch;
use crate::store::engine::{Batch, Commit, EngineError};
use crate::store::fingerprint::Mark;
use crate::store::maintenance::CheckStep;

use super::Shared;
use super::new_index::NewIndex;

/// Receives the outcome of a batch.
pub(super) type Answer = oneshot::Sender<Result<Commit, EngineError>>;

/// A request to the committer.
pub(super) enum Request {
    Commit(Batch, Answer, Stopwatch),
    /// Ends the current journal segment; returns the store's mark.
    Seal(Sender<Result<Mark, EngineError>>),
    /// Durably stores how far the journal reaches, outside its segments.
    NoteHead,
    /// Replaces the present index with another; both hold the same records.
    Index(NewIndex, oneshot::Sender<Result<(), EngineError>>),
    /// The index is damaged and no other can be built, for this reason.
    Unhealed(String),
    /// Reads the next piece of the index, to compare it with its mark.
    Check(oneshot::Sender<Result<CheckStep, EngineError>>),
    /// Ends the thread when everything before it is done.
    Close,
}

impl Shared {
    /// Sends a request to the committer.
    pub(super) fn ask(&self, request: Request) -> Result<(), EngineError> {
        let stopped = || EngineError::Stopped("it is closed".to_owned());
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.as_ref().ok_or_else(stopped)?.send(request).map_err(|_| stopped())
    }
}
