//! A subscriber's rows in index tables: one for each list, with the state of the subscription, and one for each word of
//! name, organisation and address, by which [`super::search`] finds people.
//!
//! Words are compared folded (case, accents: `Åsa` is `asa`). A word is a run of letters and digits; the last label of
//! an address's domain is not indexed, as nearly all addresses share it.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::{ListName, SubscriberId};
use crate::base::unicode;
use crate::model::subscriber::{Subscriber, SubscriptionState};

use super::engine::{Batch, Key};
use super::keys;

/// Bytes of a word that are indexed; longer words are found by their beginning.
const LONGEST_WORD: usize = 40;
/// Indexed words per subscriber; more than any real name has.
const MOST_WORDS: usize = 40;

/// The folded words of a text.
pub(super) fn words(text: &str) -> Vec<String> {
    let folded = unicode::folded(text);
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word[..word.floor_char_boundary(LONGEST_WORD)].to_owned()).collect()
}

/// The words by which a subscriber is found.
pub(super) fn words_of(subscriber: &Subscriber) -> BTreeSet<String> {
    let address = subscriber.address.as_str();
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let domain = domain.rsplit_once('.').map_or(domain, |(rest, _)| rest);
    let texts = [subscriber.name.as_deref(), subscriber.organisation.as_deref(), Some(local), Some(domain)];
    texts.into_iter().flatten().flat_map(words).take(MOST_WORDS).collect()
}

/// The words of the last label of an address's domain, which are not indexed.
pub(super) fn last_label(subscriber: &Subscriber) -> Vec<String> {
    subscriber.address.as_str().rsplit_once('.').map(|(_, label)| words(label)).unwrap_or_default()
}

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

type Rows = BTreeMap<Key, Vec<u8>>;

/// All rows of a subscriber.
pub(super) fn rows(subscriber: &Subscriber) -> Rows {
    let mut rows = word_rows(subscriber.id, &words_of(subscriber));
    rows.extend(list_rows(subscriber));
    rows
}

fn word_rows(id: SubscriberId, words: &BTreeSet<String>) -> Rows {
    words.iter().map(|word| (keys::person_word(word, id), Vec::new())).collect()
}

fn list_rows(subscriber: &Subscriber) -> Rows {
    let row = |(list, state): (&ListName, SubscriptionState)| (keys::member(list, subscriber.id), vec![code(state)]);
    subscriber.subscriptions.iter().map(|(list, subscription)| row((list, subscription.state))).collect()
}

/// Writes the rows of a new subscriber.
pub(super) fn put_new(batch: &mut Batch, subscriber: &Subscriber) {
    rows(subscriber).into_iter().for_each(|(key, value)| batch.put(key, value));
}

/// Updates the rows for a changed subscriber.
pub(super) fn put_changed(batch: &mut Batch, before: &Subscriber, after: &Subscriber) {
    let spelled = |s: &Subscriber| (s.name.clone(), s.organisation.clone(), s.address.clone());
    if spelled(before) != spelled(after) {
        let (old, new) = (word_rows(before.id, &words_of(before)), word_rows(before.id, &words_of(after)));
        put_difference(batch, &old, new);
    }
    put_difference(batch, &list_rows(before), list_rows(after));
}

fn put_difference(batch: &mut Batch, old: &Rows, new: Rows) {
    old.keys().filter(|key| !new.contains_key(*key)).for_each(|key| batch.delete(key.clone()));
    new.into_iter().filter(|(key, value)| old.get(key) != Some(value)).for_each(|(key, value)| batch.put(key, value));
}

/// Removes the rows of a subscriber.
pub(super) fn delete(batch: &mut Batch, subscriber: &Subscriber) {
    rows(subscriber).into_keys().for_each(|key| batch.delete(key));
}
