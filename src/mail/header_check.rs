//! Checks that the header of a message can be parsed in one way only. A list forwards strangers' mail to many
//! readers, and each reader, filter and author check parses it with another program. If two careful programs could
//! see two authors, two subjects or two ends of the header, a person must decide whether the message is sent.
//!
//! The rule is the grammar of RFC 5322 §2.2 and §3.6 without its obsolete forms (§4). Expects lines that end in CR
//! LF.

use std::fmt;

use super::author::{self, Author, FromDoubt, NoAuthor};
use super::raw_header::{RawField, RawHeader};

/// Fields that a header may have once (RFC 5322 §3.6, RFC 2045 §3), in lower case.
pub const ONCE: [&str; 16] = [
    "bcc",
    "cc",
    "content-disposition",
    "content-id",
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "in-reply-to",
    "message-id",
    "mime-version",
    "references",
    "reply-to",
    "sender",
    "subject",
    "to",
];
/// Maximum number of fields in a header: more than mail has, and fewer than any parser reads.
const MOST_FIELDS: usize = 500;
/// Maximum bytes of a header, chosen likewise.
const MOST_BYTES: usize = 256 * 1024;
/// Maximum number of addresses or words in one field of [`ONCE`], chosen likewise.
const MOST_WORDS: usize = 900;

/// Why a header can be parsed in more than one way. The text is for people, with "its header" as subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The first line is a continued one (RFC 5322 §2.2.3).
    BeginsFolded,
    /// A line that is not a field; some programs end the header there.
    NoField,
    /// A line of blanks; some programs take it for the empty line.
    BlankLine,
    /// Blanks between name and colon (obsolete, RFC 5322 §4.5).
    BlankBeforeColon,
    /// A lone CR or LF, a NUL or another control character.
    ApiState,
    /// A field that may only occur once.
    Twice(String),
    /// More fields, bytes or words than every program reads.
    TooMuch,
    /// From can be parsed in another way.
    From(FromDoubt),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeginsFolded => f.write_str("the first line of its header begins with a blank"),
            Self::NoField => f.write_str("its header has a line that is not a field"),
            Self::BlankLine => f.write_str("its header has a line of blanks"),
            Self::BlankBeforeColon => f.write_str("its header has blanks before a colon"),
            Self::ApiState => f.write_str("its header has a control character"),
            Self::Twice(name) => write!(f, "its header has the field {name} twice"),
            Self::TooMuch => f.write_str("its header is longer than every program reads"),
            Self::From(doubt) => write!(f, "its field {doubt}"),
        }
    }
}

/// The author of a message, and the first reason, if any, why its header can be parsed in another way.
///
/// # Errors
/// [`NoAuthor`].
pub fn author_and_doubt(message: &[u8]) -> Result<(Author, Option<Doubt>), NoAuthor> {
    let header = RawHeader::new(message);
    let author = author::of_header(&header)?;
    let doubt = doubt(message, &header).or(author.doubt.map(Doubt::From));
    Ok((author, doubt))
}

/// The first reason, except for the author's field.
fn doubt(message: &[u8], header: &RawHeader<'_>) -> Option<Doubt> {
    let bytes = &message[..header.length];
    if bytes.starts_with(b" ") || bytes.starts_with(b"\t") {
        return Some(Doubt::BeginsFolded);
    }
    if !header.stray.is_empty() {
        return Some(Doubt::NoField);
    }
    if header.fields.len() > MOST_FIELDS || bytes.len() > MOST_BYTES {
        return Some(Doubt::TooMuch);
    }
    if has_control(bytes) {
        return Some(Doubt::ApiState);
    }
    header.fields.iter().find_map(of_field).or_else(|| {
        let twice = ONCE.iter().find(|name| header.named(name).nth(1).is_some())?;
        Some(Doubt::Twice((*twice).to_owned()))
    })
}

fn of_field(field: &RawField<'_>) -> Option<Doubt> {
    if field.whole.len() - field.value.len() != field.name.len() + 1 {
        return Some(Doubt::BlankBeforeColon);
    }
    if field.has_blank_line() {
        return Some(Doubt::BlankLine);
    }
    let counted = ONCE.iter().any(|name| field.is(name));
    let words = || field.value.split(|byte| b", \t;".contains(byte)).filter(|word| !word.is_empty()).count();
    (counted && words() > MOST_WORDS && !field.is("to") && !field.is("cc")).then_some(Doubt::TooMuch)
}

/// Whether there is a control character other than TAB and the CR LF at line ends (RFC 5322 §2.2): for one program it
/// is a line end, for another the end of a word or of everything.
fn has_control(header: &[u8]) -> bool {
    header.iter().enumerate().any(|(at, byte)| match byte {
        b'\t' => false,
        b'\r' => header.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || header[at - 1] != b'\r',
        byte => byte.is_ascii_control(),
    })
}

#[cfg(test)]
#[path = "header_check_tests.rs"]
mod tests;
