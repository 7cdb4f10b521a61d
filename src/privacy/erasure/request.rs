//! The first step of an erasure (GDPR Article 17): one commit removes the person's own record, leaves the keyed hash
//! of the address, so that no import brings them back, and records the work left. From then on nothing is sent to
//! them.
//!
//! The rest is done by [`crate::privacy::erasure`], which continues across interruptions until it is complete.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::token::Key;
use crate::model::erasure::{Erasure, ErasureState, ErasureWork};
use crate::model::subscriber::Subscriber;
use crate::model::suppression::{Suppression, SuppressionReason};
use crate::privacy::personal_data::{Files, People, PersonalDataError};
use crate::store::engine::Batch;
use crate::store::suppressions::AddressHash;
use crate::store::{Attempt, Read, Store, StoreError, erasures, pending_requests, subscribers, suppressions};
use crate::subscribers::profile::{PersonError, SubscriberService};

impl SubscriberService {
    /// Begins the erasure of a person, by number or address; returns the keyed hash of the address. With `files`,
    /// people known only from mail are found too.
    ///
    /// # Errors
    /// [`PersonError::NotFound`] when nothing is known about them; [`PersonError::Store`]: nothing was
    /// erased.
    pub async fn erase(&self, who: &str, files: Option<&Files>) -> Result<AddressHash, PersonError> {
        self.store
            .attempt(|| async move {
                let (address, found) = match self.find(who).await {
                    Ok(found) => (found.value.address.clone(), Some(found)),
                    Err(PersonError::NotFound(_)) => (self.stranger(who, files).await?, None),
                    Err(error) => return Err(error),
                };
                let mut batch = Batch::new();
                let hash = begin(&self.store, &self.key, &mut batch, &address, found.as_ref(), self.at).await?;
                Ok(Attempt::Commit(batch, hash))
            })
            .await
    }

    /// An address that is not a subscriber's but occurs elsewhere.
    async fn stranger(&self, who: &str, files: Option<&Files>) -> Result<Address, PersonError> {
        let not_found = || PersonError::NotFound(who.to_owned());
        let address: Address = who.parse().map_err(|_| not_found())?;
        let hash = self.key.hash_address(&address);
        let suppressed = self.store.suppression(&hash).await?;
        if suppressed.is_some_and(|found| found.value.address.is_some()) {
            return Ok(address);
        }
        let people = People::new(&[(address.clone(), hash, None)]);
        match is_traced(&self.store, &people, files).await? {
            true => Ok(address),
            false => Err(not_found()),
        }
    }
}

async fn is_traced(store: &Store, people: &People, files: Option<&Files>) -> Result<bool, PersonalDataError> {
    Ok(!people.pending_requests(store).await?.is_empty()
        || !people.rsvps(store).await?.is_empty()
        || !people.notices(store).await?.found.is_empty()
        || !people.posts(store, files.map(|files| &files.blobs)).await?.found.is_empty()
        || !people.inbound(store, files.map(|files| &files.spool), None).await?.found.is_empty())
}

/// Adds the first step to `batch`; returns the keyed hash of the address.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn begin(
    store: &Store,
    key: &Key,
    batch: &mut Batch,
    address: &Address,
    found: Option<&Read<Subscriber>>,
    at: Timestamp,
) -> Result<AddressHash, StoreError> {
    let hash = key.hash_address(address);
    let mut files = found.map(|found| evidence(&found.value)).unwrap_or_default();
    files.iter().for_each(|sha256| pending_requests::delete_evidence(batch, sha256));
    if let Some(found) = found {
        subscribers::delete(batch, found);
    }
    let before = store.erasure(&hash).await?;
    let known = before.as_ref().and_then(|read| read.value.work());
    files.extend(known.into_iter().flat_map(|work| work.files.clone()));
    let subscriber = found.map(|found| found.value.id).or(known.and_then(|work| work.subscriber));
    let work = ErasureWork { address: address.clone(), subscriber, files, mail: None };
    let erasure = Erasure { at, state: ErasureState::Open(work) };
    erasures::put(batch, &hash, before.map(|read| read.stamp), &erasure);
    let before = store.suppression(&hash).await?.map(|read| read.stamp);
    let erased = Suppression { address: None, reason: SuppressionReason::Erased, since: at, note: String::new() };
    suppressions::put(batch, &hash, before, &erased);
    Ok(hash)
}

/// Their own mails kept as evidence.
fn evidence(subscriber: &Subscriber) -> Vec<[u8; 32]> {
    let events = subscriber.subscriptions.values().flat_map(|subscription| &subscription.events);
    events.filter_map(|event| event.evidence().copied()).collect()
}
