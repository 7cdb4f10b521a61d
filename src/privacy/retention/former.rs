//! Former subscribers who left all lists long ago, and which of them are still needed.

use std::collections::BTreeSet;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::SubscriberId;
use crate::base::token::Key;
use crate::model::pending_request::PendingState;
use crate::model::present::Cutoff;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::privacy::erasure::request::begin as begin_erasure;
use crate::store::engine::{Batch, Commit};
use crate::store::{Store, StoreError};

use super::people::{Ends, answer_over};

/// Number of records read at a time.
const PAGE: usize = 500;

/// Those who stay although they are on no list any more.
#[derive(Default)]
pub(crate) struct Needed {
    /// Addresses ([`Address::key`]) in lists or the configuration, or with an open question or answer.
    addresses: BTreeSet<String>,
    /// Subscribers who answered an invitation.
    subscribers: BTreeSet<SubscriberId>,
}

impl Needed {
    /// Collects those who are owner, sender or moderator by `configured` or a list, whose request is pending, or
    /// whose answer to an invitation is kept: with `answers`, if it ended after that time; otherwise always.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn now(
        store: &Store,
        configured: &[Address],
        answers: Option<Timestamp>,
    ) -> Result<Self, StoreError> {
        let mut needed = Self { addresses: configured.iter().map(Address::key).collect(), ..Self::default() };
        for list in store.lists().await? {
            needed.addresses.extend(list.value.named().map(Address::key));
        }
        let mut cursor = None;
        loop {
            let (page, next) = store.scan_requests(cursor, PAGE).await?;
            let open = page.iter().map(|read| &read.value).filter(|pending| pending.state == PendingState::Open);
            needed.addresses.extend(open.map(|pending| pending.address.key()));
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        let mut ends = Ends::new();
        loop {
            let (page, next) = store.scan_rsvps(cursor, PAGE).await?;
            for (_, read) in page {
                let over = answer_over(store, &mut ends, &read.value).await?;
                if answers.is_none_or(|before| over.is_some_and(|over| over >= before)) {
                    needed.addresses.insert(read.value.address.key());
                    needed.subscribers.extend(read.value.subscriber);
                }
            }
            cursor = next;
            if cursor.is_none() {
                return Ok(needed);
            }
        }
    }

    fn has(&self, subscriber: &Subscriber) -> bool {
        self.subscribers.contains(&subscriber.id) || self.addresses.contains(&subscriber.address.key())
    }
}

/// Begins the erasure of subscribers who have been on no list since before the cutoff, except those `needed`. Returns
/// how many; the processing of open erasures does the rest.
///
/// # Errors
/// [`StoreError`]: those begun stay begun.
pub(crate) async fn erase_former(
    store: &Store,
    key: &Key,
    needed: &Needed,
    old: Cutoff,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let (mut erased, mut after) = (0, SubscriberId(0));
    loop {
        let page = store.scan_subscribers(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(erased) };
        after = last.value.id;
        for read in page.iter().filter(|read| is_former(&read.value, old) && !needed.has(&read.value)) {
            let mut batch = Batch::new();
            begin_erasure(store, key, &mut batch, &read.value.address, Some(read), now).await?;
            // On a conflict they have just come back, or something else changed: the next run decides.
            erased += u64::from(store.commit(batch).await? == Commit::Applied);
        }
    }
}

/// Whether a subscriber was on a list, is on none any more, and has not changed since before the cutoff. One who was
/// never on a list has not left.
fn is_former(subscriber: &Subscriber, old: Cutoff) -> bool {
    let mut subscriptions = subscriber.subscriptions.values();
    old.has(subscriber.updated)
        && !subscriber.subscriptions.is_empty()
        && subscriptions.all(|subscription| subscription.state == SubscriptionState::Ended)
}
