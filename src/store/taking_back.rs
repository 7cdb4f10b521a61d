//! Refusals being taken back. Written before the first delivery is changed, deleted after the last, so that an
//! interrupted run is completed at the next start.

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;

use super::engine::Batch;
use super::record::{self, RecordError};
use super::{Store, StoreError, keys};

const FAMILY: &str = "taking back";
/// The most that may be under way at once.
const MOST: usize = 10_000;

/// The refusals to take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakingBack {
    /// The mailing.
    pub mailing: MailingId,
    /// Only subscribers at this domain; `None` for all.
    pub domain: Option<String>,
    /// Only refusals since this instant.
    pub since: Timestamp,
    /// The deliveries are not retried before this instant.
    pub until: Timestamp,
    /// The reason to pause the mailing with, if it must pause.
    pub pause: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct FormV1 {
    since: i64,
    until: i64,
    pause: Option<String>,
}

/// Stores in `batch` that this was begun; replaces an earlier entry for the same mailing and domain.
pub(crate) fn put(batch: &mut Batch, what: &TakingBack) {
    let (since, until) = (what.since.timestamp_millis(), what.until.timestamp_millis());
    let form = FormV1 { since, until, pause: what.pause.clone() };
    batch.put(key(what), record::encode(1, &form));
}

/// Removes in `batch` the entry of a completed run.
pub(crate) fn delete(batch: &mut Batch, what: &TakingBack) {
    batch.delete(key(what));
}

fn key(what: &TakingBack) -> super::engine::Key {
    keys::taking_back(what.mailing, what.domain.as_deref().unwrap_or_default())
}

impl Store {
    /// The runs begun and not completed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn taking_back(&self) -> Result<Vec<TakingBack>, StoreError> {
        let found = self.engine.scan(keys::table(b'F'), MOST).await?;
        let read = |(key, bytes): &(super::engine::Key, super::engine::Value)| {
            let damaged = || RecordError::Damaged { family: FAMILY, reason: "its key".to_owned() };
            let (mailing, domain) = keys::taking_back_of(key).ok_or_else(damaged)?;
            let form: FormV1 = match record::split(FAMILY, bytes)? {
                (1, rest) => record::decode(FAMILY, rest)?,
                (version, _) => return Err(RecordError::Newer { family: FAMILY, version }),
            };
            let domain = (!domain.is_empty()).then(|| domain.to_owned());
            let at = |instant| super::record::instant(FAMILY, instant);
            Ok(TakingBack { mailing, domain, since: at(form.since)?, until: at(form.until)?, pause: form.pause })
        };
        Ok(found.iter().map(read).collect::<Result<_, RecordError>>()?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::engine::Commit;
    use crate::store::memory::MemoryEngine;

    #[tokio::test]
    async fn is_read_as_it_was_written() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        let at = |seconds: i64| chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        let everywhere = TakingBack {
            mailing: MailingId(7),
            domain: None,
            since: at(0),
            until: at(60),
            pause: Some("13 of 13".to_owned()),
        };
        let domain = Some("closed.example".to_owned());
        let here = TakingBack { domain, pause: None, ..everywhere.clone() };
        let mut batch = Batch::new();
        put(&mut batch, &everywhere);
        put(&mut batch, &here);
        assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
        assert_eq!(store.taking_back().await.unwrap(), [everywhere.clone(), here.clone()]);
        let mut batch = Batch::new();
        delete(&mut batch, &everywhere);
        assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
        assert_eq!(store.taking_back().await.unwrap(), [here]);
    }
}
