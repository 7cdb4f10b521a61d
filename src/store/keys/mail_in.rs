//! Keys of received mail, posts, pending requests, and deferred work.

use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, ListName, PendingRequestId, PostId};
use crate::store::engine::{Key, KeyRange};

use super::{key, millis, table};

/// A received message.
pub fn inbound(id: InboundId) -> Key {
    key(b'y', &[&id.0.to_be_bytes()])
}

/// Marker: a received message waits to be handled.
pub fn inbound_waiting(id: InboundId) -> Key {
    key(b'w', &[&id.0.to_be_bytes()])
}

/// A request by mail awaiting confirmation.
pub fn pending(id: PendingRequestId) -> Key {
    key(b'T', &[&id.0.to_be_bytes()])
}

/// A post.
pub fn post(id: PostId) -> Key {
    key(b'p', &[&id.0.to_be_bytes()])
}

/// A held post, ordered by expiry time.
pub fn held_post(until: Timestamp, id: PostId) -> Key {
    key(b'P', &[&millis(until).to_be_bytes(), &id.0.to_be_bytes()])
}

/// Held posts that expire at or before `until`; `None`: all.
pub fn held_posts(until: Option<Timestamp>) -> KeyRange {
    let mut range = table(b'P');
    if let Some(until) = until {
        range.to = Some(key(b'P', &[&(millis(until) + 1).to_be_bytes()]));
    }
    range
}

/// Held posts that expire after `now`.
pub fn held_posts_after(now: Timestamp) -> KeyRange {
    KeyRange { from: key(b'P', &[&(millis(now) + 1).to_be_bytes()]), ..table(b'P') }
}

/// A message that arrived at a list, by the hash of its mark, e.g. its Message-ID. The name is followed by NUL.
pub fn seen_message(list: &ListName, hash: &[u8; 32]) -> Key {
    key(b'D', &[list.as_str().as_bytes(), &[0], hash])
}

/// Deferred work of one kind: `a`, `q` or `f`.
pub fn later(kind: u8) -> KeyRange {
    KeyRange::prefix(key(b'Q', &[&[kind]]).0)
}

/// A message to be handled again at `due`.
pub fn later_answer(due: Timestamp, id: InboundId) -> Key {
    key(b'Q', &[b"a", &millis(due).to_be_bytes(), &id.0.to_be_bytes()])
}

/// Messages to be handled again at or before `until`.
pub fn later_answers_until(until: Timestamp) -> KeyRange {
    let mut range = later(b'a');
    range.to = Some(key(b'Q', &[b"a", &(millis(until) + 1).to_be_bytes()]));
    range
}

/// Messages to be handled again after `now`.
pub fn later_answers_after(now: Timestamp) -> KeyRange {
    let mut range = later(b'a');
    range.from = key(b'Q', &[b"a", &(millis(now) + 1).to_be_bytes()]);
    range
}

/// The time and the message in a [`later_answer`] key.
pub fn later_answer_of(later: &Key) -> Option<(Timestamp, InboundId)> {
    let (at, id) = later.0.get(2..)?.split_at_checked(8)?;
    let at = i64::try_from(u64::from_be_bytes(at.try_into().ok()?)).ok()?;
    Some((Timestamp::from_timestamp_millis(at)?, InboundId(u64::from_be_bytes(id.try_into().ok()?))))
}

/// A question about a held post for the next digest.
pub fn later_question(post: PostId, place: u64) -> Key {
    key(b'Q', &[b"q", &post.0.to_be_bytes(), &place.to_be_bytes()])
}

/// The post and the index in a [`later_question`] key.
pub fn later_question_of(later: &Key) -> Option<(PostId, u64)> {
    let (post, place) = later.0.get(2..)?.split_at_checked(8)?;
    Some((PostId(u64::from_be_bytes(post.try_into().ok()?)), u64::from_be_bytes(place.try_into().ok()?)))
}

/// A message to be forwarded in the next digest.
pub fn later_forward(id: InboundId) -> Key {
    key(b'Q', &[b"f", &id.0.to_be_bytes()])
}
