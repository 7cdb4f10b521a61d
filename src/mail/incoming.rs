//! An incoming message as values: header fields, text, parts, embedded messages. A thin and bounded wrapper over
//! `mail-parser`, so that one place defines what may be read of a stranger's bytes and how much work they may cause.
//!
//! Nothing here is trusted or verified: addresses and ids are strings as the sender wrote them, without control
//! characters. Callers that need more must parse them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::decoding::{charset_is_known, file_name_of, reflowed, text_of_part};
use super::html_text::html_to_text;
pub(crate) use super::incoming_header::{Correspondent, Header};
use super::incoming_header::{headers_of, safe};
pub(crate) use super::incoming_limits::Excess;
use super::incoming_limits::{readable, readable_header};

/// An incoming message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    headers: Vec<Header>,
    parts: Vec<Part>,
    text: String,
    html: Option<String>,
    excess: Option<Excess>,
}

/// One part with content: everything but `multipart/*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// `type/subtype` in lower case; `text/plain` by default (RFC 2045 §5.2).
    pub content_type: String,
    /// The content type's parameters, names in lower case (RFC 2045 §5.1).
    pub parameters: Vec<(String, String)>,
    /// The file name given by the sender (RFC 2183 §2.3, or `name`), decoded. Never a path to write to.
    pub file_name: Option<String>,
    /// Whether the sender declares it as an attachment (RFC 2183 §2.2).
    pub is_attachment: bool,
    /// Whether its text is part of [`Incoming::text`].
    pub is_text_body: bool,
    /// Whether it is shown to a reader of HTML.
    pub is_html_body: bool,
    /// Whether its transfer encoding or charset is unknown or broken, so that its text is a guess.
    pub is_undecoded: bool,
    /// The Content-ID, without angle brackets.
    pub content_id: Option<String>,
    /// The content with the transfer encoding decoded. Empty for a message embedded in an embedded message.
    pub bytes: Vec<u8>,
    /// The content as decoded text, for `text/*`.
    pub text: Option<String>,
    /// The message, for `message/rfc822` or `message/global`; only its header fields, for `text/rfc822-headers` or
    /// `message/global-headers` (RFC 6522 §4, RFC 6533 §5).
    pub message: Option<Box<Incoming>>,
}

/// The parser panicked: the message reveals a fault in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parser failed on the message")]
pub struct Unreadable;

impl Incoming {
    /// Parses a message. Any input can be parsed: without header fields, all of it is text. What is beyond the limits
    /// of [`Excess`], and everything after it, is left out: [`Incoming::is_whole`] is false then.
    ///
    /// # Errors
    /// [`Unreadable`], when the parser panics.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let readable = readable(bytes);
        let bytes = &bytes[..readable.length];
        let read = || match parser().parse(bytes).map(|message| Self::from_message(&message, 0)) {
            Some(message) if !message.headers.is_empty() => message,
            _ => Self { text: String::from_utf8_lossy(bytes).into_owned(), ..Self::default() },
        };
        let message = catch_unwind(AssertUnwindSafe(read)).map_err(|_| Unreadable)?;
        Ok(Self { excess: readable.excess, ..message })
    }

    /// A placeholder for a message that is [`Unreadable`]: empty, and not whole.
    pub(crate) fn unreadable() -> Self {
        Self { excess: Some(Excess::Unreadable), ..Self::default() }
    }

    /// Parses only header fields, as in `text/rfc822-headers`, up to the empty line that ends them.
    ///
    /// # Errors
    /// [`Unreadable`], when the parser panics.
    pub(crate) fn parse_headers(bytes: &[u8]) -> Result<Self, Unreadable> {
        catch_unwind(AssertUnwindSafe(|| Self::headers_only(bytes))).map_err(|_| Unreadable)
    }

    fn headers_only(bytes: &[u8]) -> Self {
        let readable = readable_header(bytes);
        // Without an empty line the parser does not find the end of the header and drops it.
        let whole = [&bytes[..readable.length], b"\r\n\r\n"].concat();
        let headers = parser().parse_headers(&whole).map(|message| headers_of(&message)).unwrap_or_default();
        Self { headers, excess: readable.excess, ..Self::default() }
    }

    fn from_message(message: &Message<'_>, depth: usize) -> Self {
        let texts: Vec<usize> = message.text_body.iter().map(|id| *id as usize).collect();
        let shown: Vec<usize> = message.html_body.iter().map(|id| *id as usize).collect();
        let raw = message.raw_message.as_ref();
        let parts = message.parts.iter().enumerate();
        let parts = parts.filter(|(_, part)| !matches!(part.body, PartType::Multipart(_)));
        let (texts_of, shown_of): (BTreeSet<usize>, BTreeSet<usize>) =
            (texts.iter().copied().collect(), shown.iter().copied().collect());
        let parts: Vec<(usize, Part)> = parts
            .map(|(id, part)| {
                let (is_text_body, is_html_body) = (texts_of.contains(&id), shown_of.contains(&id));
                (id, Part { is_text_body, is_html_body, ..Part::new(part, raw, depth) })
            })
            .collect();
        let read = |id: usize| {
            let found = parts.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            Some((&message.parts.get(id)?.body, parts[found].1.text.as_deref()?))
        };
        let mut text = String::new();
        for (body, content) in texts.iter().filter_map(|id| read(*id)) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            match body {
                PartType::Text(_) => text.push_str(content),
                PartType::Html(_) => text.push_str(&html_to_text(content)),
                _ => {}
            }
        }
        let html = shown.iter().filter_map(|id| match read(*id)? {
            (PartType::Html(_), content) => Some(content.to_owned()),
            _ => None,
        });
        Self {
            headers: headers_of(message),
            html: html.reduce(|all, one| all + &one),
            text,
            parts: parts.into_iter().map(|(_, part)| part).collect(),
            excess: None,
        }
    }

    /// Whether the whole message was read. Otherwise it must not be treated as a command, answer or post.
    pub(crate) fn is_whole(&self) -> bool {
        self.excess.is_none()
    }

    /// The limit that it exceeds, if it is not whole.
    pub(crate) fn excess(&self) -> Option<Excess> {
        self.excess
    }

    /// All header fields, in order.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// All fields of this name, in any case.
    pub(crate) fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Header> {
        self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name))
    }

    /// The first field of this name, decoded.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }

    /// All mailboxes in the fields of this name: `From`, `To`, `Cc`, `Reply-To`, `Sender`, `Resent-*`, `Return-Path`.
    pub fn correspondents(&self, name: &str) -> Vec<&Correspondent> {
        let fields = self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        fields.flat_map(|header| &header.correspondents).collect()
    }

    /// The first mailbox in From (RFC 5322 §3.6.2). It proves nothing.
    pub fn from(&self) -> Option<&Correspondent> {
        self.correspondents("From").into_iter().next()
    }

    /// The address for replies: the first in Reply-To, otherwise in From (RFC 5322 §3.6.2).
    pub fn reply_address(&self) -> Option<&Correspondent> {
        self.correspondents("Reply-To").into_iter().chain(self.correspondents("From")).next()
    }

    /// The subject, decoded; empty if absent.
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

    /// The thread so far, oldest first: the ids in References, or in In-Reply-To if there are none (RFC 5322 §3.6.4).
    pub fn references(&self) -> Vec<&str> {
        let references = self.ids("References");
        if references.is_empty() { self.ids("In-Reply-To") } else { references }
    }

    fn ids(&self, name: &str) -> Vec<&str> {
        let fields = self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        fields.flat_map(|header| &header.ids).map(String::as_str).collect()
    }

    /// The text: of the `text/plain` parts shown to a reader, otherwise of the HTML converted to text. Lines may end
    /// in CR LF.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The HTML shown to a reader, unchanged: must be sanitised before it is shown.
    pub fn html(&self) -> Option<&str> {
        self.html.as_deref()
    }

    /// Everything but `multipart/*`, in order, including texts; the parts of embedded messages are in those.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The first part of this type, e.g. `text/calendar`.
    pub(crate) fn part(&self, content_type: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.content_type == content_type)
    }

    /// The first embedded message, or its header fields alone.
    pub fn embedded(&self) -> Option<&Incoming> {
        self.parts.iter().find_map(|part| part.message.as_deref())
    }
}

impl Part {
    fn new(part: &MessagePart<'_>, raw: &[u8], depth: usize) -> Self {
        let kind = part.content_type();
        let content_type = match kind {
            Some(kind) => format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase(),
            None if matches!(part.body, PartType::Message(_)) => "message/rfc822".to_owned(),
            None => "text/plain".to_owned(),
        };
        let parameters = kind.and_then(|kind| kind.attributes()).unwrap_or_default().iter();
        let parameters = parameters.map(|one| (one.name.to_ascii_lowercase(), safe(&one.value))).collect();
        let (mut bytes, mut text, mut message) = (Vec::new(), None, None);
        match &part.body {
            PartType::Text(content) | PartType::Html(content) => {
                let read = text_of_part(part, raw, content, &content_type);
                bytes = read.as_bytes().to_vec();
                text = Some(reflowed(part, &content_type, read));
            }
            PartType::Binary(content) | PartType::InlineBinary(content) => {
                bytes = content.to_vec();
                // Parts without a declared boundary: better read as they are than not at all.
                text = content_type.starts_with("multipart/").then(|| String::from_utf8_lossy(content).into_owned());
            }
            PartType::Message(inner) => {
                message = Some(Box::new(Incoming::from_message(inner, depth + 1)));
                // One copy of an embedded message is acceptable; one at each depth is not.
                if depth == 0 {
                    let range = part.offset_body as usize..part.offset_end as usize;
                    bytes = raw.get(range).unwrap_or_default().to_vec();
                }
            }
            PartType::Multipart(_) => {}
        }
        if matches!(content_type.as_str(), "text/rfc822-headers" | "message/global-headers") {
            message = Some(Box::new(Incoming::headers_only(&bytes)));
        }
        Self {
            content_type,
            parameters,
            file_name: file_name_of(part, raw).map(|name| safe(&name)).filter(|name| !name.is_empty()),
            is_attachment: part.content_disposition().is_some_and(|disposition| disposition.is_attachment()),
            is_undecoded: is_undecoded(part),
            is_text_body: false,
            is_html_body: false,
            content_id: part.content_id().map(safe),
            bytes,
            text,
            message,
        }
    }

    /// A parameter of the content type, e.g. `method`, `charset`, `report-type`.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// The method of a calendar part (RFC 6047 §2.4), in upper case.
    pub(crate) fn method(&self) -> Option<String> {
        self.parameter("method").map(str::to_ascii_uppercase)
    }
}

/// Whether a part's text is a guess: RFC 2045 §6.4 and RFC 2046 §4.1.2 leave it to the reader how to treat an unknown
/// transfer encoding or charset.
fn is_undecoded(part: &MessagePart<'_>) -> bool {
    let encoding = part.content_transfer_encoding().map(|encoding| encoding.trim().to_ascii_lowercase());
    let known = ["7bit", "8bit", "binary", "base64", "quoted-printable", ""];
    let charset = part.content_type().and_then(|kind| kind.attribute("charset")).map(str::trim);
    let is_text = matches!(part.body, PartType::Text(_) | PartType::Html(_));
    part.is_encoding_problem && is_text
        || encoding.is_some_and(|encoding| !known.contains(&encoding.as_str()))
        || is_text && charset.is_some_and(|charset| !charset.is_empty() && !charset_is_known(charset))
}

fn parser() -> MessageParser {
    MessageParser::new()
        .with_mime_headers()
        .with_address_headers()
        .with_message_ids()
        .header_address(HeaderName::ReturnPath)
        .default_header_text()
}

#[cfg(test)]
#[path = "incoming_tests.rs"]
mod tests;
