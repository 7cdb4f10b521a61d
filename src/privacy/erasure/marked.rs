//! Repeats erasures after a backup was restored: people erased since it was made are in it again.
//!
//! Next to a backup only marks without names are stored: the keyed hash of an address and when its owner was erased.

use std::collections::BTreeMap;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{PostId, SubscriberId};
use crate::model::subscriber::Subscriber;
use crate::privacy::personal_data::PersonalDataError;
use crate::store::engine::{Batch, Commit};
use crate::store::suppressions::AddressHash;
use crate::store::{CONFLICT_TRIES, Read, Store, StoreError};

use super::request::begin;
use super::{Eraser, Worked};

/// Number of records read at a time.
const PAGE: usize = 500;

/// Records that a person was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ErasureMark {
    /// The keyed hash of their address ([`crate::base::token::Key::hash_address`]).
    pub hash: AddressHash,
    /// When it was requested.
    pub at: Timestamp,
}

/// The marks of all erasures in a store, open and done: to be stored next to a backup.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn erasure_marks(store: &Store) -> Result<Vec<ErasureMark>, StoreError> {
    let (mut marks, mut after) = (Vec::new(), None);
    loop {
        let page = store.scan_erasures(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(marks) };
        after = Some(*last);
        marks.extend(page.into_iter().map(|(hash, read)| ErasureMark { hash, at: read.value.at }));
    }
}

/// Erases everyone identified by a mark's address hash, and works until nothing more can be done. People who came
/// back after their mark, as new subscribers, are left alone; a mark that is in the store already changes nothing,
/// unless the person is there. May be repeated.
///
/// # Errors
/// [`PersonalDataError`]: what was done stays done; repeat the call.
pub(crate) async fn erase_marked(
    eraser: &Eraser,
    marks: &[ErasureMark],
    now: Timestamp,
) -> Result<Worked, PersonalDataError> {
    let mut wanted: BTreeMap<AddressHash, Timestamp> = BTreeMap::new();
    for mark in marks {
        let at = wanted.entry(mark.hash).or_insert(mark.at);
        *at = mark.at.max(*at);
    }
    if wanted.is_empty() {
        return eraser.work(now).await;
    }
    let (mut begun, mut after) = (0, SubscriberId(0));
    loop {
        let page = eraser.store.scan_subscribers(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.value.id;
        for read in page {
            let hash = eraser.key.hash_address(&read.value.address);
            if let Some(at) = wanted.remove(&hash)
                && read.value.created <= at
            {
                begin_again(eraser, &read.value.address.clone(), Some(read), at).await?;
                begun += 1;
            }
        }
    }
    for (hash, address) in strangers(eraser, &wanted).await? {
        if let Some(at) = wanted.remove(&hash) {
            begin_again(eraser, &address, None, at).await?;
            begun += 1;
        }
    }
    // The others have no data; their erasure is recorded again, so that no import brings them back.
    for (hash, at) in wanted {
        mark(&eraser.store, &hash, at, now).await?;
    }
    Ok(Worked { begun, ..eraser.work(now).await? })
}

async fn begin_again(
    eraser: &Eraser,
    address: &Address,
    mut found: Option<Read<Subscriber>>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let id = found.as_ref().map(|found| found.value.id);
    for _ in 0..CONFLICT_TRIES {
        let mut batch = Batch::new();
        begin(&eraser.store, &eraser.key, &mut batch, address, found.as_ref(), at).await?;
        if eraser.store.commit(batch).await? == Commit::Applied {
            return Ok(());
        }
        if let Some(id) = id {
            found = eraser.store.subscriber(id).await?.filter(|found| found.value.address.key() == address.key());
        }
    }
    Err(StoreError::Contended(CONFLICT_TRIES))
}

/// The addresses outside the subscribers' records with the wanted hashes.
async fn strangers(
    eraser: &Eraser,
    wanted: &BTreeMap<AddressHash, Timestamp>,
) -> Result<BTreeMap<AddressHash, Address>, StoreError> {
    let (store, mut found) = (&eraser.store, BTreeMap::new());
    // What arrived after a person was erased is not part of the erasure.
    let mut take = |address: &Address, since: Timestamp| {
        let hash = eraser.key.hash_address(address);
        if wanted.get(&hash).is_some_and(|at| since <= *at) {
            found.insert(hash, address.clone());
        }
    };
    let mut after = None;
    loop {
        let page = store.scan_suppressions(after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (_, suppression) in &page {
            suppression.address.iter().for_each(|address| take(address, suppression.since));
        }
    }
    let mut cursor = None;
    loop {
        let (page, next) = store.scan_requests(cursor, PAGE).await?;
        page.iter().for_each(|pending| take(&pending.value.address, pending.value.asked));
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    loop {
        let (page, next) = store.scan_rsvps(cursor, PAGE).await?;
        for (_, rsvp) in &page {
            let first = rsvp.value.changes.first().map_or(Timestamp::MIN_UTC, |change| change.at);
            take(&rsvp.value.address, first);
        }
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    let mut before = None;
    loop {
        let page = store.notices(before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.value.id);
        page.iter().for_each(|notice| take(&notice.value.recipient, notice.value.created));
    }
    let mut after = PostId(0);
    loop {
        let page = store.posts(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.value.id;
        page.iter().for_each(|post| take(&post.value.author, post.value.received));
    }
    let mut after = None;
    loop {
        let page = store.scan_inbound(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.value.id);
        for arrival in page.iter().map(|read| &read.value.arrival) {
            let sender = arrival.sender.as_deref().and_then(|sender| sender.parse::<Address>().ok());
            sender.iter().for_each(|sender| take(sender, arrival.at));
        }
    }
    Ok(found)
}

/// Records an erasure with nothing left to do, unless it is recorded, or the suppression was lifted since.
async fn mark(store: &Store, hash: &AddressHash, at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    use crate::model::erasure::{Erasure, ErasureState};
    use crate::model::suppression::{Suppression, SuppressionReason};
    use crate::store::{erasures, suppressions};
    if store.erasure(hash).await?.is_some() {
        return Ok(());
    }
    let mut batch = Batch::new();
    let state = ErasureState::Done { at: now, journal: None, index: None };
    erasures::put(&mut batch, hash, None, &Erasure { at, state });
    if store.suppression(hash).await?.is_none() {
        let erased = Suppression { address: None, reason: SuppressionReason::Erased, since: at, note: String::new() };
        suppressions::put(&mut batch, hash, None, &erased);
    }
    // On a conflict another process has just recorded it.
    store.commit(batch).await?;
    Ok(())
}
