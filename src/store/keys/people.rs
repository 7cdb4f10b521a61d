//! Keys of people: addresses, subscribers, suppressions, erasures and bounce scores.

use crate::base::address::Address;
use crate::base::id::{ListName, MailingId, SubscriberId};
use crate::store::engine::{Key, KeyRange};

use super::key;

/// The subscriber who has this address.
pub fn address(address: &Address) -> Key {
    key(b'a', &[address.stored_key().as_bytes()])
}

/// A subscriber.
pub fn subscriber(id: SubscriberId) -> Key {
    key(b's', &[&id.0.to_be_bytes()])
}

/// Index row: a subscriber is or was on a list. The name is followed by NUL, so that no list's range includes
/// another's.
pub fn member(list: &ListName, id: SubscriberId) -> Key {
    key(b'S', &[b"l", list.as_str().as_bytes(), &[0], &id.0.to_be_bytes()])
}

/// The subscribers of a list.
pub fn members(list: &ListName) -> KeyRange {
    KeyRange::prefix(key(b'S', &[b"l", list.as_str().as_bytes(), &[0]]).0)
}

/// Index row: a subscriber is found by a word.
pub fn person_word(word: &str, id: SubscriberId) -> Key {
    key(b'S', &[b"w", word.as_bytes(), &[0], &id.0.to_be_bytes()])
}

/// The rows of all words that begin with this one.
pub fn person_words(beginning: &str) -> KeyRange {
    KeyRange::prefix(key(b'S', &[b"w", beginning.as_bytes()]).0)
}

/// The word and the subscriber in a [`person_word`] key.
pub fn person_word_of(row: &Key) -> Option<(String, SubscriberId)> {
    let (word, id) = row.0.strip_prefix(b"Sw")?.split_last_chunk::<8>()?;
    let word = std::str::from_utf8(word.strip_suffix(&[0])?).ok()?;
    Some((word.to_owned(), SubscriberId(u64::from_be_bytes(*id))))
}

/// A suppression, by the keyed hash of its address.
pub fn suppression(hash: &[u8; 32]) -> Key {
    key(b'x', &[hash])
}

/// The erasure of the address with this keyed hash.
pub fn erasure(hash: &[u8; 32]) -> Key {
    key(b'X', &[b"e", hash])
}

/// All erasures.
pub fn erasures() -> KeyRange {
    KeyRange::prefix(key(b'X', &[b"e"]).0)
}

/// Marker: an erasure is open.
pub fn open_erasure(hash: &[u8; 32]) -> Key {
    key(b'X', &[b"o", hash])
}

/// All open erasures.
pub fn open_erasures() -> KeyRange {
    KeyRange::prefix(key(b'X', &[b"o"]).0)
}

/// Marker: journal or index may still hold what a completed erasure erased.
pub fn aging_erasure(hash: &[u8; 32]) -> Key {
    key(b'X', &[b"a", hash])
}

/// All completed erasures whose data journal or index may still hold.
pub fn aging_erasures() -> KeyRange {
    KeyRange::prefix(key(b'X', &[b"a"]).0)
}

/// The subscriber whose confirmation a kept mail is.
pub fn evidence(sha256: &[u8; 32]) -> Key {
    key(b'E', &[sha256])
}

/// A subscriber's bounce score.
pub fn score(subscriber: SubscriberId) -> Key {
    key(b'v', &[&subscriber.0.to_be_bytes()])
}

/// Index row: a delivery bounced, by its subscriber.
pub fn bounce_of(subscriber: SubscriberId, mailing: MailingId) -> Key {
    key(b'f', &[&subscriber.0.to_be_bytes(), &mailing.0.to_be_bytes()])
}

/// The mailings to a subscriber that bounced.
pub fn bounces_of(subscriber: SubscriberId) -> KeyRange {
    KeyRange::prefix(key(b'f', &[&subscriber.0.to_be_bytes()]).0)
}
