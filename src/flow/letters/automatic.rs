//! What no program may answer (invariant 6; RFC 3834 §2, RFC 5321 §4.5.5): better a person without an answer than two
//! programs that answer each other.

use crate::base::address::Address;
use crate::mail::incoming::Incoming;

/// Parts that only programs send: reports of delivery, of reading, of abuse (RFC 6522, RFC 8098, RFC 5965).
const REPORTS: [&str; 5] = [
    "message/delivery-status",
    "message/global-delivery-status",
    "message/disposition-notification",
    "message/global-disposition-notification",
    "message/feedback-report",
];

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

/// Whether nothing in the message itself says that a program sent it.
pub(super) fn is_from_a_person(message: &Incoming) -> bool {
    let report = message.parts().iter().any(|part| REPORTS.contains(&part.content_type.as_str()));
    let from = message.from().and_then(|from| from.address.parse::<Address>().ok());
    !message.is_automatic() && !report && !from.is_some_and(|from| is_no_reader(&from))
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
