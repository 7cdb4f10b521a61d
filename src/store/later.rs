//! What is deferred because a limit was reached: mail answered in a later hour, questions about held posts and messages
//! to be forwarded in the next digest. Only numbers and a list's name are stored: the people concerned are looked up
//! then.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, ListName, PostId};

use super::engine::{Batch, Key, KeyRange};
use super::record::{self, RecordError};
use super::{Store, StoreError, keys};

const FAMILY: &str = "waiting for its turn";
/// Entries of each kind counted at most.
const MOST_COUNTED: usize = 10_000;

/// A deferred message is answered within this time.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

/// Numbers of deferred entries, of each kind at most 10,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaterCounts {
    /// Mails to be answered in a later hour.
    pub answers: u64,
    /// Questions about held posts for the next digest.
    pub questions: u64,
    /// Messages to be forwarded in the next digest.
    pub forwards: u64,
}

/// A question about a held post: the post, and which of the people asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaterQuestion {
    /// The post.
    pub post: PostId,
    /// The index in [`crate::model::post::Hold::asked`].
    pub place: u64,
}

/// A message to be forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaterForward {
    /// The message.
    pub inbound: InboundId,
    /// The list that it was sent to; it is forwarded to the list's owner, otherwise to the installation's contact.
    pub list: Option<ListName>,
}

#[derive(Serialize, Deserialize)]
struct ForwardV1 {
    list: Option<ListName>,
}

/// Schedules in `batch` that a message is handled again at `due`.
pub fn put_answer(batch: &mut Batch, due: Timestamp, inbound: InboundId) {
    batch.put(keys::later_answer(due, inbound), Vec::new());
}

/// Removes in `batch` the schedule to handle a message again.
pub(crate) fn delete_answer(batch: &mut Batch, due: Timestamp, inbound: InboundId) {
    batch.delete(keys::later_answer(due, inbound));
}

/// Adds a question to the next digest in `batch`.
pub(crate) fn put_question(batch: &mut Batch, question: LaterQuestion) {
    batch.put(keys::later_question(question.post, question.place), Vec::new());
}

/// Removes a question in `batch`.
pub(crate) fn delete_question(batch: &mut Batch, question: LaterQuestion) {
    batch.delete(keys::later_question(question.post, question.place));
}

/// Adds a message to the next digest in `batch`.
pub(crate) fn put_forward(batch: &mut Batch, forward: &LaterForward) {
    let form = ForwardV1 { list: forward.list.clone() };
    batch.put(keys::later_forward(forward.inbound), record::encode(1, &form));
}

/// Removes a message from the next digest in `batch`.
pub(crate) fn delete_forward(batch: &mut Batch, inbound: InboundId) {
    batch.delete(keys::later_forward(inbound));
}

impl Store {
    /// Up to `limit` messages to be handled again at `now`, each with its stored time: either past, or further ahead
    /// than `LONGEST_WAIT` because the clock was ahead when it was stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn later_answers(&self, now: Timestamp, limit: usize) -> Result<Vec<(Timestamp, InboundId)>, StoreError> {
        let mut found = self.engine.scan(keys::later_answers_until(now), limit).await?;
        let ahead = keys::later_answers_after(now + LONGEST_WAIT);
        found.extend(self.engine.scan(ahead, limit - found.len().min(limit)).await?);
        found.iter().map(|(key, _)| Ok(keys::later_answer_of(key).ok_or_else(|| damaged("its key"))?)).collect()
    }

    /// All questions for the next digest, in order of post.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn later_questions(&self) -> Result<Vec<LaterQuestion>, StoreError> {
        let found = self.engine.scan(keys::later(b'q'), MOST_COUNTED).await?;
        let read = |key: &Key| keys::later_question_of(key).map(|(post, place)| LaterQuestion { post, place });
        found.iter().map(|(key, _)| Ok(read(key).ok_or_else(|| damaged("its key"))?)).collect()
    }

    /// All messages for the next digest, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn later_forwards(&self) -> Result<Vec<LaterForward>, StoreError> {
        let found = self.engine.scan(keys::later(b'f'), MOST_COUNTED).await?;
        let read = found.iter().map(|(key, bytes)| {
            let form: ForwardV1 = match record::split(FAMILY, bytes)? {
                (1, rest) => record::decode(FAMILY, rest)?,
                (version, _) => return Err(RecordError::Newer { family: FAMILY, version }.into()),
            };
            let inbound = keys::last_number(key).map(InboundId).ok_or_else(|| damaged("its key"))?;
            Ok(LaterForward { inbound, list: form.list })
        });
        read.collect()
    }

    /// Numbers of deferred entries.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn later_counts(&self) -> Result<LaterCounts, StoreError> {
        let count = async |range: KeyRange| -> Result<u64, StoreError> {
            Ok(self.engine.scan(range, MOST_COUNTED).await?.len() as u64)
        };
        Ok(LaterCounts {
            answers: count(keys::later(b'a')).await?,
            questions: count(keys::later(b'q')).await?,
            forwards: count(keys::later(b'f')).await?,
        })
    }
}

fn damaged(what: &str) -> RecordError {
    RecordError::Damaged { family: FAMILY, reason: format!("{what} cannot be read") }
}
