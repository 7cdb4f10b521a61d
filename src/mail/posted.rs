//! A post's octets made into list mail: its header is taken field by field, what speaks of another journey or in our name
//! goes, ours is added; the body stays as it is, octet for octet.
//!
//! The author's DKIM signature is left in place while From is, as nothing that it usually covers is changed (RFC 6377
//! §5.4); with a rewritten From it could only fail.

use crate::base::clock::Timestamp;

use super::compose::{ListFields, push_date, push_list_fields};
use super::headers::{LINE_LIMIT, Mailbox, push_mailboxes, push_plain, push_text, push_uris};
use super::letter::LOOP_FIELD;

/// Fields that never travel on, in lower case: of the journey here, that only the list may set, and requests for receipts
/// that every reader would answer. Every field of a list goes beside them (RFC 2369 §3, RFC 2919 §3).
const DROPPED: [&str; 22] = [
    "authentication-results",
    "bcc",
    "delivered-to",
    "disposition-notification-to",
    "envelope-to",
    "errors-to",
    "feedback-id",
    "old-authentication-results",
    "original-recipient",
    "precedence",
    "received-spf",
    "resent-bcc",
    "return-path",
    "return-receipt-to",
    "sender",
    "x-authentication-results",
    "x-confirm-reading-to",
    "x-envelope-to",
    "x-loop",
    "x-original-from",
    "x-original-to",
    "x-spam-status",
];

/// One header field as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field<'a> {
    name: &'a [u8],
    /// With its folded lines and their line ends.
    whole: &'a [u8],
}

/// What the list changes in a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The list in From, where the author may not stand there.
    pub from: Option<Mailbox>,
    /// The author, for whoever looks, where From is rewritten.
    pub author: Mailbox,
    /// Where replies go; `None` leaves what the author says.
    pub reply_to: Option<Vec<Mailbox>>,
    /// The address that posts go to, as shown; `None` where readers cannot write to it.
    pub post_address: Option<String>,
    /// By what the list knows its own mail again.
    pub loop_mark: String,
    /// Whether nothing may tell the list's name: then the addresses and the way here go too.
    pub sensitive: bool,
    /// The Message-ID for a post that has none, without brackets.
    pub message_id: String,
    /// The date for a post that has none.
    pub date: Timestamp,
    /// Feedback-ID.
    pub feedback_id: String,
}

/// A post of which only the reader is open.
#[derive(Clone, Debug)]
pub struct PostedFrame {
    head: Vec<u8>,
    body: Vec<u8>,
    to_is_open: bool,
}

/// What differs from reader to reader.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The reader; shown only where the post's own To is not.
    pub to: &'a Mailbox,
    /// How they leave with one click, by https (RFC 8058).
    pub unsubscribe_https: Option<&'a str>,
    /// The same by mail, a `mailto:` URI.
    pub unsubscribe_mailto: &'a str,
}

/// The header fields and where the body begins. Lines that are no field are left out.
fn split(octets: &[u8]) -> (Vec<Field<'_>>, &[u8]) {
    let (mut fields, mut rest) = (Vec::new(), octets);
    loop {
        if let Some(body) = rest.strip_prefix(b"\r\n") {
            return (fields, body);
        }
        if rest.is_empty() {
            return (fields, rest);
        }
        let end = end_of_field(rest);
        let (whole, after) = rest.split_at(end);
        rest = after;
        // RFC 5322 §2.2: a name of printable ASCII, then a colon.
        let colon = whole.iter().position(|octet| *octet == b':').unwrap_or(0);
        let name = whole[..colon].trim_ascii_end();
        if !name.is_empty() && name.iter().all(u8::is_ascii_graphic) {
            fields.push(Field { name, whole });
        }
    }
}

/// Where the field at the beginning ends, with the lines folded under it.
fn end_of_field(octets: &[u8]) -> usize {
    let mut end = 0;
    loop {
        match memchr::memchr(b'\n', &octets[end..]) {
            None => return octets.len(),
            Some(at) => end += at + 1,
        }
        if !matches!(octets.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

impl Field<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    fn is_sound(&self) -> bool {
        // RFC 5322 §2.1.1; and nothing that a later reader takes for a line end.
        self.whole.ends_with(b"\r\n")
            && self.whole.split(|octet| *octet == b'\n').all(|line| line.len() <= LINE_LIMIT + 1)
            && !self.whole.contains(&0)
    }

    fn stays(&self, changes: &Changes) -> bool {
        let lower = String::from_utf8_lossy(self.name).to_ascii_lowercase();
        let rewritten = changes.from.is_some() && ["from", "dkim-signature"].contains(&lower.as_str());
        let replied = lower == "reply-to" && changes.reply_to.is_some();
        let telling = changes.sensitive
            && (["to", "cc", "received", "thread-topic", "mail-followup-to", "mail-reply-to", "apparently-to"]
                .contains(&lower.as_str())
                || lower.starts_with("x-forwarded")
                || lower.starts_with("resent-"));
        let gone = lower.starts_with("list-") || DROPPED.contains(&lower.as_str());
        self.is_sound() && !gone && !rewritten && !replied && !telling
    }
}

impl PostedFrame {
    /// Takes a post apart and makes all that its readers share.
    pub fn new(octets: &[u8], changes: &Changes) -> Self {
        let (fields, body) = split(octets);
        let mut head = Vec::with_capacity(octets.len() - body.len() + 1024);
        let kept: Vec<&Field<'_>> = fields.iter().filter(|field| field.stays(changes)).collect();
        kept.iter().for_each(|field| head.extend_from_slice(field.whole));
        let has = |name: &str| kept.iter().any(|field| field.is(name));
        if let Some(from) = &changes.from {
            push_mailboxes(&mut head, "From", &[from]);
            push_mailboxes(&mut head, "X-Original-From", &[&changes.author]);
        } else if !has("From") {
            push_mailboxes(&mut head, "From", &[&changes.author]);
        }
        if let Some(reply_to) = changes.reply_to.as_ref().filter(|all| !all.is_empty()) {
            push_mailboxes(&mut head, "Reply-To", &reply_to.iter().collect::<Vec<_>>());
        }
        if !has("Date") {
            push_date(&mut head, "Date", changes.date);
        }
        if !has("Message-ID") {
            push_uris(&mut head, "Message-ID", &[&changes.message_id]);
        }
        match &changes.post_address {
            Some(address) => push_uris(&mut head, "List-Post", &[&format!("mailto:{address}")]),
            // RFC 2369 §3.4.
            None => push_plain(&mut head, "List-Post", "NO"),
        }
        push_text(&mut head, LOOP_FIELD, &changes.loop_mark);
        push_plain(&mut head, "Feedback-ID", &changes.feedback_id);
        push_plain(&mut head, "Precedence", "list");
        let to_is_open = !has("To") && !has("Cc");
        Self { head, body: body.to_vec(), to_is_open }
    }

    /// The message for one reader.
    pub fn message(&self, list: &ListFields, reader: &Reader<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.head.len() + self.body.len() + 1024);
        out.extend_from_slice(&self.head);
        if self.to_is_open {
            push_mailboxes(&mut out, "To", &[reader.to]);
        }
        push_list_fields(&mut out, list, reader.unsubscribe_https, reader.unsubscribe_mailto);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

/// The octets after the header: by these a message without Message-ID is known again.
pub fn body_of(octets: &[u8]) -> &[u8] {
    split(octets).1
}

/// The message with every line end as CR LF and one at its end, as it must be to travel (RFC 5321 §2.3.8).
pub fn with_line_ends(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 2);
    let mut rest = octets;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\r\n");
        let taken = if rest[at..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[at + taken..];
    }
    out.extend_from_slice(rest);
    if !rest.is_empty() {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
#[path = "posted_tests.rs"]
mod tests;
