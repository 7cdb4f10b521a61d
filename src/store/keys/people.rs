//! Keys of people: addresses, subscribers, suppressions, erasures, and what bounces have come to.

use crate::base::address::Address;
use crate::base::id::{MailingId, SubscriberId};
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

/// A suppression, by the keyed hash of its address.
pub fn suppression(hash: &[u8; 32]) -> Key {
    key(b'x', &[hash])
}

/// The erasure of whoever had the address with this keyed hash.
pub fn erasure(hash: &[u8; 32]) -> Key {
    key(b'X', &[b"e", hash])
}

/// All erasures.
pub fn erasures() -> KeyRange {
    KeyRange::prefix(key(b'X', &[b"e"]).0)
}

/// That an erasure is open.
pub fn open_erasure(hash: &[u8; 32]) -> Key {
    key(b'X', &[b"o", hash])
}

/// All open erasures.
pub fn open_erasures() -> KeyRange {
    KeyRange::prefix(key(b'X', &[b"o"]).0)
}

/// That journal or index may still hold what a done erasure erased.
pub fn aging_erasure(hash: &[u8; 32]) -> Key {
    key(b'X', &[b"a", hash])
}

/// All such erasures.
pub fn aging_erasures() -> KeyRange {
    KeyRange::prefix(key(b'X', &[b"a"]).0)
}

/// Whose confirmation a kept mail is.
pub fn evidence(sha256: &[u8; 32]) -> Key {
    key(b'E', &[sha256])
}

/// What bounces have come to for a subscriber.
pub fn score(subscriber: SubscriberId) -> Key {
    key(b'v', &[&subscriber.0.to_be_bytes()])
}

/// That something came back about a delivery, by its subscriber.
pub fn bounce_of(subscriber: SubscriberId, mailing: MailingId) -> Key {
    key(b'f', &[&subscriber.0.to_be_bytes(), &mailing.0.to_be_bytes()])
}

/// Of which mailings something came back from a subscriber.
pub fn bounces_of(subscriber: SubscriberId) -> KeyRange {
    KeyRange::prefix(key(b'f', &[&subscriber.0.to_be_bytes()]).0)
}
