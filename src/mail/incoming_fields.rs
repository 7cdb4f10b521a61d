//! Scans header fields as a parser does, for counting: lines, separators, and declarations in Content-Type.

use mail_parser::{HeaderName, HeaderValue, MessageParser, MimeHeaders};

/// The state of scanning a header line by line.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Number of lines that may begin a field.
    pub fields: usize,
    /// The current field: where it begins, its length so far, and its counts.
    pub field_begin: usize,
    pub field_length: usize,
    pub separators: usize,
    pub words: usize,
    /// End of the last line scanned.
    pub end: usize,
    /// Whether there is a line of only white space: it ends the header only if no field continues in it.
    pub has_blank_fold: bool,
}

impl Block {
    /// Scans the line at `at`; returns whether it is the empty one that ends the header.
    pub(super) fn line(&mut self, bytes: &[u8], at: usize) -> bool {
        let rest = bytes.get(at..).unwrap_or_default();
        let line = &rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)];
        self.end = at + line.len();
        let is_folded = matches!(line.first(), Some(b' ' | b'\t'));
        if line.trim_ascii().is_empty() {
            self.has_blank_fold |= is_folded;
            if !is_folded {
                return true;
            }
        }
        if !is_folded {
            self.fields += 1;
            (self.field_begin, self.field_length, self.separators, self.words) = (at, 0, 0, 0);
        }
        self.field_length += line.len();
        self.separators += line.iter().filter(|byte| matches!(byte, b',' | b';' | b':' | b'<')).count();
        self.words += memchr::memmem::find_iter(line, b"=?").count();
        false
    }
}

/// What a header declares about the content after it.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// Boundaries, each with the end of its field.
    pub boundaries: Vec<(usize, Vec<u8>)>,
    /// Number of fields that declare a message.
    pub messages: usize,
    pub digest: bool,
    /// A transfer encoding that the parser decodes, and which.
    pub encoded: bool,
    pub base64: bool,
    pub quoted_printable: bool,
    /// Whether no field declares that it is not encoded.
    pub only_encoded: bool,
    plain: bool,
}

const TYPE: &[u8] = b"content-type";
const ENCODING: &[u8] = b"content-transfer-encoding";

impl Declared {
    /// All fields that may declare something, wherever a parser may find them: whether it is a type, where its value
    /// ends, and the value from the colon on.
    pub(super) fn fields(header: &[u8]) -> impl Iterator<Item = (bool, usize, &[u8])> {
        memchr::memchr_iter(b':', header).filter_map(|colon| {
            let is_type = ends_with_name(&header[..colon], TYPE);
            let end = colon + field_end(&header[colon..]);
            (is_type || ends_with_name(&header[..colon], ENCODING)).then(|| (is_type, end, &header[colon..end]))
        })
    }

    /// Reads one of [`Declared::fields`], as the parser will.
    pub(super) fn read(&mut self, is_type: bool, end: usize, value: &[u8]) {
        let field = [if is_type { TYPE } else { ENCODING }, value, b"\r\n\r\n"].concat();
        let Some(message) = MessageParser::new().with_mime_headers().parse_headers(&field) else { return };
        match is_type {
            true => self.read_type(end, &message),
            false => self.read_encoding(&message),
        }
    }

    fn read_type(&mut self, end: usize, message: &mail_parser::Message<'_>) {
        let Some(kind) = message.parts.first().and_then(|part| part.content_type()) else { return };
        match kind.ctype() {
            "multipart" => {
                self.digest |= kind.subtype() == Some("digest");
                let boundary = kind.attribute("boundary").map(|boundary| (end, boundary.as_bytes().to_vec()));
                self.boundaries.extend(boundary);
            }
            "message" if matches!(kind.subtype(), Some("rfc822" | "global")) => self.messages += 1,
            _ => {}
        }
    }

    fn read_encoding(&mut self, message: &mail_parser::Message<'_>) {
        let value = message
            .parts
            .first()
            .and_then(|part| part.headers.iter().find(|header| header.name == HeaderName::ContentTransferEncoding));
        match value.map(|header| &header.value) {
            Some(HeaderValue::Text(word)) if word.eq_ignore_ascii_case("base64") => self.base64 = true,
            Some(HeaderValue::Text(word)) if word.eq_ignore_ascii_case("quoted-printable") => {
                self.quoted_printable = true;
            }
            _ => self.plain = true,
        }
        self.encoded = self.base64 || self.quoted_printable;
        self.only_encoded = self.encoded && !self.plain;
    }
}

/// Whether a name ends with this; the parser removes white space from names, and ignores their case.
fn ends_with_name(bytes: &[u8], name: &[u8]) -> bool {
    let line = bytes.iter().rev().take_while(|byte| !matches!(byte, b'\n' | b':'));
    let mut letters = line.filter(|byte| !byte.is_ascii_whitespace());
    name.iter().rev().all(|wanted| letters.next().is_some_and(|letter| letter.eq_ignore_ascii_case(wanted)))
}

/// Where a folded field ends: after the first line end not followed by a space (RFC 5322 §2.2.3).
fn field_end(bytes: &[u8]) -> usize {
    let ends = memchr::memchr_iter(b'\n', bytes);
    let mut ends = ends.filter(|end| !matches!(bytes.get(end + 1), Some(b' ' | b'\t')));
    ends.next().map_or(bytes.len(), |end| end + 1)
}
