//! Which messages must not be answered automatically (invariant 6; RFC 3834 §2, RFC 5321 §4.5.5): better a person
//! without an answer than two programs that answer each other.

use crate::base::address::Address;
use crate::mail::incoming::Incoming;

/// Local parts whose mail is not read by a person, or what such local parts begin or end with, up to a separator.
const NO_READERS: [&str; 11] = [
    "mailer-daemon",
    "owner",
    "request",
    "bounce",
    "bounces",
    "listserv",
    "majordomo",
    "noreply",
    "no-reply",
    "donotreply",
    "do-not-reply",
];

/// Whether a message with this envelope sender (`None` or empty is the null reverse-path) may be answered
/// automatically.
pub fn may_answer(sender: Option<&str>, message: &Incoming) -> bool {
    let Some(sender) = sender.and_then(|sender| sender.parse::<Address>().ok()) else { return false };
    !is_no_reader(&sender) && is_from_a_person(message)
}

/// Whether a message with this envelope sender was certainly written by a program (`mail/automatic.rs`; RFC 5321
/// §4.5.5, RFC 3834 §2): it is not a person's consent, decision or request. A doubtful one is left to a person.
pub fn is_of_program(sender: Option<&str>, message: &Incoming) -> bool {
    let sender = sender.unwrap_or_default().trim();
    let local = sender.rsplit_once('@').map_or(sender, |(local, _)| local).trim_start_matches('<');
    let is_null = sender.is_empty() || sender == "<>" || local.eq_ignore_ascii_case("mailer-daemon");
    is_null || message.is_automatic()
}

/// Whether nothing in the message itself indicates that a program sent it.
pub(super) fn is_from_a_person(message: &Incoming) -> bool {
    let from = message.from().and_then(|from| from.address.parse::<Address>().ok());
    message.may_be_answered() && !from.is_some_and(|from| is_no_reader(&from))
}

/// Whether answers to an address are not read by a person: RFC 3834 §2 names MAILER-DAEMON, `owner-…` and `…-request`;
/// the others are similar.
pub(super) fn is_no_reader(address: &Address) -> bool {
    let local = address.local_part().to_ascii_lowercase();
    // In `media-bounces+token` and `no-reply+17`, the part before the plus identifies the mailbox.
    let local = local.split('+').next().unwrap_or_default();
    let separator = |c: char| matches!(c, '-' | '+' | '.' | '=' | '_');
    NO_READERS.iter().any(|name| {
        let begins = local.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator));
        let ends = local.strip_suffix(name).is_some_and(|rest| rest.ends_with(separator));
        begins || ends
    })
}
