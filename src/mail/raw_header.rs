//! The header of a message as raw fields: the one place that determines where a field begins and ends and where the
//! body begins (RFC 5322 §2.2), for callers that must see exactly what is sent on.
//!
//! Expects lines that end in CR LF (see [`super::posted::with_line_ends`]).

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

use super::headers::LINE_LIMIT;

/// Maximum number of fields and stray lines of a header; far more than [`super::header_check`] allows.
const MOST: usize = 10_000;

/// One raw header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawField<'a> {
    /// The name, as written, without blanks before the colon. Printable ASCII, never empty.
    pub name: &'a [u8],
    /// The text after the colon, including folded lines and the last line end.
    pub value: &'a [u8],
    /// The whole field: name, colon, value.
    pub whole: &'a [u8],
}

/// A message, split into its header's fields and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawHeader<'a> {
    /// The fields, in order.
    pub fields: Vec<RawField<'a>>,
    /// Lines, including folded ones, that are not a field: without a colon, or with a name that is not printable
    /// ASCII.
    pub stray: Vec<&'a [u8]>,
    /// The bytes after the empty line; empty if the message has none.
    pub body: &'a [u8],
    /// Number of bytes before the body, including the empty line.
    pub length: usize,
}

impl<'a> RawField<'a> {
    /// Whether it has this name, in any case (RFC 5322 §1.2.2).
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value on one line, unfolded (RFC 5322 §2.2.3). Invalid UTF-8 is read as Windows-1252, which old programs
    /// write.
    pub(crate) fn unfolded(&self) -> String {
        text_of(self.value).replace("\r\n", "").trim().to_owned()
    }
}

impl RawField<'_> {
    /// Whether a continuation line is blank (forbidden by RFC 5322 §3.2.2): some programs end the header there.
    pub(crate) fn has_blank_line(&self) -> bool {
        let mut lines = self.value.split(|byte| *byte == b'\n').skip(1);
        lines.any(|line| !line.is_empty() && line.trim_ascii().is_empty())
    }

    /// Whether any relay accepts it unchanged (RFC 5322 §2.1.1, §2.2): ASCII, no line too long, no control character.
    pub(crate) fn is_sound(&self) -> bool {
        self.whole.is_ascii()
            && !self.has_blank_line()
            && self.whole.ends_with(b"\r\n")
            && self.whole.split(|byte| *byte == b'\n').all(|line| line.len() <= LINE_LIMIT + 1)
            && !self.whole.iter().any(|byte| byte.is_ascii_control() && !b"\r\n\t".contains(byte))
    }
}

impl<'a> RawHeader<'a> {
    /// Splits a message. Any input can be split; fields and lines beyond 10,000 are left out.
    pub fn new(message: &'a [u8]) -> Self {
        let (mut fields, mut stray, mut rest) = (Vec::new(), Vec::new(), message);
        let body = loop {
            if let Some(body) = rest.strip_prefix(b"\r\n") {
                break body;
            }
            if rest.is_empty() {
                break rest;
            }
            let (whole, after) = rest.split_at(end_of_field(rest));
            rest = after;
            if fields.len() + stray.len() >= MOST {
                continue;
            }
            match field(whole) {
                Some(field) => fields.push(field),
                None => stray.push(whole),
            }
        };
        Self { fields, stray, body, length: message.len() - body.len() }
    }

    /// The fields of this name, in any case.
    pub fn named<'n>(&self, name: &'n str) -> impl Iterator<Item = &RawField<'a>> + use<'_, 'a, 'n> {
        self.fields.iter().filter(move |field| field.is(name))
    }
}

fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match (std::str::from_utf8(bytes), charset_decoder(b"windows-1252")) {
        (Ok(text), _) => Cow::Borrowed(text),
        (Err(_), Some(decode)) => Cow::Owned(decode(bytes)),
        (Err(_), None) => String::from_utf8_lossy(bytes),
    }
}

/// RFC 5322 §2.2: a name of printable ASCII, then a colon. Blanks before it belong to the obsolete syntax (§4.5).
fn field(whole: &[u8]) -> Option<RawField<'_>> {
    let colon = memchr::memchr(b':', whole)?;
    let name = whole[..colon].trim_ascii_end();
    let sound = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    sound.then(|| RawField { name, value: &whole[colon + 1..], whole })
}

/// Where the field at the beginning ends, including its continuation lines.
fn end_of_field(bytes: &[u8]) -> usize {
    let mut end = 0;
    loop {
        match memchr::memchr(b'\n', &bytes[end..]) {
            None => return bytes.len(),
            Some(at) => end += at + 1,
        }
        if !matches!(bytes.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_where_its_header_ends() {
        let header = RawHeader::new(b"A: 1\r\n 2\r\nno field\r\nB : 3\r\n\r\nC: 4\r\n");
        let names: Vec<_> = header.fields.iter().map(|field| (field.name, field.unfolded())).collect();
        assert_eq!(names, [(&b"A"[..], "1 2".to_owned()), (b"B", "3".to_owned())]);
        assert_eq!((header.stray, header.body), (vec![&b"no field\r\n"[..]], &b"C: 4\r\n"[..]));
    }

    #[test]
    fn what_has_no_header_is_body_and_what_has_no_body_is_header() {
        assert_eq!(RawHeader::new(b"\r\nx").body, b"x");
        let header = RawHeader::new(b"A: 1\r\n");
        assert_eq!((header.fields.len(), header.body, header.length), (1, &b""[..], 6));
        assert_eq!(RawHeader::new(b"").length, 0);
    }
}
