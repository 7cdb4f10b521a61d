//! Converts a post's bytes into list mail: its header is processed field by field; fields about its journey here or
//! in our name are removed, ours are added, and fields that may occur once occur once. The body stays unchanged, byte
//! for byte, unless it has lines that a relay may refuse. The header is sent in ASCII, so that it needs no SMTPUTF8
//! (RFC 6531).
//!
//! The author's DKIM signature is kept if From is, because nothing that it usually covers is changed (RFC 6377 §5.4);
//! with a rewritten From it could only fail.

use std::borrow::Cow;
use std::sync::Arc;

use crate::base::clock::Timestamp;

use super::author::Author;
use super::compose::{ListFields, push_date, push_list_fields};
use super::header_check::{ONCE, author_and_doubt};
use super::header_repair::push_sound;
use super::headers::{Mailbox, push_mailboxes, push_plain, push_text, push_uris};
use super::notice::LOOP_FIELD;
use super::raw_header::{RawField, RawHeader};
use super::relayable::relayable;

/// Fields that are always removed, in lower case: those about the journey here, those that only the list may set, and
/// requests for receipts that every reader would answer. All List-* fields are removed as well (RFC 2369 §3, RFC 2919
/// §3).
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

/// The changes that the list makes in a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The list in From, if the author must not be there.
    pub from: Option<Mailbox>,
    /// The author, shown elsewhere if From is rewritten.
    pub author: Mailbox,
    /// The addresses for replies; `None` keeps the author's.
    pub reply_to: Option<Vec<Mailbox>>,
    /// The address for posts, as shown; `None` if readers cannot post.
    pub post_address: Option<String>,
    /// The mark by which the list recognises its own mail.
    pub loop_mark: String,
    /// Whether nothing may reveal the list's name: then addressees and trace fields are removed too.
    pub sensitive: bool,
    /// The Message-ID for a post without one, without brackets.
    pub message_id: String,
    /// The date for a post without one.
    pub date: Timestamp,
    /// Feedback-ID.
    pub feedback_id: String,
}

/// A post that only lacks the reader.
#[derive(Clone, Debug)]
pub struct PostedFrame {
    head: Vec<u8>,
    body: Arc<Vec<u8>>,
    to_is_open: bool,
}

/// The part that differs between readers.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The reader; shown only if the post's own To is not.
    pub to: &'a Mailbox,
    /// The https link to leave with one click (RFC 8058).
    pub unsubscribe_https: Option<&'a str>,
    /// The `mailto:` URI to leave by mail.
    pub unsubscribe_mailto: &'a str,
}

/// The fields of a post's own header that are kept, without duplicates of those that may occur once.
fn kept<'h, 'a>(header: &'h RawHeader<'a>, keeps_from: bool, changes: &Changes) -> Vec<&'h RawField<'a>> {
    let mut kept: Vec<&RawField<'a>> = Vec::with_capacity(header.fields.len());
    let mut there = [false; ONCE.len()];
    for field in &header.fields {
        let lower = String::from_utf8_lossy(field.name).to_ascii_lowercase();
        let lower = lower.as_str();
        let from = !keeps_from && lower == "from";
        let replied = lower == "reply-to" && changes.reply_to.is_some();
        let gone = lower.starts_with("list-") || DROPPED.contains(&lower);
        let telling = changes.sensitive && is_telling(lower);
        // RFC 5322 §3.6: a careless reader may see the second one, where others saw the first.
        let place = ONCE.iter().position(|once| *once == lower);
        let again = place.is_some_and(|place| std::mem::replace(&mut there[place], true));
        if !gone && !from && !replied && !telling && !again {
            kept.push(field);
        }
    }
    kept
}

/// Whether a field may reveal the name of a sensitive list, or its members.
fn is_telling(lower: &str) -> bool {
    ["to", "cc", "received", "thread-topic", "mail-followup-to", "mail-reply-to", "apparently-to"].contains(&lower)
        || lower.starts_with("x-forwarded")
        || lower.starts_with("resent-")
}

impl PostedFrame {
    /// Takes a post apart and prepares the part shared by all readers.
    pub fn new(bytes: &[u8], changes: &Changes) -> Self {
        // Signed content stays unchanged; a relay may accept it as it is.
        let fitted = relayable(bytes, true).unwrap_or(Cow::Borrowed(bytes));
        let header = RawHeader::new(&fitted);
        // From is kept only if every program finds the same author in it that was decided on.
        let decided = |author: &Author| author.is_tidy && author.address == changes.author.address;
        let keeps_from =
            changes.from.is_none() && matches!(author_and_doubt(bytes), Ok((author, None)) if decided(&author));
        let kept = kept(&header, keeps_from, changes);
        // A signature over changed content could only fail.
        let unsigned = !keeps_from || matches!(fitted, Cow::Owned(_)) || kept.iter().any(|field| !field.is_sound());
        let mut head = Vec::with_capacity(header.length + 1024);
        let mut names = Vec::with_capacity(kept.len());
        for field in kept.into_iter().filter(|field| !(unsigned && field.is("DKIM-Signature"))) {
            if push_sound(&mut head, field) {
                names.push(field.name);
            }
        }
        let has = |name: &str| names.iter().any(|other| other.eq_ignore_ascii_case(name.as_bytes()));
        if let Some(from) = &changes.from {
            push_mailboxes(&mut head, "From", &[from]);
            match changes.author.address.needs_smtputf8() {
                false => push_mailboxes(&mut head, "X-Original-From", &[&changes.author]),
                true => push_text(&mut head, "X-Original-From", changes.author.address.as_str()),
            }
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
        Self { head, body: Arc::new(header.body.to_vec()), to_is_open }
    }

    /// The message for one reader: its header with the empty line, and the shared body.
    pub fn message(&self, list: &ListFields, reader: &Reader<'_>) -> (Vec<u8>, Arc<Vec<u8>>) {
        let mut out = Vec::with_capacity(self.head.len() + 1024);
        out.extend_from_slice(&self.head);
        if self.to_is_open {
            push_mailboxes(&mut out, "To", &[reader.to]);
        }
        push_list_fields(&mut out, list, reader.unsubscribe_https, reader.unsubscribe_mailto);
        out.extend_from_slice(b"\r\n");
        (out, self.body.clone())
    }
}

/// The bytes after the header: they identify a message without Message-ID.
pub(crate) fn body_of(bytes: &[u8]) -> &[u8] {
    RawHeader::new(bytes).body
}

/// The message with every line end as CR LF and one at its end, as required for SMTP (RFC 5321 §2.3.8).
pub fn with_line_ends(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    let mut rest = bytes;
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
