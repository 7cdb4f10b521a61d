//! Extracts from a server's text: reply code, enhanced status code, stage of the session.

use crate::model::ledger::Stage;

/// Maximum bytes of a diagnosis that are read.
const MAX: usize = 4000;

/// A server's text, and what it contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The first reply code of a refusal.
    pub code: Option<u16>,
    /// The first enhanced status code of a refusal.
    pub status: Option<String>,
    /// The stage of the session, if the text tells.
    pub stage: Option<Stage>,
}

impl Said {
    pub(super) fn new(text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(MAX)];
        Self { code: reply_code(text), status: enhanced(text), stage: stage(&text.to_lowercase()) }
    }

    /// Whether it is permanent: according to the enhanced code, otherwise the reply code (RFC 3463 §3.1).
    pub(super) fn is_permanent(&self) -> Option<bool> {
        let status = self.status.as_deref().map(|status| status.starts_with('5'));
        status.or_else(|| self.code.map(|code| code / 100 == 5))
    }
}

/// The enhanced status code (RFC 3463 §2) of a refusal: the one after a reply code, as the server sent it (RFC 2034
/// §4), otherwise the first.
pub(super) fn enhanced(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut codes = memchr::memchr2_iter(b'4', b'5', bytes).filter(|at| code_at(bytes, *at).is_some());
    let behind = codes.find_map(|at| {
        let end = (at + 16).min(bytes.len());
        let rest = text.get(at + 3..text.floor_char_boundary(end))?;
        let start = rest.find(|c: char| !" -#'\"(\n\r:".contains(c))?;
        first_enhanced(&rest[start..]).filter(|code| rest[start..].starts_with(code.as_str()))
    });
    behind.filter(|code| !code.ends_with(".0.0")).or_else(|| first_enhanced(text))
}

/// The first enhanced status code of a refusal. A specific one is preferred to an unspecific one (`5.0.0`).
fn first_enhanced(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut vague = None;
    for at in memchr::memchr2_iter(b'4', b'5', bytes) {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        if before.is_some_and(|o| o.is_ascii_alphanumeric() || o == b'.') || bytes.get(at + 1) != Some(&b'.') {
            continue;
        }
        let (Some(subject), subject_end) = digits(bytes, at + 2) else { continue };
        if bytes.get(subject_end) != Some(&b'.') {
            continue;
        }
        let (Some(detail), end) = digits(bytes, subject_end + 1) else { continue };
        // Four numbers are a machine's address, or a version.
        let goes_on = bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)
            || bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if goes_on || subject > 7 {
            continue;
        }
        let code = format!("{}.{subject}.{detail}", bytes[at] as char);
        match (subject, detail) {
            (0, 0) => vague = vague.or(Some(code)),
            _ => return Some(code),
        }
    }
    vague
}

/// A number of one to three digits, and where it ends.
fn digits(bytes: &[u8], from: usize) -> (Option<u16>, usize) {
    let length = bytes[from.min(bytes.len())..].iter().take(4).take_while(|o| o.is_ascii_digit()).count();
    let number = bytes[from.min(bytes.len())..][..length].iter().fold(0, |n, o| n * 10 + u16::from(o - b'0'));
    ((1..=3).contains(&length).then_some(number), from + length)
}

/// The first reply code of a refusal in the form that servers use: before words, an enhanced code or a dash.
pub(super) fn reply_code(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    let mut codes = memchr::memchr2_iter(b'4', b'5', bytes);
    codes.find_map(|at| code_at(bytes, at))
}

/// The reply code of a refusal at this position, if any.
pub(super) fn code_at(bytes: &[u8], at: usize) -> Option<u16> {
    let before = at.checked_sub(1).map(|before| bytes[before]);
    if before.is_some_and(|o| o.is_ascii_alphanumeric() || matches!(o, b'.' | b'-' | b'/' | b'=' | b'_' | b'+' | b'$'))
    {
        return None;
    }
    let (Some(code), end) = digits(bytes, at) else { return None };
    // Exchange writes `#550 5.1.1 RESOLVER.ADR`; otherwise a number after # is that of a ticket.
    if before == Some(b'#') && !is_enhanced_at(bytes, end + 1) {
        return None;
    }
    let next = bytes.get(end).copied();
    let stands_alone = match next {
        None | Some(b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b';' | b'"' | b'\'' | b']' | b'>') => true,
        // `550-5.1.1`, `550-Please`, but not a telephone number.
        Some(b'-') => bytes.get(end + 1).is_none_or(|o| !o.is_ascii_digit() || bytes.get(end + 2) == Some(&b'.')),
        Some(b')') => before == Some(b'('),
        Some(b'.') => bytes.get(end + 1).is_none_or(|o| o.is_ascii_whitespace()),
        _ => false,
    };
    (stands_alone && is_refusal(code)).then_some(code)
}

/// The codes of refusals in use: RFC 5321 §4.2.3, its extensions, and some private ones.
fn is_refusal(code: u16) -> bool {
    matches!(code, 421 | 422 | 431 | 432 | 441 | 442 | 446 | 447 | 450..=455 | 458 | 459 | 471 | 472 | 499 | 500..=504
        | 510..=513 | 515 | 521 | 523 | 530 | 531 | 533..=535 | 538 | 541 | 542 | 544 | 546 | 550..=560 | 570..=573 | 577 | 580..=582)
}

/// Whether an enhanced status code of a refusal is at this position.
fn is_enhanced_at(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b'4' | b'5'))
        && bytes.get(at + 1) == Some(&b'.')
        && bytes.get(at + 2).is_some_and(u8::is_ascii_digit)
        && bytes.get(at + 3) == Some(&b'.')
}

fn stage(text: &str) -> Option<Stage> {
    let stages = [
        (
            Stage::Recipient,
            &[
                "rcpt to",
                "rcpt_to",
                "does not like recipient",
                "rejected recipient",
                "rejected address",
                "recipient command",
            ][..],
        ),
        (Stage::Mail, &["mail from:", "mail from command", "mail_from", "does not like sender", "(mail from)"][..]),
        (
            Stage::Message,
            &["end of data", "after i sent the message", "message body", "data command", "end_of_data", "data.end"][..],
        ),
        (
            Stage::Connect,
            &[
                "initial connection",
                "refused to talk to me",
                "helo command",
                "ehlo command",
                "while performing the helo",
                "while performing the ehlo",
            ][..],
        ),
    ];
    let found = stages.iter().find(|(_, words)| words.iter().any(|word| text.contains(word)));
    found.map(|(stage, _)| *stage)
}
