//! The MIME structure of a message: multipart/alternative of text, HTML and calendar; with the pictures that the HTML
//! shows in multipart/related (RFC 2387), and with the attachments in multipart/mixed. A level without a second part is
//! left out. What differs from reader to reader comes first, so that the shared end need not be copied.

use std::fmt;
use std::sync::Arc;

use super::encoding::push_base64;
use super::headers::{push_parameter, push_plain, push_uris};

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

/// A picture that the HTML part shows (RFC 2387, RFC 2392).
#[derive(Clone, PartialEq, Eq)]
pub struct InlinePicture {
    /// The name by which the HTML refers to it, `cid:…`, without angle brackets: printable ASCII.
    pub content_id: String,
    /// Its name for a reader who saves it.
    pub file_name: String,
    /// Its media type: `image/jpeg` or `image/png`.
    pub media_type: &'static str,
    /// Its content.
    pub bytes: Arc<Vec<u8>>,
}

impl fmt::Debug for InlinePicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>, {} bytes", self.file_name, self.content_id, self.bytes.len())
    }
}

/// The parts of a message besides its two texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// The calendar part.
    pub calendar: Option<&'a CalendarPart>,
    /// The pictures of the HTML part.
    pub pictures: &'a [InlinePicture],
    /// The attachments, in order.
    pub attachments: &'a [Attachment],
}

/// A calendar part (RFC 5545, RFC 6047): shown by mail programs as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarPart {
    /// The method, the same as METHOD in the text, e.g. `PUBLISH` (RFC 6047 §2.4).
    pub method: &'static str,
    /// The iCalendar text.
    pub text: String,
    /// Where in the text the lines belong that ask one reader for an answer; `None` if it is the same for all readers.
    pub asks_at: Option<usize>,
    /// Its file name, for programs that show it as a file.
    pub file_name: String,
}

impl CalendarPart {
    /// The part with the lines that ask one reader; without a place for them, as it is.
    pub(crate) fn for_reader(&self, lines: &str) -> Self {
        let (before, after) = self.text.split_at(self.asks_at.unwrap_or(self.text.len()));
        let lines = if self.asks_at.is_some() { lines } else { "" };
        Self { text: [before, lines, after].concat(), asks_at: None, ..self.clone() }
    }
}

/// The part shared by all messages of a mailing besides the texts, encoded once.
#[derive(Clone, Debug)]
pub struct Frame {
    /// From MIME-Version to the first part's header; follows the fields of each message.
    pub(super) opening: Vec<u8>,
    /// From the end of the text to the beginning of the HTML.
    pub(super) between: Vec<u8>,
    /// The calendar part, if it differs from reader to reader.
    asking: Option<Asking>,
    /// From the end of the HTML, or of such a calendar, to the end of the message: pictures and attachments, which are not copied into each message.
    pub(super) closing: Arc<Vec<u8>>,
}

/// A calendar part that asks each reader for an answer.
#[derive(Clone, Debug)]
struct Asking {
    /// From the end of the HTML to the beginning of the calendar.
    opening: Vec<u8>,
    calendar: CalendarPart,
}

impl Frame {
    /// Encodes the shared part. `language` is the language of the texts; `seed` (ASCII letters and digits) makes the
    /// boundaries differ from mailing to mailing.
    pub fn new(language: &str, seed: &str, parts: Parts<'_>) -> Self {
        let Parts { calendar, pictures, attachments } = parts;
        let seed: String = seed.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
        // RFC 2045 §6.7: `=_` cannot occur in a quoted-printable or base64 line, so in no part (RFC 2046 §5.1.1).
        let [mixed, alternative, related] = ["mixed", "alternative", "related"].map(|kind| format!("=_{kind}.{seed}"));
        let mut opening = Vec::with_capacity(512);
        push_plain(&mut opening, "MIME-Version", "1.0");
        if !attachments.is_empty() {
            push_multipart(&mut opening, "mixed", &mixed);
            push_delimiter(&mut opening, &mixed);
        }
        if !pictures.is_empty() {
            push_related(&mut opening, &related);
            push_delimiter(&mut opening, &related);
        }
        push_multipart(&mut opening, "alternative", &alternative);
        push_delimiter(&mut opening, &alternative);
        // RFC 3676 §4: lines that end in a space are flowed.
        push_text_part(&mut opening, "text/plain; charset=utf-8; format=flowed", language);

        let mut between = Vec::with_capacity(512);
        push_delimiter(&mut between, &alternative);
        push_text_part(&mut between, "text/html; charset=utf-8", language);

        let (mut closing, mut asking) = (Vec::with_capacity(encoded_size(&parts)), None);
        if let Some(calendar) = calendar {
            let mut opening = Vec::with_capacity(256);
            push_delimiter(&mut opening, &alternative);
            push_calendar_header(&mut opening, calendar);
            match calendar.asks_at {
                Some(_) => asking = Some(Asking { opening, calendar: calendar.clone() }),
                None => {
                    closing.extend(opening);
                    push_base64(&mut closing, calendar.text.as_bytes());
                }
            }
        }
        push_end(&mut closing, &alternative);
        for picture in pictures {
            push_delimiter(&mut closing, &related);
            push_picture(&mut closing, picture);
        }
        if !pictures.is_empty() {
            push_end(&mut closing, &related);
        }
        for attachment in attachments {
            push_delimiter(&mut closing, &mixed);
            push_attachment(&mut closing, attachment);
        }
        if !attachments.is_empty() {
            push_end(&mut closing, &mixed);
        }
        Self { opening, between, asking, closing: Arc::new(closing) }
    }

    /// Whether the calendar part asks each reader for an answer.
    pub(crate) fn asks_each_reader(&self) -> bool {
        self.asking.is_some()
    }

    /// Appends the calendar part with the lines that ask one reader; nothing if the calendar is the same for all.
    pub(super) fn push_asking(&self, out: &mut Vec<u8>, lines: &str) {
        if let Some(Asking { opening, calendar }) = &self.asking {
            out.extend_from_slice(opening);
            push_base64(out, calendar.for_reader(lines).text.as_bytes());
        }
    }

    /// The end shared by all messages, after the HTML or the reader's calendar.
    pub(crate) fn closing(&self) -> Arc<Vec<u8>> {
        self.closing.clone()
    }
}

fn push_multipart(out: &mut Vec<u8>, kind: &str, boundary: &str) {
    out.extend_from_slice(format!("Content-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n").as_bytes());
}

/// RFC 2387 §3.1: the type is that of the first part, in which the HTML shows the others.
fn push_related(out: &mut Vec<u8>, boundary: &str) {
    out.extend_from_slice(
        format!("Content-Type: multipart/related; type=\"multipart/alternative\";\r\n boundary=\"{boundary}\"\r\n")
            .as_bytes(),
    );
}

/// Approximate number of bytes of the parts behind the HTML.
fn encoded_size(parts: &Parts<'_>) -> usize {
    let files = parts.attachments.iter().map(|one| one.bytes.len());
    let pictures = parts.pictures.iter().map(|one| one.bytes.len());
    files.chain(pictures).map(|bytes| bytes / 20 * 28 + 512).sum::<usize>() + 4096
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

/// The header of a calendar part. Its content is base64, because a calendar's own CRLF and folding must arrive unchanged.
fn push_calendar_header(out: &mut Vec<u8>, calendar: &CalendarPart) {
    out.extend_from_slice(b"Content-Type: text/calendar; charset=utf-8; method=");
    out.extend_from_slice(calendar.method.as_bytes());
    push_parameter(out, "name", &base_name(&calendar.file_name));
    out.extend_from_slice(b"\r\nContent-Transfer-Encoding: base64\r\n\r\n");
}

/// RFC 2392 §2: the HTML refers to the Content-ID; RFC 2183 §2.1: it is shown where it stands.
fn push_picture(out: &mut Vec<u8>, picture: &InlinePicture) {
    out.extend_from_slice(format!("Content-Type: {}\r\n", picture.media_type).as_bytes());
    push_uris(out, "Content-ID", &[&picture.content_id]);
    out.extend_from_slice(b"Content-Disposition: inline");
    push_parameter(out, "filename", &base_name(&picture.file_name));
    out.extend_from_slice(b"\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    push_base64(out, &picture.bytes);
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
pub(super) fn base_name(file_name: &str) -> String {
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
