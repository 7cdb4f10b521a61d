//! The one keyspace: a table prefix, then big-endian fields.
//!
//! | prefix | fields | holds |
//! |---|---|---|
//! | `A` | `a` | the audit log's anchor: the last entry dropped by age |
//! | `A` | `e`, number | an entry of the audit log |
//! | `A` | `h` | the audit log's head: its last entry |
//! | `B` | mailing, subscriber | the bounce of a delivery |
//! | `E` | hash of a mail | the subscriber whose confirmation it is, kept as evidence |
//! | `S` | `l`, list name, NUL, subscriber | index: a subscriber is or was on a list; the subscription's state |
//! | `T` | pending request | a request by mail awaiting confirmation; a used token stays until it expires |
//! | `F` | mailing, domain | refusals of a mailing (at a domain, or all) are being taken back |
//! | `J` | event, keyed hash of an address | the answer to an invitation |
//! | `a` | address key | the subscriber's id |
//! | `b` | organisation, revision | a boilerplate text |
//! | `c` | name | a counter: the last id allocated |
//! | `d` | mailing, sequence | a delivery to which something has happened |
//! | `e` | mailing, chunk | the lease of a chunk |
//! | `f` | subscriber, mailing | index: this delivery bounced |
//! | `g` | content hash | the release that has this content |
//! | `h` | name | a job: when it last ran |
//! | `i` | key | the result of a request that must not be repeated |
//! | `j` | `a`, address key, NUL, release | answers to this invitation go to this address |
//! | `j` | `e`, release | the event of an invitation: the release that first announced it |
//! | `j` | `u`, hash of a UID, release | this invitation's event has this UID |
//! | `K` | hash of a release and templates | a test mail of this content was sent |
//! | `k` | mailing, chunk | a chunk of the frozen audience: subscriber ids |
//! | `l` | list name | a list |
//! | `m` | mailing | a mailing |
//! | `o` | contact id | a press contact of the contact book |
//! | `p` | post | a mail posted to a list |
//! | `q` | organisation id | an organisation |
//! | `Q` | `a`, time, inbound | a message to be handled again then, as too many arrived in its hour |
//! | `Q` | `q`, post, index | a question about a held post, for the next digest |
//! | `Q` | `f`, inbound | a message to be forwarded in the next digest |
//! | `r` | release | a release |
//! | `s` | subscriber | a subscriber with its subscriptions and consent ledger |
//! | `t` | mailing, chunk | the tally of a chunk whose deliveries are all settled |
//! | `u` | mailing, due time, sequence | a deferred delivery, by due time |
//! | `v` | subscriber | the subscriber's bounce score |
//! | `M` | `e`, time, mailing | index: a mailing that has a ledger finished or was cancelled then |
//! | `M` | `o`, mailing | index: an open mailing (scheduled, being frozen or sent, or cancelled and not yet closed) |
//! | `M` | `r`, release, mailing | index: a mailing sends this release |
//! | `L` | notice | the bytes of a notice, until it is taken |
//! | `N` | due time, notice | a notice to be sent, by due time |
//! | `n` | notice, counted down | a notice |
//! | `R` | day, keyed hash of address and kind | number of automatic replies to an address on that day |
//! | `W` | mailing | the end time of the mailing for which its server replies were deleted |
//! | `w` | inbound | a received message waits to be handled |
//! | `x` | keyed hash of an address | a suppression |
//! | `X` | `e`, keyed hash of an address | an erasure: open, with what it needs to continue, or done |
//! | `X` | `o`, keyed hash of an address | this erasure is open |
//! | `X` | `a`, keyed hash of an address | this erasure is done, and journal or index may still hold what it erased |
//! | `y` | inbound | a received message, for one of its recipients |
//! | `D` | list name, hash of the Message-ID | the post with this Message-ID, to recognise a second copy |
//! | `P` | time, post | a held post, by expiry time |
//! | `z` | name | a setting of the installation, e.g. its secret key |

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, ReleaseId};

use super::engine::{Key, KeyRange};

mod invitations;
mod mail_in;
mod people;
mod sending;

pub use invitations::{
    event_of, events, invitation_at, invitation_of, invitations_at, invitations_of, rsvp, rsvp_fields, rsvps,
};
pub use mail_in::{
    held_post, held_posts, held_posts_after, inbound, inbound_waiting, later, later_answer, later_answer_of,
    later_answers_after, later_answers_until, later_forward, later_question, later_question_of, pending, post,
    seen_message,
};
pub use people::{
    address, aging_erasure, aging_erasures, bounce_of, bounces_of, erasure, erasures, evidence, member, members,
    open_erasure, open_erasures, score, subscriber, subscriber_of, suppression, words_of_people,
};
pub use sending::{
    all_deliveries, bounce, bounces, chunk, deliveries, delivery, due, due_after, due_until, ended_mailing,
    ended_mailings, lease, mailing, mailing_of, mailings_of, notice, notice_body, notice_due, notice_of_due,
    notices_due_after, notices_due_until, open_mailing, open_mailings, reply_count, reply_counts_before, sequence_of,
    taking_back, taking_back_of, tallies, tally, words_forgotten,
};

fn key(table: u8, fields: &[&[u8]]) -> Key {
    let mut bytes = Vec::with_capacity(1 + fields.iter().map(|f| f.len()).sum::<usize>());
    bytes.push(table);
    fields.iter().for_each(|f| bytes.extend_from_slice(f));
    Key(bytes)
}

/// All keys of one table.
pub fn table(table: u8) -> KeyRange {
    KeyRange::prefix(vec![table])
}

/// The number at the end of a key.
pub fn last_number(key: &Key) -> Option<u64> {
    key.0.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// The last entry of the audit log.
pub fn audit_head() -> Key {
    key(b'A', &[b"h"])
}

/// The last entry of the audit log dropped by age.
pub fn audit_anchor() -> Key {
    key(b'A', &[b"a"])
}

/// An entry of the audit log.
pub fn audit_entry(number: u64) -> Key {
    key(b'A', &[b"e", &number.to_be_bytes()])
}

/// The entries of the audit log after this number.
pub fn audit_entries_after(number: u64) -> KeyRange {
    KeyRange::prefix(key(b'A', &[b"e"]).0).after(&audit_entry(number))
}

/// The counter `name`: the last id allocated.
pub fn counter(name: &str) -> Key {
    key(b'c', &[name.as_bytes()])
}

/// When a job last ran.
pub fn job(name: &str) -> Key {
    key(b'h', &[name.as_bytes()])
}

/// The result of a request, by the key that the client sent.
pub fn idempotency(given: &str) -> Key {
    key(b'i', &[given.as_bytes()])
}

/// A setting of the installation.
pub fn setting(name: &str) -> Key {
    key(b'z', &[name.as_bytes()])
}

/// A user's request to stop requiring approval for a list.
pub fn request_to_end_approval(list: &ListName) -> Key {
    setting(&format!("ends approval {list}"))
}

/// A list.
pub fn list(name: &ListName) -> Key {
    key(b'l', &[name.as_str().as_bytes()])
}

/// A press contact, by its id in the contact book.
pub fn contact(id: &str) -> Key {
    key(b'o', &[id.as_bytes()])
}

/// An organisation, by its id.
pub fn organisation(id: &str) -> Key {
    key(b'q', &[id.as_bytes()])
}

/// A boilerplate text. The id is followed by NUL, so that no organisation's range includes another's.
pub fn boilerplate(organisation: &str, revision: u32) -> Key {
    key(b'b', &[organisation.as_bytes(), &[0], &revision.to_be_bytes()])
}

/// All revisions of an organisation's boilerplate.
pub fn boilerplates(organisation: &str) -> KeyRange {
    KeyRange::prefix(key(b'b', &[organisation.as_bytes(), &[0]]).0)
}

/// A release.
pub fn release(id: ReleaseId) -> Key {
    key(b'r', &[&id.0.to_be_bytes()])
}

/// The release that has this content.
pub fn release_content(hash: &[u8; 32]) -> Key {
    key(b'g', &[hash])
}

/// A test mail of this content was sent.
pub fn tested(hash: &[u8; 32]) -> Key {
    key(b'K', &[hash])
}

/// Milliseconds since 1970; earlier instants, which no due time is, become 0.
fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or(0)
}
