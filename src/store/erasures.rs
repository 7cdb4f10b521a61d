//! Erasures on disk, each under the keyed hash of the address: open ones with what they need to continue, completed
//! ones as markers without personal data.

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::id::{InboundId, SubscriberId};
use crate::model::erasure::{Erasure, ErasureState, ErasureWork};

use super::engine::{Batch, Key, KeyRange, Value};
use super::pages::Query;
use super::record::{self, RecordError};
use super::suppressions::AddressHash;
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "erasure";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct ErasureV1 {
    at: i64,
    state: StateV1,
}

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Open { address: String, subscriber: Option<u64>, files: Vec<[u8; 32]>, mail: Option<u64> },
    Done { at: i64, journal: Option<i64>, index: Option<i64> },
}

fn encode(erasure: &Erasure) -> Value {
    let state = match &erasure.state {
        ErasureState::Open(work) => StateV1::Open {
            address: work.address.as_str().to_owned(),
            subscriber: work.subscriber.map(|id| id.0),
            files: work.files.clone(),
            mail: work.mail.map(|id| id.0),
        },
        ErasureState::Done { at, journal, index } => StateV1::Done {
            at: at.timestamp_millis(),
            journal: journal.map(|at| at.timestamp_millis()),
            index: index.map(|at| at.timestamp_millis()),
        },
    };
    record::encode(VERSION, &ErasureV1 { at: erasure.at.timestamp_millis(), state })
}

fn decode(stamp: Value) -> Result<Read<Erasure>, RecordError> {
    let form: ErasureV1 = match record::split(FAMILY, &stamp)? {
        (VERSION, rest) => record::decode(FAMILY, rest)?,
        (version, _) => return Err(RecordError::Newer { family: FAMILY, version }),
    };
    let instant = |millis| record::instant(FAMILY, millis);
    let state = match form.state {
        StateV1::Open { address, subscriber, files, mail } => ErasureState::Open(ErasureWork {
            address: Address::from_stored(address).map_err(|e| damaged(e.to_string()))?,
            subscriber: subscriber.map(SubscriberId),
            files,
            mail: mail.map(InboundId),
        }),
        StateV1::Done { at, journal, index } => ErasureState::Done {
            at: instant(at)?,
            journal: journal.map(instant).transpose()?,
            index: index.map(instant).transpose()?,
        },
    };
    let value = Erasure { at: instant(form.at)?, state };
    Ok(Read { value, stamp })
}

fn damaged(reason: String) -> RecordError {
    RecordError::Damaged { family: FAMILY, reason }
}

fn hash_of(key: &Key) -> Result<AddressHash, RecordError> {
    key.0.last_chunk().copied().ok_or_else(|| damaged("its key holds no hash".to_owned()))
}

/// Writes an erasure in `batch`, if the stored value still equals `before`; returns its new stamp.
pub(crate) fn put(batch: &mut Batch, hash: &AddressHash, before: Option<Value>, erasure: &Erasure) -> Value {
    let (key, stamp) = (keys::erasure(hash), encode(erasure));
    batch.expect_read(key.clone(), before);
    batch.put(key.clone(), stamp.clone());
    match erasure.state {
        ErasureState::Open(_) => batch.put(keys::open_erasure(hash), Vec::new()),
        ErasureState::Done { .. } => batch.delete(keys::open_erasure(hash)),
    }
    match erasure.state {
        ErasureState::Done { journal, index, .. } if journal.is_none() || index.is_none() => {
            batch.put(keys::aging_erasure(hash), Vec::new());
        }
        _ => batch.delete(keys::aging_erasure(hash)),
    }
    stamp
}

/// Completed erasures whose data may still be in journal or index, in order of hash.
pub(crate) fn aging() -> Query<(AddressHash, Read<Erasure>)> {
    let named = |row: &Key| Some(keys::erasure(&hash_of(row).ok()?));
    Query::indexed(keys::aging_erasures(), named, |key, bytes| Ok((hash_of(key)?, decode(bytes)?)))
}

impl Store {
    /// The erasure of the address with this keyed hash.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub(crate) async fn erasure(&self, hash: &AddressHash) -> Result<Option<Read<Erasure>>, StoreError> {
        Ok(self.engine.get(&keys::erasure(hash)).await?.map(decode).transpose()?)
    }

    /// Up to `limit` erasures after `after`, in order of hash; `None`: from the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn scan_erasures(
        &self,
        after: Option<AddressHash>,
        limit: usize,
    ) -> Result<Vec<(AddressHash, Read<Erasure>)>, StoreError> {
        let mut range = keys::erasures();
        if let Some(after) = after {
            range = range.after(&keys::erasure(&after));
        }
        let found = self.engine.scan(range, limit).await?;
        found.into_iter().map(|(key, bytes)| Ok((hash_of(&key)?, decode(bytes)?))).collect()
    }

    /// The first `limit` open erasures.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_erasures(&self, limit: usize) -> Result<Vec<(AddressHash, Read<Erasure>)>, StoreError> {
        self.erasures_in(keys::open_erasures(), limit).await
    }

    async fn erasures_in(
        &self,
        range: KeyRange,
        limit: usize,
    ) -> Result<Vec<(AddressHash, Read<Erasure>)>, StoreError> {
        let mut found = Vec::new();
        for (key, _) in self.engine.scan(range, limit).await? {
            let hash = hash_of(&key)?;
            found.extend(self.erasure(&hash).await?.map(|read| (hash, read)));
        }
        Ok(found)
    }
}
