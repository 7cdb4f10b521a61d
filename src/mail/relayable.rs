//! Makes a message acceptable for a relay: no line over 998 bytes, no NUL, and only ASCII if the relay accepts
//! nothing else (RFC 5321 §4.5.3.1.6, RFC 6152 §3). Only the parts that need it are re-encoded, with the encodings of
//! RFC 2045 §6; signed or encrypted parts stay unchanged (RFC 1847 §2.1), and the message is then unfit.

use std::borrow::Cow;

use super::encoding::{ENCODED_LINE, QuotedPrintable, push_base64};
use super::header_repair::{Parameters, push_sound};
use super::headers::LINE_LIMIT;
use super::raw_header::RawHeader;

/// Maximum depth of nested parts that are processed.
const DEEPEST: usize = 30;
/// Maximum number of parts of one message: each re-encoded part grows by its fields.
const MOST_PARTS: usize = 10_000;

/// Why a message cannot be made acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A change would break a signature, or encrypted content.
    #[error("a part of the message is signed or encrypted and cannot be re-encoded")]
    Signed,
    /// The message does not follow RFC 2045.
    #[error("the message has parts that cannot be taken apart")]
    Unreadable,
}

/// The message in a form that can be sent; `eight_bit` says whether its body may have non-ASCII bytes. Lines end in
/// CR LF.
///
/// # Errors
/// [`Unfit`].
pub fn relayable(message: &[u8], eight_bit: bool) -> Result<Cow<'_, [u8]>, Unfit> {
    match fits(message, eight_bit) {
        true => Ok(Cow::Borrowed(message)),
        false => Ok(Cow::Owned(Fitting { eight_bit, boundaries: Vec::new(), parts: 0 }.entity(message, "text/plain")?)),
    }
}

/// Whether it can be sent unchanged.
pub(crate) fn fits(bytes: &[u8], eight_bit: bool) -> bool {
    (eight_bit || bytes.is_ascii()) && memchr::memchr(0, bytes).is_none() && {
        let mut begin = 0;
        let mut ends = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]);
        ends.all(|end| {
            let line = end - begin;
            begin = end + 1;
            line <= LINE_LIMIT + 1
        })
    }
}

struct Fitting {
    eight_bit: bool,
    /// Boundaries of the enclosing parts, outermost first.
    boundaries: Vec<Vec<u8>>,
    /// Number of parts seen so far.
    parts: usize,
}

/// Changes to the two fields that describe a part's encoding.
#[derive(Default)]
struct Labels {
    /// A new Content-Transfer-Encoding; `None` keeps it.
    encoding: Option<&'static str>,
    /// A charset to add.
    charset: Option<&'static str>,
}

impl Fitting {
    /// Processes a message or part: header, empty line, body.
    fn entity(&mut self, bytes: &[u8], usual: &str) -> Result<Vec<u8>, Unfit> {
        let header = RawHeader::new(bytes);
        let kind = Parameters::of(&header, "Content-Type");
        self.parts += 1;
        if fits(header.body, self.eight_bit) {
            return Ok(joined(&header, &kind, &Labels::default(), header.body));
        }
        let content_type = kind.value.to_ascii_lowercase();
        let content_type = if content_type.is_empty() { usual } else { content_type.as_str() };
        let encoding = Parameters::of(&header, "Content-Transfer-Encoding").value.to_ascii_lowercase();
        let plain = ["", "7bit", "8bit", "binary"].contains(&encoding.as_str());
        match content_type {
            "multipart/signed" | "multipart/encrypted" => Err(Unfit::Signed),
            _ if self.boundaries.len() >= DEEPEST || self.parts > MOST_PARTS => Err(Unfit::Unreadable),
            _ if content_type.starts_with("multipart/") => {
                let boundary = kind.get("boundary").filter(|boundary| !boundary.is_empty()).ok_or(Unfit::Unreadable)?;
                let usual = if content_type == "multipart/digest" { "message/rfc822" } else { "text/plain" };
                let body = self.parts(header.body, boundary, usual)?;
                Ok(joined(&header, &kind, &self.identity(), &body))
            }
            "message/rfc822" | "message/global" | "message/news" if plain => {
                // Counted as an enclosing part, so that their depth is bounded.
                self.boundaries.push(Vec::new());
                let body = self.entity(header.body, "text/plain");
                self.boundaries.pop();
                Ok(joined(&header, &kind, &self.identity(), &body?))
            }
            _ => self.leaf(&header, &kind, content_type, &encoding, plain),
        }
    }

    /// The labels of a part that contains others (RFC 2045 §6.4).
    fn identity(&self) -> Labels {
        Labels { encoding: Some(if self.eight_bit { "8bit" } else { "7bit" }), charset: None }
    }

    fn leaf(
        &self,
        header: &RawHeader<'_>,
        kind: &Parameters,
        content_type: &str,
        encoding: &str,
        plain: bool,
    ) -> Result<Vec<u8>, Unfit> {
        let is_text = content_type.starts_with("text/") || content_type.starts_with("message/");
        let mut out = Vec::with_capacity(header.body.len() * 4 / 3);
        let encoded = match encoding {
            "quoted-printable" => {
                push_requoted(&mut out, header.body);
                Labels::default()
            }
            "base64" => {
                let digit = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
                let digits: Vec<u8> = header.body.iter().filter(digit).copied().collect();
                digits.chunks(ENCODED_LINE).for_each(|line| out.extend_from_slice(&[line, b"\r\n"].concat()));
                Labels::default()
            }
            _ if !plain => return Err(Unfit::Unreadable),
            _ if is_text => {
                QuotedPrintable::new(&mut out).push_bytes(header.body);
                // A soft line break may have moved a delimiter of an enclosing part to a place where it counts.
                if self.has_delimiter(&out) {
                    out.clear();
                }
                Labels { encoding: Some("quoted-printable"), charset: missing_charset(kind, content_type, header.body) }
            }
            _ => Labels { encoding: Some("base64"), charset: None },
        };
        let encoded = match out.is_empty() {
            true => {
                push_base64(&mut out, header.body);
                Labels { encoding: Some("base64"), ..encoded }
            }
            false => encoded,
        };
        Ok(joined(header, kind, &encoded, &out))
    }

    /// Anywhere in the text: some readers do not only search at line beginnings.
    fn has_delimiter(&self, bytes: &[u8]) -> bool {
        let delimiters = self.boundaries.iter().filter(|one| !one.is_empty());
        delimiters.map(|one| [b"--", one.as_slice()].concat()).any(|one| memchr::memmem::find(bytes, &one).is_some())
    }

    /// Processes the body of a multipart (RFC 2046 §5.1.1), part by part.
    fn parts(&mut self, body: &[u8], boundary: &str, usual: &str) -> Result<Vec<u8>, Unfit> {
        let delimiter = boundary.as_bytes().to_vec();
        self.boundaries.push(delimiter.clone());
        let (mut out, mut begin, mut place, mut inside, mut found) = (Vec::new(), 0, 0, false, false);
        let mut written = Ok(());
        while place < body.len() && written.is_ok() {
            let end = memchr::memchr(b'\n', &body[place..]).map_or(body.len(), |at| place + at + 1);
            let line = &body[place..end];
            let Some(rest) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(delimiter.as_slice())) else {
                place = end;
                continue;
            };
            let (rest, closes) = rest.strip_prefix(b"--").map_or((rest, false), |rest| (rest, true));
            if !rest.trim_ascii().is_empty() {
                place = end;
                continue;
            }
            written = self.piece(&mut out, &body[begin..place], inside, usual);
            let end_of_line: &[u8] = if closes { b"--\r\n" } else { b"\r\n" };
            out.extend_from_slice(&[b"--", delimiter.as_slice(), end_of_line].concat());
            (begin, place, inside, found) = (end, end, !closes, true);
            if closes {
                break;
            }
        }
        let written = written.and_then(|()| self.piece(&mut out, &body[begin..], inside, usual));
        self.boundaries.pop();
        written?;
        if found { Ok(out) } else { Err(Unfit::Unreadable) }
    }

    /// Processes the text between two delimiters: a part, or a preamble or epilogue, which are not shown and are left
    /// out if they do not fit.
    fn piece(&mut self, out: &mut Vec<u8>, piece: &[u8], is_part: bool, usual: &str) -> Result<(), Unfit> {
        if fits(piece, self.eight_bit) {
            out.extend_from_slice(piece);
            return Ok(());
        }
        if !is_part {
            return Ok(());
        }
        // RFC 2046 §5.1.1: the line end before a delimiter belongs to the delimiter.
        let whole = piece.strip_suffix(b"\r\n").unwrap_or(piece);
        out.extend_from_slice(&self.entity(whole, usual)?);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// The charset for a non-ASCII text that declares none.
fn missing_charset(kind: &Parameters, content_type: &str, body: &[u8]) -> Option<&'static str> {
    let missing = content_type.starts_with("text/") && kind.get("charset").is_none() && !body.is_ascii();
    missing.then(|| if std::str::from_utf8(body).is_ok() { "utf-8" } else { "windows-1252" })
}

/// Joins header and body, with the fields that describe the body's encoding.
fn joined(header: &RawHeader<'_>, kind: &Parameters, labels: &Labels, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.length + body.len() + 128);
    for field in &header.fields {
        if labels.encoding.is_some() && field.is("Content-Transfer-Encoding")
            || labels.charset.is_some() && field.is("Content-Type")
        {
            continue;
        }
        push_sound(&mut out, field);
    }
    if let Some(charset) = labels.charset {
        let value = if kind.value.is_empty() { "text/plain".to_owned() } else { kind.value.clone() };
        let mut kind = Parameters { value, ..kind.clone() };
        kind.all.push(("charset".to_owned(), charset.to_owned()));
        kind.push(&mut out, "Content-Type");
    }
    if let Some(encoding) = labels.encoding {
        out.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n").as_bytes());
        // RFC 2045 §4: without it a reader may ignore the others; a part without any has the default type.
        let top = header.named("MIME-Version").next().is_none() && header.named("From").next().is_some();
        if top {
            out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// Repairs invalid quoted-printable: forbidden bytes are encoded, long lines broken.
fn push_requoted(out: &mut Vec<u8>, body: &[u8]) {
    let (mut place, mut column) = (0, 0);
    while place < body.len() {
        let rest = &body[place..];
        if rest.starts_with(b"\r\n") || rest.starts_with(b"\n") {
            out.extend_from_slice(b"\r\n");
            place += if rest[0] == b'\r' { 2 } else { 1 };
            column = 0;
            continue;
        }
        let escape = rest[0] == b'=' && rest.get(1..3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        let length = if escape { 3 } else { 1 };
        let soft_break = rest[0] == b'=' && !escape;
        // Two hyphens moved to the beginning of a line might form a delimiter there.
        let printable = rest[0] == b'\t' || (b' '..=b'~').contains(&rest[0]) && !rest.starts_with(b"--");
        let plain = escape || soft_break || printable;
        let token = if plain { rest[..length].to_vec() } else { format!("={:02X}", rest[0]).into_bytes() };
        if column + token.len() > ENCODED_LINE - 1 && !soft_break {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        column += token.len();
        out.extend_from_slice(&token);
        place += length;
    }
}

#[cfg(test)]
#[path = "relayable_tests.rs"]
mod tests;
