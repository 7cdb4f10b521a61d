//! A subscriber's index rows: one for each of their lists, with the state of the subscription.

use std::collections::BTreeMap;

use crate::base::id::ListName;
use crate::model::subscriber::{Subscriber, SubscriptionState};

use super::engine::{Batch, Key};
use super::keys;

type Rows = BTreeMap<Key, Vec<u8>>;

/// The code of a subscription's state in the row of its list.
pub(super) fn code(state: SubscriptionState) -> u8 {
    match state {
        SubscriptionState::Pending => 0,
        SubscriptionState::Active => 1,
        SubscriptionState::Paused => 2,
        SubscriptionState::Suspended => 3,
        SubscriptionState::Ended => 4,
    }
}

/// The state with this code.
pub(super) fn state_of(code: u8) -> Option<SubscriptionState> {
    use SubscriptionState::{Active, Ended, Paused, Pending, Suspended};
    [Pending, Active, Paused, Suspended, Ended].into_iter().find(|state| self::code(*state) == code)
}

/// The rows of a subscriber.
pub(super) fn rows(subscriber: &Subscriber) -> Rows {
    let row = |(list, state): (&ListName, SubscriptionState)| (keys::member(list, subscriber.id), vec![code(state)]);
    subscriber.subscriptions.iter().map(|(list, subscription)| row((list, subscription.state))).collect()
}

/// Writes the rows of a new subscriber.
pub(super) fn put_new(batch: &mut Batch, subscriber: &Subscriber) {
    rows(subscriber).into_iter().for_each(|(key, value)| batch.put(key, value));
}

/// Updates the rows for a changed subscriber.
pub(super) fn put_changed(batch: &mut Batch, before: &Subscriber, after: &Subscriber) {
    let (old, new) = (rows(before), rows(after));
    old.keys().filter(|key| !new.contains_key(*key)).for_each(|key| batch.delete(key.clone()));
    new.into_iter().filter(|(key, value)| old.get(key) != Some(value)).for_each(|(key, value)| batch.put(key, value));
}

/// Removes the rows of a subscriber.
pub(super) fn delete(batch: &mut Batch, subscriber: &Subscriber) {
    rows(subscriber).into_keys().for_each(|key| batch.delete(key));
}
