//! The one keyspace: a table prefix, then big-endian fields.
//!
//! | prefix | fields | holds |
//! |---|---|---|
//! | `A` | `a` | the audit log's anchor: the last entry that was dropped by age |
//! | `A` | `e`, number | an entry of the audit log |
//! | `A` | `h` | the audit log's head: its last entry |
//! | `B` | mailing, subscriber | what came back about a delivery |
//! | `E` | hash of a mail | the subscriber whose confirmation it is, kept as evidence |
//! | `S` | `l`, list name, NUL, subscriber | index: that a subscriber is or was on a list, and where the subscription stands |
//! | `S` | `w`, word, NUL, subscriber | index: that a subscriber is found by this word of name, organisation or address |
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
//! | `M` | `o`, mailing | index: that a mailing is open, which is scheduled, being frozen or sent, or cancelled and not yet closed |
//! | `M` | `r`, release, mailing | index: that a mailing sends this release |
//! | `L` | notice | the bytes of a notice, until it is taken |
//! | `N` | due time, notice | a notice to be sent, by when it is due |
//! | `n` | notice, counted down | a notice |
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
    open_erasure, open_erasures, person_word, person_word_of, person_words, score, subscriber, suppression,
};
pub use sending::{
    all_deliveries, bounce, bounces, chunk, deliveries, delivery, due, due_after, due_until, lease, mailing,
    mailing_of, mailings_of, notice, notice_body, notice_due, notice_of_due, notices_due_after, notices_due_until,
    open_mailing, open_mailings, reply_count, reply_counts_before, sequence_of, taking_back, taking_back_of, tallies,
    tally, words_forgotten,
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

/// The number that a key ends with.
pub fn last_number(key: &Key) -> Option<u64> {
    key.0.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
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

/// When a job last ran.
pub fn job(name: &str) -> Key {
    key(b'h', &[name.as_bytes()])
}

/// What came of a request, by the key that its sender gave it.
pub fn idempotency(given: &str) -> Key {
    key(b'i', &[given.as_bytes()])
}

/// A setting of the installation.
pub fn setting(name: &str) -> Key {
    key(b'z', &[name.as_bytes()])
}

/// That a user asked that a list demand no approval any more.
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

/// A boilerplate text. The id is followed by NUL, so that no organisation's range holds another's.
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

/// Milliseconds since 1970; instants before count as 1970, which no due time is.
fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or(0)
}
