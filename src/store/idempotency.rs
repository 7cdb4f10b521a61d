//! Requests that must not be repeated: the key that the client sent, and the result. Written in one batch with what the
//! request does, so that a repeated request finds both or neither.

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::model::present::Cutoff;

use super::engine::Batch;
use super::record::{self, RecordError};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "idempotency key";
/// The longest key, in bytes.
pub(crate) const LONGEST: usize = 200;

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// SHA-256 of the request: the same key with another request is an error.
    pub request: [u8; 32],
    /// The mailing that was queued.
    pub mailing: MailingId,
    /// When the request was answered.
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct AnsweredV1 {
    request: [u8; 32],
    mailing: u64,
    at: i64,
}

impl Store {
    /// The result of the request with this key; `None` if there was none.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub async fn answered(&self, key: &str) -> Result<Option<Read<Answered>>, StoreError> {
        let Some(stamp) = self.engine.get(&keys::idempotency(key)).await? else { return Ok(None) };
        Ok(Some(Read { value: decode(&stamp)?, stamp }))
    }

    /// Forgets requests answered before the cutoff. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`]: what was forgotten before stays forgotten.
    pub(crate) async fn forget_answered(&self, old: Cutoff) -> Result<u64, StoreError> {
        self.forget(keys::table(b'i'), |bytes| Ok(old.has(decode(bytes)?.at))).await
    }
}

/// Adds the result of a request to `batch`; conflicts if the key was used before.
pub fn put(batch: &mut Batch, key: &str, answered: &Answered) {
    let form =
        AnsweredV1 { request: answered.request, mailing: answered.mailing.0, at: answered.at.timestamp_millis() };
    batch.expect_absent(keys::idempotency(key));
    batch.put(keys::idempotency(key), record::encode(1, &form));
}

fn decode(bytes: &[u8]) -> Result<Answered, RecordError> {
    let form: AnsweredV1 = match record::split(FAMILY, bytes)? {
        (1, rest) => record::decode(FAMILY, rest)?,
        (version, _) => return Err(RecordError::Newer { family: FAMILY, version }),
    };
    let at = super::record::instant(FAMILY, form.at)?;
    Ok(Answered { request: form.request, mailing: MailingId(form.mailing), at })
}
