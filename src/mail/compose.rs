//! Composes the bytes of a message from texts and headers: multipart/alternative (text, HTML, calendar), inside
//! multipart/mixed if there are attachments.
//!
//! The part shared by all recipients of a mailing (attachments, calendar, most of both texts) is encoded once, in
//! [`Frame`] and [`Body`]; [`compose`] only adds what differs. The same input gives the same bytes.

use std::sync::Arc;

use crate::base::clock::Timestamp;

use super::encoding::{QuotedPrintable, push_base64, quoted_printable};
use super::headers::{LINE_LIMIT, Mailbox, push_ids, push_mailboxes, push_parameter, push_plain, push_text, push_uris};

/// A file sent with the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name for the reader; folders in it are removed.
    pub file_name: String,
    /// Its media type, e.g. `application/pdf`.
    pub media_type: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A calendar part (RFC 5545, RFC 6047): shown by mail programs as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarPart {
    /// The method, the same as METHOD in the text, e.g. `PUBLISH` (RFC 6047 §2.4).
    pub method: &'static str,
    /// The iCalendar text.
    pub text: String,
    /// Its file name, for programs that show it as a file.
    pub file_name: String,
}

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

/// The part shared by all messages of a mailing besides the texts, encoded once.
#[derive(Clone, Debug)]
pub struct Frame {
    /// From MIME-Version to the first part's header; follows the fields of each message.
    opening: Vec<u8>,
    /// From the end of the text to the beginning of the HTML.
    between: Vec<u8>,
    /// From the end of the HTML to the end of the message: the attachments, which are not copied into each message.
    closing: Arc<Vec<u8>>,
}

impl Frame {
    /// Encodes the shared part. `language` is the language of the texts; `seed` (ASCII letters and digits) makes the
    /// boundaries differ from mailing to mailing.
    pub fn new(language: &str, seed: &str, calendar: Option<&CalendarPart>, attachments: &[Attachment]) -> Self {
        let seed: String = seed.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
        // RFC 2045 §6.7: `=_` cannot occur in a quoted-printable or base64 line, so in no part (RFC 2046 §5.1.1).
        let (mixed, alternative) = (format!("=_mixed.{seed}"), format!("=_alternative.{seed}"));
        let mut opening = Vec::with_capacity(512);
        push_plain(&mut opening, "MIME-Version", "1.0");
        if attachments.is_empty() {
            push_multipart(&mut opening, "alternative", &alternative);
        } else {
            push_multipart(&mut opening, "mixed", &mixed);
            push_delimiter(&mut opening, &mixed);
            push_multipart(&mut opening, "alternative", &alternative);
        }
        push_delimiter(&mut opening, &alternative);
        // RFC 3676 §4: lines that end in a space are flowed.
        push_text_part(&mut opening, "text/plain; charset=utf-8; format=flowed", language);

        let mut between = Vec::with_capacity(256);
        push_delimiter(&mut between, &alternative);
        push_text_part(&mut between, "text/html; charset=utf-8", language);

        let mut closing = Vec::with_capacity(512);
        if let Some(calendar) = calendar {
            push_delimiter(&mut closing, &alternative);
            push_calendar(&mut closing, calendar);
        }
        push_end(&mut closing, &alternative);
        for attachment in attachments {
            push_delimiter(&mut closing, &mixed);
            push_attachment(&mut closing, attachment);
        }
        if !attachments.is_empty() {
            push_end(&mut closing, &mixed);
        }
        Self { opening, between, closing: Arc::new(closing) }
    }

    /// The end shared by all messages, after the HTML.
    pub(crate) fn closing(&self) -> Arc<Vec<u8>> {
        self.closing.clone()
    }
}

fn push_multipart(out: &mut Vec<u8>, kind: &str, boundary: &str) {
    out.extend_from_slice(format!("Content-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n").as_bytes());
}

fn push_delimiter(out: &mut Vec<u8>, boundary: &str) {
    out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
}

fn push_end(out: &mut Vec<u8>, boundary: &str) {
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
}

fn push_text_part(out: &mut Vec<u8>, content_type: &str, language: &str) {
    push_plain(out, "Content-Type", content_type);
    push_plain(out, "Content-Language", language);
    out.extend_from_slice(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n");
}

fn push_calendar(out: &mut Vec<u8>, calendar: &CalendarPart) {
    out.extend_from_slice(b"Content-Type: text/calendar; charset=utf-8; method=");
    out.extend_from_slice(calendar.method.as_bytes());
    push_parameter(out, "name", &base_name(&calendar.file_name));
    out.extend_from_slice(b"\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    // Base64, because a calendar's own CRLF and folding must arrive unchanged.
    push_base64(out, calendar.text.as_bytes());
}

fn push_attachment(out: &mut Vec<u8>, attachment: &Attachment) {
    let name = base_name(&attachment.file_name);
    let media_type =
        if is_media_type(&attachment.media_type) { &attachment.media_type } else { "application/octet-stream" };
    out.extend_from_slice(b"Content-Type: ");
    out.extend_from_slice(media_type.as_bytes());
    out.extend_from_slice(b"\r\nContent-Disposition: attachment");
    push_parameter(out, "filename", &name);
    out.extend_from_slice(b"\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    push_base64(out, &attachment.bytes);
}

/// The last part of a path in any system's notation; never empty, never `.` or `..`.
fn base_name(file_name: &str) -> String {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    if name.is_empty() || name.chars().all(|c| c == '.') { "file".to_owned() } else { name.to_owned() }
}

/// RFC 2045 §5.1 without parameters: `type/subtype` of token characters.
fn is_media_type(text: &str) -> bool {
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|o| o.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&o));
    // A multipart or message type would need its own structure inside.
    text.len() <= 127
        && !text.starts_with("multipart/")
        && !text.starts_with("message/")
        && text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
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
