//! Wishes on disk, each under its number until its token expires, and whose confirmation a kept mail is.

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::id::{SubscriberId, WishId};
use crate::model::present::Present;
use crate::model::wish::{Deed, Wish, WishState};

use super::engine::{Batch, Key, Value};
use super::record::{self, RecordError};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "wish";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct WishV1 {
    id: u64,
    address: String,
    list: String,
    language: String,
    deeds: Vec<DeedV1>,
    words: String,
    asked: i64,
    expires: i64,
    state: StateV1,
}

#[derive(Serialize, Deserialize)]
enum DeedV1 {
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

fn encode(wish: &Wish) -> Value {
    let deed = |deed: &Deed| match deed {
        Deed::Subscribe => DeedV1::Subscribe,
        Deed::Unsubscribe => DeedV1::Unsubscribe,
        Deed::Pause => DeedV1::Pause,
        Deed::Resume => DeedV1::Resume,
        Deed::Language(language) => DeedV1::Language(language.as_str().to_owned()),
        Deed::Beats(beats) => DeedV1::Beats(beats.iter().cloned().collect()),
        Deed::Regions(regions) => DeedV1::Regions(regions.iter().cloned().collect()),
    };
    let form = WishV1 {
        id: wish.id.0,
        address: wish.address.as_str().to_owned(),
        list: wish.list.as_str().to_owned(),
        language: wish.language.as_str().to_owned(),
        deeds: wish.deeds.iter().map(deed).collect(),
        words: wish.words.clone(),
        asked: wish.asked.timestamp_millis(),
        expires: wish.expires.timestamp_millis(),
        state: match wish.state {
            WishState::Open => StateV1::Open,
            WishState::Granted { at } => StateV1::Granted(at.timestamp_millis()),
            WishState::Declined { at } => StateV1::Declined(at.timestamp_millis()),
        },
    };
    record::encode(VERSION, &form)
}

fn decode(stamp: Value) -> Result<Read<Wish>, RecordError> {
    let (version, rest) = record::split(FAMILY, &stamp)?;
    if version != VERSION {
        return Err(RecordError::Newer { family: FAMILY, version });
    }
    let form: WishV1 = record::decode(FAMILY, rest)?;
    let damaged = |reason: String| RecordError::Damaged { family: FAMILY, reason };
    let language = |tag: String| tag.parse().map_err(|e: crate::base::language::LanguageError| damaged(e.to_string()));
    let mut deeds = Vec::with_capacity(form.deeds.len());
    for deed in form.deeds {
        deeds.push(match deed {
            DeedV1::Subscribe => Deed::Subscribe,
            DeedV1::Unsubscribe => Deed::Unsubscribe,
            DeedV1::Pause => Deed::Pause,
            DeedV1::Resume => Deed::Resume,
            DeedV1::Language(tag) => Deed::Language(language(tag)?),
            DeedV1::Beats(beats) => Deed::Beats(beats.into_iter().collect()),
            DeedV1::Regions(regions) => Deed::Regions(regions.into_iter().collect()),
        });
    }
    let at = |millis| record::instant(FAMILY, millis);
    let value = Wish {
        id: WishId(form.id),
        address: Address::from_stored(form.address).map_err(|e| damaged(e.to_string()))?,
        list: form.list.parse().map_err(|e: crate::base::id::IdError| damaged(e.to_string()))?,
        language: language(form.language)?,
        deeds,
        words: form.words,
        asked: at(form.asked)?,
        expires: at(form.expires)?,
        state: match form.state {
            StateV1::Open => WishState::Open,
            StateV1::Granted(millis) => WishState::Granted { at: at(millis)? },
            StateV1::Declined(millis) => WishState::Declined { at: at(millis)? },
        },
    };
    Ok(Read { value, stamp })
}

/// Adds a new wish to `batch`; it conflicts when its number is taken.
pub fn put_new(batch: &mut Batch, wish: &Wish) {
    batch.expect_absent(keys::wish(wish.id));
    batch.put(keys::wish(wish.id), encode(wish));
}

/// Writes an answered wish in `batch`, provided that it is as it was read: so a token is good for one answer.
pub fn put_changed(batch: &mut Batch, before: &Read<Wish>, wish: &Wish) {
    batch.expect(keys::wish(before.value.id), before.stamp.clone());
    batch.put(keys::wish(before.value.id), encode(wish));
}

/// Forgets a wish in `batch`.
pub fn delete(batch: &mut Batch, id: WishId) {
    batch.delete(keys::wish(id));
}

/// Notes in `batch` that the kept mail with this hash is a subscriber's confirmation.
pub fn put_evidence(batch: &mut Batch, sha256: &[u8; 32], subscriber: SubscriberId) {
    batch.put(keys::evidence(sha256), subscriber.0.to_be_bytes().as_slice());
}

/// Takes that note back in `batch`: the mail is dropped with the next look at attachments, if not before.
pub fn delete_evidence(batch: &mut Batch, sha256: &[u8; 32]) {
    batch.delete(keys::evidence(sha256));
}

impl Store {
    /// The wish with this number.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "there is none".
    pub async fn wish(&self, id: WishId) -> Result<Option<Read<Wish>>, StoreError> {
        Ok(self.engine.get(&keys::wish(id)).await?.map(decode).transpose()?)
    }

    /// The next `limit` wishes after `cursor`, and where to go on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn scan_wishes(
        &self,
        cursor: Option<Key>,
        limit: usize,
    ) -> Result<(Vec<Read<Wish>>, Option<Key>), StoreError> {
        let mut range = keys::table(b'T');
        if let Some(cursor) = &cursor {
            range = range.after(cursor);
        }
        let found = self.engine.scan(range, limit).await?;
        let next = found.last().filter(|_| found.len() == limit).map(|(key, _)| key.clone());
        let wishes = found.into_iter().map(|(_, octets)| decode(octets)).collect::<Result<_, _>>()?;
        Ok((wishes, next))
    }

    /// Forgets wishes whose time is over, among at most `limit` after `cursor`; gives how many, and where to go on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_wishes(
        &self,
        present: &Present,
        cursor: Option<Key>,
        limit: usize,
    ) -> Result<(u64, Option<Key>), StoreError> {
        let (wishes, next) = self.scan_wishes(cursor, limit).await?;
        let (mut batch, mut forgotten) = (Batch::new(), 0);
        for wish in wishes.iter().filter(|wish| wish.value.is_over(present)) {
            delete(&mut batch, wish.value.id);
            forgotten += 1;
        }
        if !batch.is_empty() {
            self.commit(batch).await?;
        }
        Ok((forgotten, next))
    }

    /// Whether a kept mail is somebody's confirmation.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "no".
    pub async fn is_evidence(&self, sha256: &[u8; 32]) -> Result<bool, StoreError> {
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

    fn wish(id: u64, minutes: i64) -> Wish {
        let asked = "2026-11-23T08:00:00Z".parse::<Timestamp>().unwrap();
        Wish {
            id: WishId(id),
            address: "karin@example.org".parse().unwrap(),
            list: "media".parse().unwrap(),
            language: Language::swedish(),
            deeds: vec![
                Deed::Subscribe,
                Deed::Language(Language::english()),
                Deed::Beats(["skola".to_owned()].into()),
                Deed::Regions(Default::default()),
            ],
            words: "Ja".into(),
            asked,
            expires: asked + chrono::Duration::minutes(minutes),
            state: WishState::Open,
        }
    }

    #[tokio::test]
    async fn a_wish_is_answered_once_and_forgotten_when_it_expires() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        let mut batch = Batch::new();
        put_new(&mut batch, &wish(1, 5));
        put_new(&mut batch, &wish(2, 50));
        store.commit(batch).await.unwrap();
        let read = store.wish(WishId(1)).await.unwrap().unwrap();
        assert_eq!(read.value, wish(1, 5));
        let granted = Wish { state: WishState::Granted { at: read.value.asked }, ..read.value.clone() };
        for expected in [true, false] {
            let mut batch = Batch::new();
            put_changed(&mut batch, &read, &granted);
            assert_eq!(store.commit(batch).await.unwrap() == Commit::Applied, expected);
        }
        let later = read.value.asked + chrono::Duration::minutes(20);
        assert_eq!(store.forget_wishes(&Present::at(later), None, 10).await.unwrap(), (1, None));
        assert!(store.wish(WishId(1)).await.unwrap().is_none());
        assert!(store.wish(WishId(2)).await.unwrap().is_some());
    }
}
