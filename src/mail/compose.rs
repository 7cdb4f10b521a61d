//! Composes the bytes of a message from texts and headers.
//!
//! The part shared by all recipients of a mailing (attachments, pictures, calendar, most of both texts) is encoded once,
//! in [`Frame`] and [`Body`]; [`compose`] only adds what differs. The same input gives the same bytes.

use crate::base::clock::Timestamp;

use super::encoding::{QuotedPrintable, quoted_printable};
use super::frame::Frame;
use super::headers::{LINE_LIMIT, Mailbox, push_ids, push_mailboxes, push_plain, push_text, push_uris};

/// One text of the message in pieces: the shared ones are already encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Encoded(Vec<u8>),
    Open(usize),
}

impl Body {
    /// Creates a text that is the same for all recipients.
    pub fn whole(text: &str) -> Self {
        let mut body = Self::default();
        body.push_shared(text);
        body
    }

    /// Appends text shared by all recipients.
    pub fn push_shared(&mut self, text: &str) {
        if !text.is_empty() {
            self.pieces.push(Piece::Encoded(quoted_printable(text)));
        }
    }

    /// Appends a place for the recipient's value number `value` (see `Individual`).
    pub fn push_open(&mut self, value: usize) {
        self.pieces.push(Piece::Open(value));
    }

    fn write(&self, out: &mut Vec<u8>, values: &[impl AsRef<str>]) {
        let mut writer = QuotedPrintable::new(out);
        for piece in &self.pieces {
            match piece {
                Piece::Encoded(bytes) => writer.push_encoded(bytes),
                Piece::Open(value) => writer.push(values.get(*value).map_or("", |v| v.as_ref())),
            }
        }
        writer.end_piece();
    }
}

/// The List-* fields of mail to a list (RFC 2369, RFC 2919, RFC 8058); the same for all recipients through one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFields {
    /// The text before the identifier, for people; may be empty.
    pub title: String,
    /// The identifier without brackets, e.g. `media.lists.example.org`; at most 255 bytes.
    pub id: String,
    /// The list's owner, as a `mailto:` URI.
    pub owner: String,
    /// The address for help, as a URI.
    pub help: String,
}

/// The sender's fields; the same for all messages of a mailing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// From.
    pub from: Mailbox,
    /// A person who answers; omitted if the same as From.
    pub reply_to: Option<Mailbox>,
    /// Feedback-ID, under which receivers aggregate complaints: at most four fields separated by `:`.
    pub feedback_id: String,
}

/// The part that differs between recipients.
#[derive(Clone, Debug)]
pub struct Individual<'a> {
    /// To.
    pub to: &'a Mailbox,
    /// The address for this reader's answer; the sender's, if `None`.
    pub reply_to: Option<&'a Mailbox>,
    /// Subject.
    pub subject: &'a str,
    /// Date.
    pub date: Timestamp,
    /// Message-ID without brackets: `left@domain`.
    pub message_id: &'a str,
    /// The Message-IDs of the earlier mails that it continues, oldest first, without brackets; empty for none.
    pub references: &'a [String],
    /// The https link that ends the subscription with one click (RFC 8058); `None` without public pages.
    pub unsubscribe_https: Option<&'a str>,
    /// The `mailto:` URI that ends it by mail.
    pub unsubscribe_mailto: &'a str,
    /// The recipient's values for the places in the text, unescaped.
    pub text_values: &'a [String],
    /// The recipient's values for the places in the HTML, escaped.
    pub html_values: &'a [String],
}

/// Why a message cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// RFC 5322 §2.1.1: a header line of more than 998 bytes.
    #[error("the header line that begins \u{201c}{0}\u{201d} would have more than 998 bytes; shorten it")]
    LineTooLong(String),
}

/// The bytes of one message, with CRLF line ends.
///
/// # Errors
/// [`ComposeError`]: what in it cannot be sent.
pub fn compose(
    sender: &Sender,
    list: &ListFields,
    frame: &Frame,
    bodies: (&Body, &Body),
    one: &Individual<'_>,
) -> Result<Vec<u8>, ComposeError> {
    let mut out = compose_beginning(sender, list, frame, bodies, one)?;
    out.extend_from_slice(&frame.closing);
    Ok(out)
}

/// The bytes of one message without the shared end ([`Frame::closing`]).
///
/// # Errors
/// [`ComposeError`]: what in it cannot be sent.
pub(crate) fn compose_beginning(
    sender: &Sender,
    list: &ListFields,
    frame: &Frame,
    (text, html): (&Body, &Body),
    one: &Individual<'_>,
) -> Result<Vec<u8>, ComposeError> {
    let shared = frame.opening.len() + frame.between.len();
    let mut out = Vec::with_capacity(shared + body_len(text) + body_len(html) + 2048);
    push_headers(&mut out, sender, list, one);
    add_texts(out, frame, (text, one.text_values), (html, one.html_values))
}

/// Appends texts and shared parts after a message's own header fields.
pub(super) fn add_body(
    out: Vec<u8>,
    frame: &Frame,
    text: (&Body, &[String]),
    html: (&Body, &[String]),
) -> Result<Vec<u8>, ComposeError> {
    let mut out = add_texts(out, frame, text, html)?;
    out.extend_from_slice(&frame.closing);
    Ok(out)
}

fn add_texts(
    mut out: Vec<u8>,
    frame: &Frame,
    (text, text_values): (&Body, &[String]),
    (html, html_values): (&Body, &[String]),
) -> Result<Vec<u8>, ComposeError> {
    check_lines(&out)?;
    out.extend_from_slice(&frame.opening);
    text.write(&mut out, text_values);
    out.extend_from_slice(&frame.between);
    html.write(&mut out, html_values);
    Ok(out)
}

fn body_len(body: &Body) -> usize {
    let of_piece = |piece: &Piece| match piece {
        Piece::Encoded(bytes) => bytes.len(),
        Piece::Open(_) => 256,
    };
    body.pieces.iter().map(of_piece).sum()
}

fn push_headers(out: &mut Vec<u8>, sender: &Sender, list: &ListFields, one: &Individual<'_>) {
    push_mailboxes(out, "From", &[&sender.from]);
    if let Some(reply_to) = one.reply_to.or(sender.reply_to.as_ref()) {
        push_mailboxes(out, "Reply-To", &[reply_to]);
    }
    push_mailboxes(out, "To", &[one.to]);
    push_text(out, "Subject", one.subject);
    push_date(out, "Date", one.date);
    push_uris(out, "Message-ID", &[one.message_id]);
    if let Some(newest) = one.references.last() {
        // RFC 5322 §3.6.4
        push_ids(out, "In-Reply-To", &[newest]);
        push_ids(out, "References", &one.references.iter().map(String::as_str).collect::<Vec<_>>());
    }
    push_list_fields(out, list, one.unsubscribe_https, one.unsubscribe_mailto);
    push_plain(out, "Feedback-ID", &sender.feedback_id);
    // Not in any RFC, but old vacation programs check it before they answer.
    push_plain(out, "Precedence", "bulk");
}

/// A date field: English names, in any language of the message (RFC 5322 §3.3).
pub(super) fn push_date(out: &mut Vec<u8>, name: &str, date: Timestamp) {
    push_plain(out, name, &date.format("%a, %d %b %Y %H:%M:%S +0000").to_string());
}

/// Appends the List-* fields of all mail to a list.
pub(super) fn push_list_fields(out: &mut Vec<u8>, list: &ListFields, https: Option<&str>, mailto: &str) {
    push_list_id(out, list);
    match https {
        Some(https) => {
            push_uris(out, "List-Unsubscribe", &[https, mailto]);
            // RFC 8058 §3.1: only with an https URI.
            push_plain(out, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        }
        None => push_uris(out, "List-Unsubscribe", &[mailto]),
    }
    push_uris(out, "List-Owner", &[&list.owner]);
    push_uris(out, "List-Help", &[&list.help]);
}

/// List-Id: a phrase and the identifier in brackets (RFC 2919 §3).
pub(super) fn push_list_id(out: &mut Vec<u8>, list: &ListFields) {
    let id: String = list.id.chars().filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).take(255).collect();
    super::headers::push_titled(out, "List-Id", &list.title, &id);
}

fn check_lines(headers: &[u8]) -> Result<(), ComposeError> {
    for line in headers.split(|o| *o == b'\n') {
        if line.len() > LINE_LIMIT + 1 {
            let beginning = String::from_utf8_lossy(&line[..60]).into_owned();
            return Err(ComposeError::LineTooLong(beginning));
        }
    }
    Ok(())
}
