//! Keys of mail that came in, posts, pending requests, and what waits for its turn.

use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, ListName, PendingRequestId, PostId};
use crate::store::engine::{Key, KeyRange};

use super::{key, millis, table};

/// A message that came in.
pub fn inbound(id: InboundId) -> Key {
    key(b'y', &[&id.0.to_be_bytes()])
}

/// That a message that came in waits to be handled.
pub fn inbound_waiting(id: InboundId) -> Key {
    key(b'w', &[&id.0.to_be_bytes()])
}

/// What somebody asked for by mail and is yet to confirm.
pub fn pending(id: PendingRequestId) -> Key {
    key(b'T', &[&id.0.to_be_bytes()])
}

/// A post.
pub fn post(id: PostId) -> Key {
    key(b'p', &[&id.0.to_be_bytes()])
}

/// A held post, in order of the time at which it expires.
pub fn held_post(until: Timestamp, id: PostId) -> Key {
    key(b'P', &[&millis(until).to_be_bytes(), &id.0.to_be_bytes()])
}

/// Held posts that expire at `until` or before; all of them without it.
pub fn held_posts(until: Option<Timestamp>) -> KeyRange {
    let mut range = table(b'P');
    if let Some(until) = until {
        range.to = Some(key(b'P', &[&(millis(until) + 1).to_be_bytes()]));
    }
    range
}

/// Held posts that expire later than `now`.
pub fn held_posts_after(now: Timestamp) -> KeyRange {
    KeyRange { from: key(b'P', &[&(millis(now) + 1).to_be_bytes()]), ..table(b'P') }
}

/// A message that came to a list, by the hash of what it is known by. The name is followed by NUL.
pub fn seen_message(list: &ListName, hash: &[u8; 32]) -> Key {
    key(b'D', &[list.as_str().as_bytes(), &[0], hash])
}

/// What waits for its turn, of one kind: `a`, `q` or `f`.
pub fn later(kind: u8) -> KeyRange {
    KeyRange::prefix(key(b'Q', &[&[kind]]).0)
}

/// That a message is to be handled again.
pub fn later_answer(due: Timestamp, id: InboundId) -> Key {
    key(b'Q', &[b"a", &millis(due).to_be_bytes(), &id.0.to_be_bytes()])
}

/// Messages that are to be handled again at `until` or before.
pub fn later_answers_until(until: Timestamp) -> KeyRange {
    let mut range = later(b'a');
    range.to = Some(key(b'Q', &[b"a", &(millis(until) + 1).to_be_bytes()]));
    range
}

/// Messages that are to be handled again later than `now`.
pub fn later_answers_after(now: Timestamp) -> KeyRange {
    let mut range = later(b'a');
    range.from = key(b'Q', &[b"a", &(millis(now) + 1).to_be_bytes()]);
    range
}

/// The time and the message in such a key.
pub fn later_answer_of(later: &Key) -> Option<(Timestamp, InboundId)> {
    let (at, id) = later.0.get(2..)?.split_at_checked(8)?;
    let at = i64::try_from(u64::from_be_bytes(at.try_into().ok()?)).ok()?;
    Some((Timestamp::from_timestamp_millis(at)?, InboundId(u64::from_be_bytes(id.try_into().ok()?))))
}

/// That a question about a held post stands in the next digest.
pub fn later_question(post: PostId, place: u64) -> Key {
    key(b'Q', &[b"q", &post.0.to_be_bytes(), &place.to_be_bytes()])
}

/// The post and the place in such a key.
pub fn later_question_of(later: &Key) -> Option<(PostId, u64)> {
    let (post, place) = later.0.get(2..)?.split_at_checked(8)?;
    Some((PostId(u64::from_be_bytes(post.try_into().ok()?)), u64::from_be_bytes(place.try_into().ok()?)))
}

/// That a message to be passed on stands in the next digest.
pub fn later_forward(id: InboundId) -> Key {
    key(b'Q', &[b"f", &id.0.to_be_bytes()])
}
