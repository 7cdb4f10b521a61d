//! What no program may answer (invariant 6; RFC 3834 §2, RFC 5321 §4.5.5): better a person without an answer than two
//! programs that answer each other.

use crate::base::address::Address;
use crate::mail::incoming::Incoming;

/// Local parts, or what they begin or end with up to a separator, behind which nobody reads answers.
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

/// Whether a message with this envelope sender (`None` or empty is the null reverse-path) may be answered by itself.
pub fn may_answer(sender: Option<&str>, message: &Incoming) -> bool {
    let Some(sender) = sender.and_then(|sender| sender.parse::<Address>().ok()) else { return false };
    !is_no_reader(&sender) && is_from_a_person(message)
}

/// Whether a message with this envelope sender surely was written by a program (`mail/automatic.rs`; RFC 5321 §4.5.5, RFC 3834
/// §2): it is no yes, no decision and no request of a person. What only may have been is for a person to read.
pub fn is_of_program(sender: Option<&str>, message: &Incoming) -> bool {
    let sender = sender.unwrap_or_default().trim();
    let local = sender.rsplit_once('@').map_or(sender, |(local, _)| local).trim_start_matches('<');
    let is_null = sender.is_empty() || sender == "<>" || local.eq_ignore_ascii_case("mailer-daemon");
    is_null || message.is_automatic()
}

/// Whether nothing in the message itself says that a program sent it.
pub(super) fn is_from_a_person(message: &Incoming) -> bool {
    let from = message.from().and_then(|from| from.address.parse::<Address>().ok());
    message.may_be_answered() && !from.is_some_and(|from| is_no_reader(&from))
}

/// Whether an address is one behind which nobody reads answers: RFC 3834 §2 names MAILER-DAEMON, `owner-…` and
/// `…-request`; the others are their like.
pub(super) fn is_no_reader(address: &Address) -> bool {
    let local = address.local_part().to_ascii_lowercase();
    // `media-bounces+token`, `no-reply+17`: what is said of the address stands before the plus.
    let local = local.split('+').next().unwrap_or_default();
    let separator = |c: char| matches!(c, '-' | '+' | '.' | '=' | '_');
    NO_READERS.iter().any(|name| {
        let begins = local.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator));
        let ends = local.strip_suffix(name).is_some_and(|rest| rest.ends_with(separator));
        begins || ends
    })
}
