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

/// The subscriber whose record is stored under a key; `None` for another record's key.
pub fn subscriber_of(key: &Key) -> Option<SubscriberId> {
    let id = key.0.strip_prefix(b"s")?.try_into().ok()?;
    Some(SubscriberId(u64::from_be_bytes(id)))
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

/// Index rows of the words by which subscribers were found in stores written between two versions: to be removed.
pub fn words_of_people() -> KeyRange {
    KeyRange::prefix(key(b'S', &[b"w"]).0)
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
