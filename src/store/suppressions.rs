//! Suppressions on disk, each under the keyed hash of its address, so that it is still found after the address itself
//! has been erased.

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::model::suppression::{Suppression, SuppressionReason};

use super::engine::{Batch, Key, KeyRange, Value};
use super::record::{self, RecordError, stored_enum};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "suppression";
const VERSION: u8 = 1;
/// The setting that changes with each new suppression.
const EDITION: &str = "suppressions";

/// The keyed hash that identifies a suppressed address ([`crate::base::token::Key::hash_address`]).
pub(crate) type AddressHash = [u8; 32];

#[derive(Serialize, Deserialize)]
struct SuppressionV1 {
    address: Option<String>,
    reason: ReasonV1,
    since: i64,
    note: String,
}

stored_enum!(ReasonV1 is SuppressionReason { Request, Complaint, Erased, Operator });

fn encode(suppression: &Suppression) -> Value {
    record::encode(
        VERSION,
        &SuppressionV1 {
            address: suppression.address.as_ref().map(|a| a.as_str().to_owned()),
            reason: suppression.reason.into(),
            since: suppression.since.timestamp_millis(),
            note: suppression.note.clone(),
        },
    )
}

fn decode(bytes: &Value) -> Result<Read<Suppression>, StoreError> {
    let (version, rest) = record::split(FAMILY, bytes)?;
    if version != VERSION {
        return Err(RecordError::Newer { family: FAMILY, version }.into());
    }
    let form: SuppressionV1 = record::decode(FAMILY, rest)?;
    let address = form.address.map(Address::from_stored).transpose();
    let suppression = Suppression {
        address: address.map_err(|e| RecordError::Damaged { family: FAMILY, reason: e.to_string() })?,
        reason: form.reason.into(),
        since: record::instant(FAMILY, form.since)?,
        note: form.note,
    };
    Ok(Read { value: suppression, stamp: bytes.clone() })
}

/// Sets the suppression of `hash` in `batch`, if it still equals `before`. Changes the edition of the suppressions, so
/// that a concurrent import checks its rows again.
pub fn put(batch: &mut Batch, hash: &AddressHash, before: Option<Value>, suppression: &Suppression) {
    let key = keys::suppression(hash);
    batch.expect_read(key.clone(), before);
    batch.put(key, encode(suppression));
    let edition = [hash.as_slice(), &suppression.since.timestamp_millis().to_be_bytes()].concat();
    batch.put(keys::setting(EDITION), edition);
}

/// Requires in `batch` that no address was suppressed since `edition` was read ([`Store::suppressions_edition`]).
pub(crate) fn expect_edition(batch: &mut Batch, edition: Option<Value>) {
    batch.expect_read(keys::setting(EDITION), edition);
}

/// Lifts a suppression in `batch`, if it is unchanged since it was read.
pub(crate) fn delete(batch: &mut Batch, hash: &AddressHash, before: Value) {
    let key = keys::suppression(hash);
    batch.expect(key.clone(), before);
    batch.delete(key);
}

fn hash_of(key: &Key) -> Result<AddressHash, RecordError> {
    let damaged = |_| RecordError::Damaged { family: FAMILY, reason: "its key holds no hash".to_owned() };
    key.0.get(1..).unwrap_or_default().try_into().map_err(damaged)
}

impl Store {
    /// Whether mail to the address with this keyed hash is forbidden.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "no".
    pub async fn is_suppressed(&self, hash: &AddressHash) -> Result<bool, StoreError> {
        Ok(self.engine.get(&keys::suppression(hash)).await?.is_some())
    }

    /// A value that changes with each new suppression; `None` before the first. Checking it replaces a check of each
    /// address of a batch.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn suppressions_edition(&self) -> Result<Option<Value>, StoreError> {
        Ok(self.engine.get(&keys::setting(EDITION)).await?)
    }

    /// The suppression of the address with this keyed hash.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn suppression(&self, hash: &AddressHash) -> Result<Option<Read<Suppression>>, StoreError> {
        self.engine.get(&keys::suppression(hash)).await?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Up to `limit` suppressions after `after`, in order of hash; `None`: from the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn scan_suppressions(
        &self,
        after: Option<AddressHash>,
        limit: usize,
    ) -> Result<Vec<(AddressHash, Suppression)>, StoreError> {
        let mut range: KeyRange = keys::table(b'x');
        if let Some(after) = after {
            range = range.after(&keys::suppression(&after));
        }
        let found = self.engine.scan(range, limit).await?;
        found.iter().map(|(key, bytes)| Ok((hash_of(key)?, decode(bytes)?.value))).collect()
    }
}
