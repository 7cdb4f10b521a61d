//! Requests to stop requiring approval for mailings to a list. Granting one takes a second user.

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::ListName;
use crate::model::operator::Operator;

use super::engine::Batch;
use super::record::{self, RecordError};
use super::{Store, StoreError, keys};

const FAMILY: &str = "request to end approval";

#[derive(Serialize, Deserialize)]
struct RequestV1 {
    name: String,
    uid: Option<u32>,
    at: i64,
}

impl Store {
    /// Who last asked to stop requiring approval for a list, and when.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not asked".
    pub async fn request_to_end_approval(&self, list: &ListName) -> Result<Option<(Operator, Timestamp)>, StoreError> {
        let Some(bytes) = self.engine.get(&keys::request_to_end_approval(list)).await? else { return Ok(None) };
        let form: RequestV1 = match record::split(FAMILY, &bytes)? {
            (1, rest) => record::decode(FAMILY, rest)?,
            (version, _) => return Err(RecordError::Newer { family: FAMILY, version }.into()),
        };
        let at = record::instant(FAMILY, form.at)?;
        Ok(Some((Operator { name: form.name, uid: form.uid }, at)))
    }

    /// Stores that `by` asked for it at `at`; with `None`, deletes the request.
    ///
    /// # Errors
    /// [`StoreError`]: not stored.
    pub async fn note_request_to_end_approval(
        &self,
        list: &ListName,
        request: Option<(&Operator, Timestamp)>,
    ) -> Result<(), StoreError> {
        let key = keys::request_to_end_approval(list);
        let mut batch = Batch::new();
        match request {
            Some((by, at)) => {
                let form = RequestV1 { name: by.name.clone(), uid: by.uid, at: at.timestamp_millis() };
                batch.put(key, record::encode(1, &form));
            }
            None => batch.delete(key),
        }
        self.commit(batch).await.map(|_| ())
    }
}
