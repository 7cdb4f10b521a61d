//! Pending requests on disk, each under its number until its token expires, and which kept mails are confirmations.

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::id::{PendingRequestId, SubscriberId};
use crate::model::pending_request::{Action, PendingRequest, PendingState};
use crate::model::present::Present;

use super::engine::{Batch, Key, Value};
use super::record::{self, RecordError};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "pending request";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct RequestV1 {
    id: u64,
    address: String,
    list: String,
    language: String,
    actions: Vec<ActionV1>,
    words: String,
    asked: i64,
    expires: i64,
    state: StateV1,
}

#[derive(Serialize, Deserialize)]
enum ActionV1 {
    Subscribe,
    Unsubscribe,
    Pause,
    Resume,
    Language(String),
    Beats(Vec<String>),
    Regions(Vec<String>),
}

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Open,
    Granted(i64),
    Declined(i64),
}

fn encode(pending: &PendingRequest) -> Value {
    let action = |action: &Action| match action {
        Action::Subscribe => ActionV1::Subscribe,
        Action::Unsubscribe => ActionV1::Unsubscribe,
        Action::Pause => ActionV1::Pause,
        Action::Resume => ActionV1::Resume,
        Action::Language(language) => ActionV1::Language(language.as_str().to_owned()),
        Action::Beats(beats) => ActionV1::Beats(beats.iter().cloned().collect()),
        Action::Regions(regions) => ActionV1::Regions(regions.iter().cloned().collect()),
    };
    let form = RequestV1 {
        id: pending.id.0,
        address: pending.address.as_str().to_owned(),
        list: pending.list.as_str().to_owned(),
        language: pending.language.as_str().to_owned(),
        actions: pending.actions.iter().map(action).collect(),
        words: pending.words.clone(),
        asked: pending.asked.timestamp_millis(),
        expires: pending.expires.timestamp_millis(),
        state: match pending.state {
            PendingState::Open => StateV1::Open,
            PendingState::Granted { at } => StateV1::Granted(at.timestamp_millis()),
            PendingState::Declined { at } => StateV1::Declined(at.timestamp_millis()),
        },
    };
    record::encode(VERSION, &form)
}

fn decode(stamp: Value) -> Result<Read<PendingRequest>, RecordError> {
    let (version, rest) = record::split(FAMILY, &stamp)?;
    if version != VERSION {
        return Err(RecordError::Newer { family: FAMILY, version });
    }
    let form: RequestV1 = record::decode(FAMILY, rest)?;
    let damaged = |reason: String| RecordError::Damaged { family: FAMILY, reason };
    let language = |tag: String| tag.parse().map_err(|e: crate::base::language::LanguageError| damaged(e.to_string()));
    let mut actions = Vec::with_capacity(form.actions.len());
    for action in form.actions {
        actions.push(match action {
            ActionV1::Subscribe => Action::Subscribe,
            ActionV1::Unsubscribe => Action::Unsubscribe,
            ActionV1::Pause => Action::Pause,
            ActionV1::Resume => Action::Resume,
            ActionV1::Language(tag) => Action::Language(language(tag)?),
            ActionV1::Beats(beats) => Action::Beats(beats.into_iter().collect()),
            ActionV1::Regions(regions) => Action::Regions(regions.into_iter().collect()),
        });
    }
    let at = |millis| record::instant(FAMILY, millis);
    let value = PendingRequest {
        id: PendingRequestId(form.id),
        address: Address::from_stored(form.address).map_err(|e| damaged(e.to_string()))?,
        list: form.list.parse().map_err(|e: crate::base::id::IdError| damaged(e.to_string()))?,
        language: language(form.language)?,
        actions,
        words: form.words,
        asked: at(form.asked)?,
        expires: at(form.expires)?,
        state: match form.state {
            StateV1::Open => PendingState::Open,
            StateV1::Granted(millis) => PendingState::Granted { at: at(millis)? },
            StateV1::Declined(millis) => PendingState::Declined { at: at(millis)? },
        },
    };
    Ok(Read { value, stamp })
}

/// Adds a pending request to `batch`; conflicts if its number is taken.
pub fn put_new(batch: &mut Batch, pending: &PendingRequest) {
    batch.expect_absent(keys::pending(pending.id));
    batch.put(keys::pending(pending.id), encode(pending));
}

/// Writes an answered request in `batch`, if it is unchanged since it was read: so a token can be used only once.
pub(crate) fn put_changed(batch: &mut Batch, before: &Read<PendingRequest>, pending: &PendingRequest) {
    batch.expect(keys::pending(before.value.id), before.stamp.clone());
    batch.put(keys::pending(before.value.id), encode(pending));
}

/// Deletes a pending request in `batch`.
pub(crate) fn delete(batch: &mut Batch, id: PendingRequestId) {
    batch.delete(keys::pending(id));
}

/// Stores in `batch` that the kept mail with this hash is a subscriber's confirmation.
pub fn put_evidence(batch: &mut Batch, sha256: &[u8; 32], subscriber: SubscriberId) {
    batch.put(keys::evidence(sha256), subscriber.0.to_be_bytes().as_slice());
}

/// Deletes that entry in `batch`: the mail is then removed by the next cleanup of attachments at the latest.
pub(crate) fn delete_evidence(batch: &mut Batch, sha256: &[u8; 32]) {
    batch.delete(keys::evidence(sha256));
}

impl Store {
    /// The pending request with this number.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub async fn pending(&self, id: PendingRequestId) -> Result<Option<Read<PendingRequest>>, StoreError> {
        Ok(self.engine.get(&keys::pending(id)).await?.map(decode).transpose()?)
    }

    /// Up to `limit` pending requests after `cursor`, and where to continue.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn scan_requests(
        &self,
        cursor: Option<Key>,
        limit: usize,
    ) -> Result<(Vec<Read<PendingRequest>>, Option<Key>), StoreError> {
        let mut range = keys::table(b'T');
        if let Some(cursor) = &cursor {
            range = range.after(cursor);
        }
        let found = self.engine.scan(range, limit).await?;
        let next = found.last().filter(|_| found.len() == limit).map(|(key, _)| key.clone());
        let pending_requests = found.into_iter().map(|(_, bytes)| decode(bytes)).collect::<Result<_, _>>()?;
        Ok((pending_requests, next))
    }

    /// Forgets requests whose time is over. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`]: what was forgotten before stays forgotten.
    pub(crate) async fn forget_requests(&self, present: &Present) -> Result<u64, StoreError> {
        self.forget(keys::table(b'T'), |bytes| Ok(decode(bytes.into())?.value.is_over(present))).await
    }

    /// Whether a kept mail is a confirmation.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "no".
    pub(crate) async fn is_evidence(&self, sha256: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.engine.get(&keys::evidence(sha256)).await?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::Timestamp;
    use crate::base::language::Language;
    use crate::store::engine::Commit;
    use crate::store::memory::MemoryEngine;

    fn pending(id: u64, minutes: i64) -> PendingRequest {
        let asked = "2026-11-23T08:00:00Z".parse::<Timestamp>().unwrap();
        PendingRequest {
            id: PendingRequestId(id),
            address: "karin@example.org".parse().unwrap(),
            list: "media".parse().unwrap(),
            language: Language::swedish(),
            actions: vec![
                Action::Subscribe,
                Action::Language(Language::english()),
                Action::Beats(["skola".to_owned()].into()),
                Action::Regions(Default::default()),
            ],
            words: "Ja".into(),
            asked,
            expires: asked + chrono::Duration::minutes(minutes),
            state: PendingState::Open,
        }
    }

    #[tokio::test]
    async fn a_request_is_answered_once_and_forgotten_when_it_expires() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        let mut batch = Batch::new();
        put_new(&mut batch, &pending(1, 5));
        put_new(&mut batch, &pending(2, 50));
        store.commit(batch).await.unwrap();
        let read = store.pending(PendingRequestId(1)).await.unwrap().unwrap();
        assert_eq!(read.value, pending(1, 5));
        let granted = PendingRequest { state: PendingState::Granted { at: read.value.asked }, ..read.value.clone() };
        for expected in [true, false] {
            let mut batch = Batch::new();
            put_changed(&mut batch, &read, &granted);
            assert_eq!(store.commit(batch).await.unwrap() == Commit::Applied, expected);
        }
        let later = read.value.asked + chrono::Duration::minutes(20);
        assert_eq!(store.forget_requests(&Present::at(later)).await.unwrap(), 1);
        assert!(store.pending(PendingRequestId(1)).await.unwrap().is_none());
        assert!(store.pending(PendingRequestId(2)).await.unwrap().is_some());
    }
}
