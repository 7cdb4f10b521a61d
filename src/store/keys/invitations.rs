//! Keys of invitations and their answers.

use crate::base::address::Address;
use crate::base::id::ReleaseId;
use crate::store::engine::{Key, KeyRange};

use super::key;

/// Index row: answers to an invitation go to this address.
pub fn invitation_at(address: &Address, release: ReleaseId) -> Key {
    key(b'j', &[b"a", address.stored_key().as_bytes(), &[0], &release.0.to_be_bytes()])
}

/// All invitations whose answers go to an address.
pub fn invitations_at(address: &Address) -> KeyRange {
    KeyRange::prefix(key(b'j', &[b"a", address.stored_key().as_bytes(), &[0]]).0)
}

/// Index row: the event of an invitation has the UID with this hash.
pub fn invitation_of(uid: &[u8; 32], release: ReleaseId) -> Key {
    key(b'j', &[b"u", uid, &release.0.to_be_bytes()])
}

/// All invitations whose event has the UID with this hash.
pub fn invitations_of(uid: &[u8; 32]) -> KeyRange {
    KeyRange::prefix(key(b'j', &[b"u", uid]).0)
}

/// The event of an invitation.
pub fn event_of(release: ReleaseId) -> Key {
    key(b'j', &[b"e", &release.0.to_be_bytes()])
}

/// The events of all invitations, in order of release.
pub fn events() -> KeyRange {
    KeyRange::prefix(key(b'j', &[b"e"]).0)
}

/// The answer to an event from the address with this keyed hash.
pub fn rsvp(event: ReleaseId, hash: &[u8; 32]) -> Key {
    key(b'J', &[&event.0.to_be_bytes(), hash])
}

/// All answers to an event.
pub fn rsvps(event: ReleaseId) -> KeyRange {
    KeyRange::prefix(key(b'J', &[&event.0.to_be_bytes()]).0)
}

/// The event and the keyed hash in an answer's key.
pub fn rsvp_fields(rsvp: &Key) -> Option<(ReleaseId, [u8; 32])> {
    let (event, hash) = rsvp.0.get(1..)?.split_at_checked(8)?;
    Some((ReleaseId(u64::from_be_bytes(event.try_into().ok()?)), hash.try_into().ok()?))
}
