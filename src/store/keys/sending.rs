//! Keys of outgoing mail: mailings with their deliveries, bounces, and notices.

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, NoticeId, ReleaseId, SubscriberId};
use crate::model::ledger::Sequence;
use crate::store::engine::{Key, KeyRange};

use super::{key, millis, table};

/// A mailing.
pub fn mailing(id: MailingId) -> Key {
    key(b'm', &[&id.0.to_be_bytes()])
}

/// Marker: a mailing is open.
pub fn open_mailing(id: MailingId) -> Key {
    key(b'M', &[b"o", &id.0.to_be_bytes()])
}

/// All open mailings.
pub fn open_mailings() -> KeyRange {
    KeyRange::prefix(key(b'M', &[b"o"]).0)
}

/// Index row: a mailing ended at this time.
pub fn ended_mailing(at: Timestamp, id: MailingId) -> Key {
    key(b'M', &[b"e", &millis(at).to_be_bytes(), &id.0.to_be_bytes()])
}

/// The mailings that ended at or after `since`.
pub fn ended_mailings(since: Timestamp) -> KeyRange {
    KeyRange { from: key(b'M', &[b"e", &millis(since).to_be_bytes()]), ..KeyRange::prefix(key(b'M', &[b"e"]).0) }
}

/// Index row: a mailing sends a release.
pub fn mailing_of(release: ReleaseId, id: MailingId) -> Key {
    key(b'M', &[b"r", &release.0.to_be_bytes(), &id.0.to_be_bytes()])
}

/// The mailings of a release.
pub fn mailings_of(release: ReleaseId) -> KeyRange {
    KeyRange::prefix(key(b'M', &[b"r", &release.0.to_be_bytes()]).0)
}

/// A chunk of the frozen audience.
pub fn chunk(mailing: MailingId, chunk: u32) -> Key {
    key(b'k', &[&mailing.0.to_be_bytes(), &chunk.to_be_bytes()])
}

/// The lease of a chunk.
pub fn lease(mailing: MailingId, chunk: u32) -> Key {
    key(b'e', &[&mailing.0.to_be_bytes(), &chunk.to_be_bytes()])
}

/// The tally of a settled chunk.
pub fn tally(mailing: MailingId, chunk: u32) -> Key {
    key(b't', &[&mailing.0.to_be_bytes(), &chunk.to_be_bytes()])
}

/// All tallies of one mailing.
pub fn tallies(mailing: MailingId) -> KeyRange {
    KeyRange::prefix(key(b't', &[&mailing.0.to_be_bytes()]).0)
}

/// One delivery.
pub fn delivery(mailing: MailingId, sequence: Sequence) -> Key {
    key(b'd', &[&mailing.0.to_be_bytes(), &sequence.0.to_be_bytes()])
}

/// Deliveries of one mailing, from `from` (inclusive) to `to` (exclusive).
pub fn deliveries(mailing: MailingId, from: Sequence, to: Sequence) -> KeyRange {
    KeyRange::new(delivery(mailing, from), Some(delivery(mailing, to)))
}

/// All deliveries of one mailing.
pub fn all_deliveries(mailing: MailingId) -> KeyRange {
    KeyRange::prefix(key(b'd', &[&mailing.0.to_be_bytes()]).0)
}

/// The sequence at the end of a delivery's key.
pub fn sequence_of(delivery: &Key) -> Option<Sequence> {
    let (_, last) = delivery.0.split_at_checked(delivery.0.len().checked_sub(4)?)?;
    Some(Sequence(u32::from_be_bytes(last.try_into().ok()?)))
}

/// A deferred delivery, ordered by due time.
pub fn due(mailing: MailingId, at: Timestamp, sequence: Sequence) -> Key {
    key(b'u', &[&mailing.0.to_be_bytes(), &millis(at).to_be_bytes(), &sequence.0.to_be_bytes()])
}

/// Deferred deliveries of one mailing due at or before `until`; `None`: all.
pub fn due_until(mailing: MailingId, until: Option<Timestamp>) -> KeyRange {
    let mut range = KeyRange::prefix(key(b'u', &[&mailing.0.to_be_bytes()]).0);
    if let Some(until) = until {
        range.to = Some(key(b'u', &[&mailing.0.to_be_bytes(), &(millis(until) + 1).to_be_bytes()]));
    }
    range
}

/// Deferred deliveries of one mailing due after `now`.
pub fn due_after(mailing: MailingId, now: Timestamp) -> KeyRange {
    let mut range = KeyRange::prefix(key(b'u', &[&mailing.0.to_be_bytes()]).0);
    range.from = key(b'u', &[&mailing.0.to_be_bytes(), &(millis(now) + 1).to_be_bytes()]);
    range
}

/// The bounce of a delivery.
pub fn bounce(mailing: MailingId, subscriber: SubscriberId) -> Key {
    key(b'B', &[&mailing.0.to_be_bytes(), &subscriber.0.to_be_bytes()])
}

/// All bounces of one mailing.
pub fn bounces(mailing: MailingId) -> KeyRange {
    KeyRange::prefix(key(b'B', &[&mailing.0.to_be_bytes()]).0)
}

/// Marker: the server replies of a mailing were deleted.
pub fn words_forgotten(mailing: MailingId) -> Key {
    key(b'W', &[&mailing.0.to_be_bytes()])
}

/// Refusals of a mailing being taken back: at a domain, or everywhere if `domain` is empty.
pub fn taking_back(mailing: MailingId, domain: &str) -> Key {
    key(b'F', &[&mailing.0.to_be_bytes(), domain.as_bytes()])
}

/// The mailing and the domain in a [`taking_back`] key.
pub fn taking_back_of(taking_back: &Key) -> Option<(MailingId, &str)> {
    let (mailing, domain) = taking_back.0.get(1..)?.split_at_checked(8)?;
    Some((MailingId(u64::from_be_bytes(mailing.try_into().ok()?)), std::str::from_utf8(domain).ok()?))
}

/// A notice. The number counts down, so that a scan finds the newest first.
pub fn notice(id: NoticeId) -> Key {
    key(b'n', &[&(u64::MAX - id.0).to_be_bytes()])
}

/// The bytes of a notice.
pub fn notice_body(id: NoticeId) -> Key {
    key(b'L', &[&id.0.to_be_bytes()])
}

/// A notice to be sent, ordered by due time.
pub fn notice_due(at: Timestamp, id: NoticeId) -> Key {
    key(b'N', &[&millis(at).to_be_bytes(), &id.0.to_be_bytes()])
}

/// Notices due at or before `until`.
pub fn notices_due_until(until: Timestamp) -> KeyRange {
    KeyRange::new(key(b'N', &[]), Some(key(b'N', &[&(millis(until) + 1).to_be_bytes()])))
}

/// Notices due after `now`.
pub fn notices_due_after(now: Timestamp) -> KeyRange {
    KeyRange { from: key(b'N', &[&(millis(now) + 1).to_be_bytes()]), ..table(b'N') }
}

/// The due time and the notice in a [`notice_due`] key.
pub fn notice_of_due(due: &Key) -> Option<(Timestamp, NoticeId)> {
    let (at, id) = due.0.get(1..)?.split_at_checked(8)?;
    let at = i64::try_from(u64::from_be_bytes(at.try_into().ok()?)).ok()?;
    Some((Timestamp::from_timestamp_millis(at)?, NoticeId(u64::from_be_bytes(id.try_into().ok()?))))
}

/// Number of automatic replies of one kind to one address on a day (days since 1970).
pub fn reply_count(day: u32, hash: &[u8; 32]) -> Key {
    key(b'R', &[&day.to_be_bytes(), hash])
}

/// The counts of all days before `day`.
pub fn reply_counts_before(day: u32) -> KeyRange {
    KeyRange::new(key(b'R', &[]), Some(key(b'R', &[&day.to_be_bytes()])))
}
