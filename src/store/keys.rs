//! The one keyspace: a table prefix, then big-endian fields.
//!
//! | prefix | fields | holds |
//! |---|---|---|
//! | `A` | `a` | the audit log's anchor: the last entry that was dropped by age |
//! | `A` | `e`, number | an entry of the audit log |
//! | `A` | `h` | the audit log's head: its last entry |
//! | `B` | mailing, subscriber | what came back about a delivery |
//! | `E` | hash of a mail | the subscriber whose confirmation it is, kept as evidence |
//! | `T` | wish | what somebody asked for by mail and is yet to confirm; a used token stays until it expires |
//! | `F` | mailing, domain | that refusals of a mailing (at a domain, or everywhere) are being taken back |
//! | `J` | event, keyed hash of an address | what somebody answered to an invitation |
//! | `a` | address key | the subscriber's id |
//! | `b` | organisation, revision | a boilerplate text |
//! | `c` | name | a counter: the last id given |
//! | `d` | mailing, sequence | a delivery that is no longer just waiting |
//! | `e` | mailing, chunk | the lease of a chunk |
//! | `f` | subscriber, mailing | that something came back about this delivery |
//! | `g` | content hash | the release that has this content |
//! | `h` | name | a job: when it last ran |
//! | `i` | key | what came of a request that must not be done twice |
//! | `j` | `a`, address key, NUL, release | that answers to this invitation go to this address |
//! | `j` | `e`, release | the event of an invitation: the release that first announced it |
//! | `j` | `u`, hash of a UID, release | that this invitation's event has this UID |
//! | `k` | mailing, chunk | a chunk of the frozen audience: subscriber ids |
//! | `l` | list name | a list |
//! | `m` | mailing | a mailing |
//! | `o` | contact id | a press contact of the contact book |
//! | `p` | post | a mail that somebody wrote to a list |
//! | `q` | organisation id | an organisation |
//! | `Q` | `a`, time, inbound | a message that is handled again then, for too many came in its hour |
//! | `Q` | `q`, post, place | a question about a held post that stands in the next digest |
//! | `Q` | `f`, inbound | a message to be passed on that stands in the next digest |
//! | `r` | release | a release |
//! | `s` | subscriber | a subscriber with its subscriptions and consent ledger |
//! | `t` | mailing, chunk | the tally of a chunk whose deliveries are all settled |
//! | `u` | mailing, due time, sequence | a deferred delivery, by when it is due |
//! | `v` | subscriber | what bounces have come to |
//! | `L` | letter | the octets of a letter, until it is taken |
//! | `N` | due time, letter | a letter to be sent, by when it is due |
//! | `n` | letter, counted down | a letter |
//! | `R` | day, keyed hash of address and kind | how often an automatic reply went to an address that day |
//! | `W` | mailing | that its servers' words were forgotten, and for which of its ends |
//! | `w` | inbound | that a message that came in waits to be handled |
//! | `x` | keyed hash of an address | a suppression |
//! | `X` | `e`, keyed hash of an address | an erasure: open with what it must know to go on, or done |
//! | `X` | `o`, keyed hash of an address | that this erasure is open |
//! | `X` | `a`, keyed hash of an address | that this erasure is done, and journal or index may still hold what it erased |
//! | `y` | inbound | a message that came in, for one of its recipients |
//! | `D` | list name, hash of the Message-ID | the post that came with it, so that a second copy is known |
//! | `P` | time, post | a held post, by when it expires |
//! | `z` | name | a setting of the installation, e.g. its secret key |

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, LetterId, ListName, MailingId, PostId, ReleaseId, SubscriberId, WishId};
use crate::model::ledger::Sequence;

use super::engine::{Key, KeyRange};

fn key(table: u8, fields: &[&[u8]]) -> Key {
    let mut octets = Vec::with_capacity(1 + fields.iter().map(|f| f.len()).sum::<usize>());
    octets.push(table);
    fields.iter().for_each(|f| octets.extend_from_slice(f));
    Key(octets)
}

/// All keys of one table.
pub fn table(table: u8) -> KeyRange {
    KeyRange::prefix(vec![table])
}

/// The subscriber who has this address.
pub fn address(address: &Address) -> Key {
    key(b'a', &[address.stored_key().as_bytes()])
}

/// The last entry of the audit log.
pub fn audit_head() -> Key {
    key(b'A', &[b"h"])
}

/// The last entry of the audit log that was dropped by age.
pub fn audit_anchor() -> Key {
    key(b'A', &[b"a"])
}

/// An entry of the audit log.
pub fn audit_entry(number: u64) -> Key {
    key(b'A', &[b"e", &number.to_be_bytes()])
}

/// The entries of the audit log after one.
pub fn audit_entries_after(number: u64) -> KeyRange {
    KeyRange::prefix(key(b'A', &[b"e"]).0).after(&audit_entry(number))
}

/// The last id given under `name`.
pub fn counter(name: &str) -> Key {
    key(b'c', &[name.as_bytes()])
}

/// One delivery.
pub fn delivery(mailing: MailingId, sequence: Sequence) -> Key {
    key(b'd', &[&mailing.0.to_be_bytes(), &sequence.0.to_be_bytes()])
}

/// Deliveries of one mailing, from `from` to before `to`.
pub fn deliveries(mailing: MailingId, from: Sequence, to: Sequence) -> KeyRange {
    KeyRange { from: delivery(mailing, from), to: Some(delivery(mailing, to)) }
}

/// All deliveries of one mailing.
pub fn all_deliveries(mailing: MailingId) -> KeyRange {
    KeyRange::prefix(key(b'd', &[&mailing.0.to_be_bytes()]).0)
}

/// The sequence that a delivery's key ends with.
pub fn sequence_of(delivery: &Key) -> Option<Sequence> {
    let (_, last) = delivery.0.split_at_checked(delivery.0.len().checked_sub(4)?)?;
    Some(Sequence(u32::from_be_bytes(last.try_into().ok()?)))
}

/// The lease of a chunk.
pub fn lease(mailing: MailingId, chunk: u32) -> Key {
    key(b'e', &[&mailing.0.to_be_bytes(), &chunk.to_be_bytes()])
}

/// When a job last ran.
pub fn job(name: &str) -> Key {
    key(b'h', &[name.as_bytes()])
}

/// What came of a request, by the key that its sender gave it.
pub fn idempotency(given: &str) -> Key {
    key(b'i', &[given.as_bytes()])
}

/// That answers to an invitation go to an address.
pub fn invitation_at(address: &Address, release: ReleaseId) -> Key {
    key(b'j', &[b"a", address.stored_key().as_bytes(), &[0], &release.0.to_be_bytes()])
}

/// All invitations whose answers go to an address.
pub fn invitations_at(address: &Address) -> KeyRange {
    KeyRange::prefix(key(b'j', &[b"a", address.stored_key().as_bytes(), &[0]]).0)
}

/// That the event of an invitation has the UID with this hash.
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

/// What the address with this keyed hash answered to an event.
pub fn rsvp(event: ReleaseId, hash: &[u8; 32]) -> Key {
    key(b'J', &[&event.0.to_be_bytes(), hash])
}

/// All answers to an event.
pub fn rsvps(event: ReleaseId) -> KeyRange {
    KeyRange::prefix(key(b'J', &[&event.0.to_be_bytes()]).0)
}

/// The event and the keyed hash in the key of an answer.
pub fn rsvp_fields(rsvp: &Key) -> Option<(ReleaseId, [u8; 32])> {
    let (event, hash) = rsvp.0.get(1..)?.split_at_checked(8)?;
    Some((ReleaseId(u64::from_be_bytes(event.try_into().ok()?)), hash.try_into().ok()?))
}

/// A chunk of the frozen audience.
pub fn chunk(mailing: MailingId, chunk: u32) -> Key {
    key(b'k', &[&mailing.0.to_be_bytes(), &chunk.to_be_bytes()])
}

/// A list.
pub fn list(name: &ListName) -> Key {
    key(b'l', &[name.as_str().as_bytes()])
}

/// A mailing.
pub fn mailing(id: MailingId) -> Key {
    key(b'm', &[&id.0.to_be_bytes()])
}

/// A press contact, by its id in the contact book.
pub fn contact(id: &str) -> Key {
    key(b'o', &[id.as_bytes()])
}

/// An organisation, by its id.
pub fn organisation(id: &str) -> Key {
    key(b'q', &[id.as_bytes()])
}

/// A boilerplate text. The id is followed by NUL, so that no organisation's range holds another's.
pub fn boilerplate(organisation: &str, revision: u32) -> Key {
    key(b'b', &[organisation.as_bytes(), &[0], &revision.to_be_bytes()])
}

/// All revisions of an organisation's boilerplate.
pub fn boilerplates(organisation: &str) -> KeyRange {
    KeyRange::prefix(key(b'b', &[organisation.as_bytes(), &[0]]).0)
}

/// A post.
pub fn post(id: PostId) -> Key {
    key(b'p', &[&id.0.to_be_bytes()])
}

/// A held post, in order of the time at which it expires.
pub fn held_post(until: Timestamp, id: PostId) -> Key {
    key(b'P', &[&millis(until).to_be_bytes(), &id.0.to_be_bytes()])
}

/// Held posts that expire later than `now`.
pub fn held_posts_after(now: Timestamp) -> KeyRange {
    KeyRange { from: key(b'P', &[&(millis(now) + 1).to_be_bytes()]), ..table(b'P') }
}

/// Held posts that expire at `until` or before; all of them without it.
pub fn held_posts(until: Option<Timestamp>) -> KeyRange {
    let mut range = table(b'P');
    if let Some(until) = until {
        range.to = Some(key(b'P', &[&(millis(until) + 1).to_be_bytes()]));
    }
    range
}

/// The number that a key ends with.
pub fn last_number(key: &Key) -> Option<u64> {
    key.0.last_chunk().map(|octets| u64::from_be_bytes(*octets))
}

/// A message that came to a list, by the hash of what it is known by. The name is followed by NUL.
pub fn seen_message(list: &ListName, hash: &[u8; 32]) -> Key {
    key(b'D', &[list.as_str().as_bytes(), &[0], hash])
}

/// A release.
pub fn release(id: ReleaseId) -> Key {
    key(b'r', &[&id.0.to_be_bytes()])
}

/// The release that has this content.
pub fn release_content(hash: &[u8; 32]) -> Key {
    key(b'g', &[hash])
}

/// A subscriber.
pub fn subscriber(id: SubscriberId) -> Key {
    key(b's', &[&id.0.to_be_bytes()])
}

/// The tally of a settled chunk.
pub fn tally(mailing: MailingId, chunk: u32) -> Key {
    key(b't', &[&mailing.0.to_be_bytes(), &chunk.to_be_bytes()])
}

/// All tallies of one mailing.
pub fn tallies(mailing: MailingId) -> KeyRange {
    KeyRange::prefix(key(b't', &[&mailing.0.to_be_bytes()]).0)
}

/// A deferred delivery, in order of the time at which it is due.
pub fn due(mailing: MailingId, at: Timestamp, sequence: Sequence) -> Key {
    key(b'u', &[&mailing.0.to_be_bytes(), &millis(at).to_be_bytes(), &sequence.0.to_be_bytes()])
}

/// Deferred deliveries of one mailing that are due at `until` or before; all of them without it.
pub fn due_until(mailing: MailingId, until: Option<Timestamp>) -> KeyRange {
    let mut range = KeyRange::prefix(key(b'u', &[&mailing.0.to_be_bytes()]).0);
    if let Some(until) = until {
        range.to = Some(key(b'u', &[&mailing.0.to_be_bytes(), &(millis(until) + 1).to_be_bytes()]));
    }
    range
}

/// Deferred deliveries of one mailing that are due later than `now`.
pub fn due_after(mailing: MailingId, now: Timestamp) -> KeyRange {
    let mut range = KeyRange::prefix(key(b'u', &[&mailing.0.to_be_bytes()]).0);
    range.from = key(b'u', &[&mailing.0.to_be_bytes(), &(millis(now) + 1).to_be_bytes()]);
    range
}

/// A letter. The number is counted down, so that a scan finds the newest first.
pub fn letter(id: LetterId) -> Key {
    key(b'n', &[&(u64::MAX - id.0).to_be_bytes()])
}

/// The octets of a letter.
pub fn letter_body(id: LetterId) -> Key {
    key(b'L', &[&id.0.to_be_bytes()])
}

/// A letter to be sent, in order of the time at which it is due.
pub fn letter_due(at: Timestamp, id: LetterId) -> Key {
    key(b'N', &[&millis(at).to_be_bytes(), &id.0.to_be_bytes()])
}

/// Letters that are due at `until` or before.
pub fn letters_due_until(until: Timestamp) -> KeyRange {
    KeyRange { from: key(b'N', &[]), to: Some(key(b'N', &[&(millis(until) + 1).to_be_bytes()])) }
}

/// Letters that are due later than `now`.
pub fn letters_due_after(now: Timestamp) -> KeyRange {
    KeyRange { from: key(b'N', &[&(millis(now) + 1).to_be_bytes()]), ..table(b'N') }
}

/// The letter that a due key ends with, and when it is due.
pub fn letter_of_due(due: &Key) -> Option<(Timestamp, LetterId)> {
    let (at, id) = due.0.get(1..)?.split_at_checked(8)?;
    let at = i64::try_from(u64::from_be_bytes(at.try_into().ok()?)).ok()?;
    Some((Timestamp::from_timestamp_millis(at)?, LetterId(u64::from_be_bytes(id.try_into().ok()?))))
}

/// How often an automatic reply of one kind went to one address on a day (days since 1970).
pub fn reply_count(day: u32, hash: &[u8; 32]) -> Key {
    key(b'R', &[&day.to_be_bytes(), hash])
}

/// The counts of all days before `day`.
pub fn reply_counts_before(day: u32) -> KeyRange {
    KeyRange { from: key(b'R', &[]), to: Some(key(b'R', &[&day.to_be_bytes()])) }
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

/// That journal or index may still hold what a done erasure erased.
pub fn aging_erasure(hash: &[u8; 32]) -> Key {
    key(b'X', &[b"a", hash])
}

/// All such erasures.
pub fn aging_erasures() -> KeyRange {
    KeyRange::prefix(key(b'X', &[b"a"]).0)
}

/// All open erasures.
pub fn open_erasures() -> KeyRange {
    KeyRange::prefix(key(b'X', &[b"o"]).0)
}

/// That the words of servers about a mailing were forgotten.
pub fn words_forgotten(mailing: MailingId) -> Key {
    key(b'W', &[&mailing.0.to_be_bytes()])
}

/// That a message that came in waits to be handled.
pub fn inbound_waiting(id: InboundId) -> Key {
    key(b'w', &[&id.0.to_be_bytes()])
}

/// A message that came in.
pub fn inbound(id: InboundId) -> Key {
    key(b'y', &[&id.0.to_be_bytes()])
}

/// What somebody asked for by mail and is yet to confirm.
pub fn wish(id: WishId) -> Key {
    key(b'T', &[&id.0.to_be_bytes()])
}

/// Whose confirmation a kept mail is.
pub fn evidence(sha256: &[u8; 32]) -> Key {
    key(b'E', &[sha256])
}

/// What came back about a delivery.
pub fn bounce(mailing: MailingId, subscriber: SubscriberId) -> Key {
    key(b'B', &[&mailing.0.to_be_bytes(), &subscriber.0.to_be_bytes()])
}

/// Everything that came back about one mailing.
pub fn bounces(mailing: MailingId) -> KeyRange {
    KeyRange::prefix(key(b'B', &[&mailing.0.to_be_bytes()]).0)
}

/// That something came back about a delivery, by its subscriber.
pub fn bounce_of(subscriber: SubscriberId, mailing: MailingId) -> Key {
    key(b'f', &[&subscriber.0.to_be_bytes(), &mailing.0.to_be_bytes()])
}

/// Of which mailings something came back from a subscriber.
pub fn bounces_of(subscriber: SubscriberId) -> KeyRange {
    KeyRange::prefix(key(b'f', &[&subscriber.0.to_be_bytes()]).0)
}

/// What bounces have come to for a subscriber.
pub fn score(subscriber: SubscriberId) -> Key {
    key(b'v', &[&subscriber.0.to_be_bytes()])
}

/// That refusals of a mailing are being taken back: at a domain, or everywhere where that is empty.
pub fn taking_back(mailing: MailingId, domain: &str) -> Key {
    key(b'F', &[&mailing.0.to_be_bytes(), domain.as_bytes()])
}

/// The mailing and the domain in such a key.
pub fn taking_back_of(taking_back: &Key) -> Option<(MailingId, &str)> {
    let (mailing, domain) = taking_back.0.get(1..)?.split_at_checked(8)?;
    Some((MailingId(u64::from_be_bytes(mailing.try_into().ok()?)), std::str::from_utf8(domain).ok()?))
}

/// A setting of the installation.
pub fn setting(name: &str) -> Key {
    key(b'z', &[name.as_bytes()])
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

/// That a user asked that a list demand no approval any more.
pub fn request_to_end_approval(list: &ListName) -> Key {
    setting(&format!("ends approval {list}"))
}

/// Milliseconds since 1970; instants before count as 1970, which no due time is.
fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or(0)
}
