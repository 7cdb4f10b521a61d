//! A message that came in, as values: header fields, the text, the parts, what is embedded. A thin and bounded wrapper
//! over `mail-parser`, so that one place knows what may be asked of a stranger's octets and how much work they may make.
//!
//! Nothing here is trusted and nothing is checked: addresses and ids are strings as the sender wrote them, without
//! control characters. Whoever uses one as more than that parses it as that.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{HeaderName, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::html_text::html_to_text;
pub use super::incoming_limits::Excess;
use super::incoming_limits::{MAX_SEPARATORS, readable, readable_header};

/// Bytes of one header field that are kept: what it decodes to may be longer than what may be read of it.
const MAX_HEADER: usize = 64 * 1024;
/// Addresses or ids in one header field: no field that may be read has more.
const MAX_IN_FIELD: usize = MAX_SEPARATORS + 1;

/// A message that came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    headers: Vec<Header>,
    parts: Vec<Part>,
    text: String,
    html: Option<String>,
    excess: Option<Excess>,
}

/// One header field, in the message's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The field's name as it was written.
    pub name: String,
    /// The value: unfolded, encoded words decoded (RFC 2047), no control characters.
    pub value: String,
    /// The value as it stood there, folded and encoded; octets that are no UTF-8 replaced.
    pub raw: String,
    correspondents: Vec<Correspondent>,
    ids: Vec<String>,
}

/// Somebody in an address field (RFC 5322 §3.4), as the sender wrote it: not yet known to be an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correspondent {
    /// The display name, decoded; empty when there is none.
    pub name: String,
    /// The address, without angle brackets.
    pub address: String,
}

/// One part that holds something: everything but `multipart/*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// `type/subtype` in lower case; `text/plain` where none is said (RFC 2045 §5.2).
    pub content_type: String,
    /// The content type's parameters, names in lower case (RFC 2045 §5.1).
    pub parameters: Vec<(String, String)>,
    /// The file name that the sender gives it (RFC 2183 §2.3, or `name`), decoded. Never a path to write to.
    pub file_name: Option<String>,
    /// Whether the sender calls it an attachment (RFC 2183 §2.2).
    pub is_attachment: bool,
    /// Whether its text stands in [`Incoming::text`].
    pub is_text_body: bool,
    /// The Content-ID, without angle brackets.
    pub content_id: Option<String>,
    /// The content, transfer encoding undone. A message embedded in an embedded message has none.
    pub octets: Vec<u8>,
    /// The content as text, charset undone, where it is `text/*`.
    pub text: Option<String>,
    /// The message, where it is a `message/rfc822` or `message/global`; only its header fields, where it is a
    /// `text/rfc822-headers` or `message/global-headers` (RFC 6522 §4, RFC 6533 §5).
    pub message: Option<Box<Incoming>>,
}

/// The parser stopped: a fault in it that this message has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message makes the parser stop")]
pub struct Unreadable;

impl Incoming {
    /// Reads a message. Anything can be read: where there are no header fields, all of it is text. What is beyond the
    /// limits of [`Excess`], and all after it, is left out: [`Incoming::is_whole`] is false then.
    ///
    /// # Errors
    /// [`Unreadable`], when the parser panics.
    pub fn parse(octets: &[u8]) -> Result<Self, Unreadable> {
        let readable = readable(octets);
        let octets = &octets[..readable.length];
        let read = || match parser().parse(octets).map(|message| Self::from_message(&message, 0)) {
            Some(message) if !message.headers.is_empty() => message,
            _ => Self { text: String::from_utf8_lossy(octets).into_owned(), ..Self::default() },
        };
        let message = catch_unwind(AssertUnwindSafe(read)).map_err(|_| Unreadable)?;
        Ok(Self { excess: readable.excess, ..message })
    }

    /// In place of a message that is [`Unreadable`]: empty, and not whole.
    pub fn unreadable() -> Self {
        Self { excess: Some(Excess::Unreadable), ..Self::default() }
    }

    /// Reads header fields alone, as in `text/rfc822-headers`, up to the empty line that ends them.
    ///
    /// # Errors
    /// [`Unreadable`], when the parser panics.
    pub fn parse_headers(octets: &[u8]) -> Result<Self, Unreadable> {
        catch_unwind(AssertUnwindSafe(|| Self::headers_only(octets))).map_err(|_| Unreadable)
    }

    fn headers_only(octets: &[u8]) -> Self {
        let readable = readable_header(octets);
        // Without an empty line the parser finds no end of the header and drops it.
        let whole = [&octets[..readable.length], b"\r\n\r\n"].concat();
        let headers = parser().parse_headers(&whole).map(|message| headers_of(&message)).unwrap_or_default();
        Self { headers, excess: readable.excess, ..Self::default() }
    }

    fn from_message(message: &Message<'_>, depth: usize) -> Self {
        let texts: Vec<usize> = message.text_body.iter().map(|id| *id as usize).collect();
        let mut text = String::new();
        for part in texts.iter().filter_map(|id| message.parts.get(*id)) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            match &part.body {
                PartType::Text(plain) => text.push_str(plain),
                PartType::Html(html) => text.push_str(&html_to_text(html)),
                _ => {}
            }
        }
        let html = message.html_body.iter().filter_map(|id| message.parts.get(*id as usize));
        let html = html.filter_map(|part| match &part.body {
            PartType::Html(html) => Some(html.to_string()),
            _ => None,
        });
        let raw = message.raw_message.as_ref();
        let parts = message.parts.iter().enumerate();
        let parts = parts.filter(|(_, part)| !matches!(part.body, PartType::Multipart(_)));
        Self {
            headers: headers_of(message),
            html: html.reduce(|all, one| all + &one),
            parts: parts.map(|(id, part)| Part::new(part, raw, texts.contains(&id), depth)).collect(),
            text,
            excess: None,
        }
    }

    /// Whether all of the message was read. What is not whole says only what its beginning says: no command, answer or
    /// post may be made of it.
    pub fn is_whole(&self) -> bool {
        self.excess.is_none()
    }

    /// What it has more of than is read, where it is not whole.
    pub fn excess(&self) -> Option<Excess> {
        self.excess
    }

    /// All header fields, in order.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// All fields of this name, whatever the case.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Header> {
        self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name))
    }

    /// The first field of this name, decoded.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }

    /// Everybody in the fields of this name: `From`, `To`, `Cc`, `Reply-To`, `Sender`, `Resent-*`, `Return-Path`.
    pub fn correspondents(&self, name: &str) -> Vec<&Correspondent> {
        let fields = self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        fields.flat_map(|header| &header.correspondents).collect()
    }

    /// The first of From (RFC 5322 §3.6.2). It proves nothing.
    pub fn from(&self) -> Option<&Correspondent> {
        self.correspondents("From").into_iter().next()
    }

    /// Where a reply to this message goes: the first of Reply-To, else of From (RFC 5322 §3.6.2).
    pub fn reply_address(&self) -> Option<&Correspondent> {
        self.correspondents("Reply-To").into_iter().chain(self.correspondents("From")).next()
    }

    /// The subject, decoded; empty when there is none.
    pub fn subject(&self) -> &str {
        self.header("Subject").unwrap_or_default()
    }

    /// The Message-ID without angle brackets (RFC 5322 §3.6.4).
    pub fn message_id(&self) -> Option<&str> {
        self.ids("Message-ID").into_iter().next()
    }

    /// The ids in In-Reply-To, then those in References, each without angle brackets.
    pub fn answered_ids(&self) -> Vec<&str> {
        self.ids("In-Reply-To").into_iter().chain(self.ids("References")).collect()
    }

    /// The thread so far, the oldest first: the ids in References, or in In-Reply-To where there are none
    /// (RFC 5322 §3.6.4).
    pub fn references(&self) -> Vec<&str> {
        let references = self.ids("References");
        if references.is_empty() { self.ids("In-Reply-To") } else { references }
    }

    fn ids(&self, name: &str) -> Vec<&str> {
        let fields = self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        fields.flat_map(|header| &header.ids).map(String::as_str).collect()
    }

    /// Whether a program sent this, so that nothing may answer it by itself: Auto-Submitted other than `no`
    /// (RFC 3834 §5), Precedence `bulk`, `junk`, `list` or `auto_reply`, the marks of mailing lists (RFC 2919, RFC 2369),
    /// X-Loop, X-Auto-Response-Suppress, or the empty Return-Path of RFC 5321 §4.5.5.
    pub fn is_automatic(&self) -> bool {
        let first_word = |value: &str| value.split([';', ' ', '(']).next().unwrap_or_default().to_ascii_lowercase();
        let submitted = self.header("Auto-Submitted").map(first_word);
        let precedence = self.header("Precedence").map(first_word);
        let there = |name: &&str| self.header(name).is_some();
        submitted.is_some_and(|word| !word.is_empty() && word != "no")
            || precedence.is_some_and(|word| ["bulk", "junk", "list", "auto_reply"].contains(&word.as_str()))
            || ["List-Id", "List-Unsubscribe", "X-Loop", "X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress"]
                .iter()
                .any(there)
            || self.header("Return-Path").is_some_and(|path| path.trim() == "<>")
    }

    /// The text: of the `text/plain` parts that a reader sees, else of the HTML made to text. Lines may end in CR LF.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The HTML that a reader sees, as it came: never to be shown unsanitised.
    pub fn html(&self) -> Option<&str> {
        self.html.as_deref()
    }

    /// Everything but `multipart/*`, in order, texts included; what stands in embedded messages is in these.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The first part of this type, e.g. `text/calendar`.
    pub fn part(&self, content_type: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.content_type == content_type)
    }

    /// The first message embedded in this one, or its header fields alone.
    pub fn embedded(&self) -> Option<&Incoming> {
        self.parts.iter().find_map(|part| part.message.as_deref())
    }
}

impl Part {
    fn new(part: &MessagePart<'_>, raw: &[u8], is_text_body: bool, depth: usize) -> Self {
        let kind = part.content_type();
        let content_type = match kind {
            Some(kind) => format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase(),
            None if matches!(part.body, PartType::Message(_)) => "message/rfc822".to_owned(),
            None => "text/plain".to_owned(),
        };
        let parameters = kind.and_then(|kind| kind.attributes()).unwrap_or_default().iter();
        let parameters = parameters.map(|one| (one.name.to_ascii_lowercase(), safe(&one.value))).collect();
        let (mut octets, mut text, mut message) = (Vec::new(), None, None);
        match &part.body {
            PartType::Text(content) | PartType::Html(content) => {
                text = Some(content.to_string());
                octets = content.as_bytes().to_vec();
            }
            PartType::Binary(content) | PartType::InlineBinary(content) => {
                octets = content.to_vec();
                // Parts whose boundary is nowhere said: better read as they stand than not at all.
                text = content_type.starts_with("multipart/").then(|| String::from_utf8_lossy(content).into_owned());
            }
            PartType::Message(inner) => {
                message = Some(Box::new(Incoming::from_message(inner, depth + 1)));
                // One copy of what is embedded is bearable; one at each depth is not.
                if depth == 0 {
                    let range = part.offset_body as usize..part.offset_end as usize;
                    octets = raw.get(range).unwrap_or_default().to_vec();
                }
            }
            PartType::Multipart(_) => {}
        }
        if matches!(content_type.as_str(), "text/rfc822-headers" | "message/global-headers") {
            message = Some(Box::new(Incoming::headers_only(&octets)));
        }
        Self {
            content_type,
            parameters,
            file_name: part.attachment_name().map(safe).filter(|name| !name.is_empty()),
            is_attachment: part.content_disposition().is_some_and(|disposition| disposition.is_attachment()),
            is_text_body,
            content_id: part.content_id().map(safe),
            octets,
            text,
            message,
        }
    }

    /// A parameter of the content type, e.g. `method`, `charset`, `report-type`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// The method of a calendar part (RFC 6047 §2.4), in upper case.
    pub fn method(&self) -> Option<String> {
        self.parameter("method").map(str::to_ascii_uppercase)
    }
}

fn parser() -> MessageParser {
    MessageParser::new()
        .with_mime_headers()
        .with_address_headers()
        .with_message_ids()
        .header_address(HeaderName::ReturnPath)
        .default_header_text()
}

fn headers_of(message: &Message<'_>) -> Vec<Header> {
    let raw_message = message.raw_message.as_ref();
    let headers = message.parts.first().map(|part| part.headers.as_slice()).unwrap_or_default();
    // RFC 5322 §3.6.8; the parser also takes other lines with a colon for fields, such as an mbox's first.
    let named = |name: &str| !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
    let headers = headers.iter().filter(|header| named(header.name.as_str()));
    headers
        .map(|header| {
            let range = header.offset_start as usize..header.offset_end as usize;
            let raw = raw_message.get(range).unwrap_or_default();
            let raw = String::from_utf8_lossy(&raw[..raw.len().min(MAX_HEADER)]).trim().to_owned();
            let mut field = Header { name: header.name.as_str().to_owned(), raw, ..Header::default() };
            match &header.value {
                HeaderValue::Address(all) => {
                    let all = all.iter().take(MAX_IN_FIELD).filter_map(|one| {
                        let name = safe(one.name.as_deref().unwrap_or_default());
                        let address = safe(one.address.as_deref().unwrap_or_default());
                        (!name.is_empty() || !address.is_empty()).then_some(Correspondent { name, address })
                    });
                    field.correspondents = all.collect();
                    field.value = safe(&field.raw);
                }
                HeaderValue::Text(text) => {
                    field.value = safe(&text[..text.floor_char_boundary(MAX_HEADER)]);
                    if is_id(&field.name) {
                        field.ids.push(field.value.clone());
                        field.value = safe(&field.raw);
                    }
                }
                HeaderValue::TextList(list) => {
                    field.ids = list.iter().take(MAX_IN_FIELD).map(|id| safe(id)).collect();
                    field.value = safe(&field.raw);
                }
                _ => field.value = safe(&field.raw),
            }
            field
        })
        .collect()
}

fn is_id(name: &str) -> bool {
    ["Message-ID", "In-Reply-To", "References", "Resent-Message-ID"].iter().any(|id| name.eq_ignore_ascii_case(id))
}

/// Foreign text on one line: a control character becomes a space, and spaces at the ends go.
fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true if out.ends_with(' ') => {}
            true => out.push(' '),
            false => out.push(character),
        }
    }
    out.trim().to_owned()
}

#[cfg(test)]
#[path = "incoming_tests.rs"]
mod tests;
