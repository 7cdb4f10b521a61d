//! How many automatic notices a person gets a day (RFC 3834 §2).

use super::Notices;
use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::token::Key;
use crate::store::StoreError;
use crate::store::engine::Batch;

impl Notices {
    /// Whether an automatic reply of the kind `what` may go to `address` today (UTC); if so, records it in `batch`:
    /// the same reply at most once a day (RFC 3834 §2). The batch conflicts when another does the same meanwhile.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "yes".
    pub async fn once_a_day(&self, batch: &mut Batch, address: &Address, what: &str) -> Result<bool, StoreError> {
        self.at_most(batch, address, what, 1).await
    }

    /// Does the same as [`Notices::once_a_day`], with a limit of `most` a day. The addresses of one person count as
    /// one ([`Address::is_same_person`]): otherwise an attacker could flood a person with a notice for each `+tag`.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "yes".
    pub async fn at_most(
        &self,
        batch: &mut Batch,
        address: &Address,
        what: &str,
        most: u32,
    ) -> Result<bool, StoreError> {
        let inner = &self.inner;
        inner.store.count_reply(batch, day(inner.clock.now()), &person_hash(&inner.key, address, what), most).await
    }
}

/// What stands for notices of the kind `what` to one person in the counts of a day. All addresses of a person give the
/// same ([`Address::is_same_person`]).
pub(crate) fn person_hash(key: &Key, address: &Address, what: &str) -> [u8; 32] {
    key.hash(&format!("{what}\n{}", address.person_key()))
}

/// Days since 1970, UTC.
pub fn day(at: Timestamp) -> u32 {
    u32::try_from(at.timestamp().div_euclid(86_400)).unwrap_or(0)
}
