//! The author of a message: the single mailbox in its From field (RFC 5322 §3.6.2), parsed the same way for posts and
//! for commands.
//!
//! People and programs write From in many invalid ways that still name exactly one address (`Ek, Eva
//! <eva@example.org>`). Those are accepted. Where another careful program could find another address, the author
//! comes with a [`FromDoubt`]: actions that still require an answer from that address may continue, a post may not.

use std::fmt;

use crate::base::address::Address;

use super::incoming::Incoming;
use super::raw_header::{RawField, RawHeader};

/// Maximum characters of a From field that are read.
const LONGEST: usize = 4000;

/// The single author of a message. From proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The display name, decoded, on one line; omitted if a reader could mistake it for another address.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
    /// Why another program could find another address in the same field.
    pub doubt: Option<FromDoubt>,
    /// Whether the field is valid under RFC 5322 §3.4, in ASCII, so that it can be sent on unchanged.
    pub is_tidy: bool,
}

/// Why a message has no single author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAuthor {
    /// RFC 5322 §3.6 requires a From field.
    #[error("it has no From field")]
    NoFrom,
    /// RFC 5322 §3.6 allows only one.
    #[error("it has several From fields")]
    SeveralFields,
    /// Its meaning is not certain for every program.
    #[error("its From field cannot be read")]
    Unreadable,
    /// A mail signed by several people is not from one person.
    #[error("its From field has several addresses")]
    SeveralAddresses,
}

/// Why a From field that names one address can also be parsed in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromDoubt {
    /// An `@` besides the address's own, outside a quoted name.
    SecondAddress,
    /// A name or comment with characters that only addresses need.
    AddressInName,
    /// Group syntax.
    Group,
    /// Text after the address.
    TextBehind,
    /// Characters that look like others (RFC 5890).
    Letters,
}

impl fmt::Display for FromDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecondAddress => "From has a second address besides its own",
            Self::AddressInName => "From has an address inside a name or comment",
            Self::Group => "From names a group",
            Self::TextBehind => "From has text after its address",
            Self::Letters => "From has an address with ambiguous letters",
        })
    }
}

/// The single author of a message.
///
/// # Errors
/// [`NoAuthor`]: it has none, or several.
pub fn author(message: &[u8]) -> Result<Author, NoAuthor> {
    of_header(&RawHeader::new(message))
}

/// The single author, from a header that is already split into fields.
///
/// # Errors
/// [`NoAuthor`].
pub(crate) fn of_header(header: &RawHeader<'_>) -> Result<Author, NoAuthor> {
    let mut fields = header.named("From");
    let field = fields.next().ok_or(NoAuthor::NoFrom)?;
    match fields.next() {
        Some(_) => Err(NoAuthor::SeveralFields),
        None => read(field),
    }
}

/// A token of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Text in double quotes, with escapes removed.
    Quoted(String),
    /// Text in parentheses, with escapes removed.
    Comment(String),
    /// Text in angle brackets.
    Angle(String),
    /// A comma, colon or semicolon.
    Separator(char),
    /// Anything else.
    Text(String),
}

fn read(field: &RawField<'_>) -> Result<Author, NoAuthor> {
    let value = field.unfolded();
    if value.chars().count() > LONGEST || value.contains(|c: char| c.is_control() && c != '\t') {
        return Err(NoAuthor::Unreadable);
    }
    let pieces = pieces(&value).ok_or(NoAuthor::Unreadable)?;
    let angles = pieces.iter().filter(|piece| matches!(piece, Piece::Angle(_))).count();
    let (place, written) = match angles {
        0 => bare(&pieces)?,
        1 if pieces.split(|piece| matches!(piece, Piece::Separator(_))).any(is_bare_address) => {
            return Err(NoAuthor::SeveralAddresses);
        }
        1 => in_angles(&pieces).ok_or(NoAuthor::Unreadable)?,
        _ => return Err(NoAuthor::SeveralAddresses),
    };
    let address: Address = written.parse().map_err(|_| NoAuthor::Unreadable)?;
    // RFC 2047 §5: an encoded word must not occur in an address. A reader that decodes it would see another address.
    if address.local_part().contains("=?") {
        return Err(NoAuthor::Unreadable);
    }
    let name = name(&pieces, place, angles == 1);
    let doubt = doubt(&pieces, place, &name, &written, &address);
    let plain = |piece: &Piece| match piece {
        Piece::Separator(_) => false,
        Piece::Text(text) => !text.contains(['[', ']', '\\']),
        _ => true,
    };
    let others = pieces.iter().enumerate().filter(|(at, _)| *at != place);
    // Encoded words may hide control characters after what looks like an address.
    let hidden = value.contains("=?") && name.contains('@');
    let is_tidy = doubt.is_none() && value.is_ascii() && !hidden && others.map(|(_, piece)| piece).all(plain);
    let name = Some(name).filter(|name| !name.is_empty() && !is_misleading(name));
    Ok(Author { name, address, doubt, is_tidy })
}

/// The address in angle brackets, and its index among the tokens.
fn in_angles(pieces: &[Piece]) -> Option<(usize, String)> {
    pieces.iter().enumerate().find_map(|(place, piece)| match piece {
        Piece::Angle(text) => Some((place, text.trim().to_owned())),
        _ => None,
    })
}

/// Whether these tokens, between two separators, are an address without angle brackets.
fn is_bare_address(pieces: &[Piece]) -> bool {
    let text = pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains('@')));
    text && !pieces.iter().any(|piece| matches!(piece, Piece::Angle(_)))
}

/// The address in a field without angle brackets: the only text with an `@`.
fn bare(pieces: &[Piece]) -> Result<(usize, String), NoAuthor> {
    let texts = pieces.iter().enumerate().filter_map(|(place, piece)| match piece {
        Piece::Text(text) if text.contains('@') => Some((place, text.trim().to_owned())),
        _ => None,
    });
    let mut texts = texts.collect::<Vec<_>>();
    match (texts.pop(), texts.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(NoAuthor::SeveralAddresses),
        (None, _) => Err(NoAuthor::Unreadable),
    }
}

/// Splits the field into tokens (RFC 5322 §3.2); `None` if a quote, comment or angle bracket is not balanced.
fn pieces(value: &str) -> Option<Vec<Piece>> {
    let (mut pieces, mut text) = (Vec::new(), String::new());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        let piece = match c {
            '"' => Piece::Quoted(until(&mut characters, '"', None)?),
            '(' => Piece::Comment(until(&mut characters, ')', Some('('))?),
            '<' => {
                let (inside, rest) = characters.as_str().split_once('>')?;
                characters = rest.chars();
                Piece::Angle((!inside.contains('<')).then(|| inside.to_owned())?)
            }
            ',' | ';' | ':' => Piece::Separator(c),
            '>' | ')' => return None,
            _ => {
                text.push(c);
                continue;
            }
        };
        if !text.trim().is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        text.clear();
        pieces.push(piece);
    }
    if !text.trim().is_empty() {
        pieces.push(Piece::Text(text));
    }
    Some(pieces)
}

/// The text before the closing character, with escapes removed; `opening` increases the depth where nesting is
/// allowed.
fn until(characters: &mut std::str::Chars<'_>, closing: char, opening: Option<char>) -> Option<String> {
    let (mut inside, mut depth) = (String::new(), 1u32);
    while let Some(c) = characters.next() {
        match c {
            '\\' => inside.push(characters.next()?),
            c if c == closing => {
                depth -= 1;
                if depth == 0 {
                    return Some(inside);
                }
                inside.push(c);
            }
            c => {
                depth += u32::from(Some(c) == opening);
                inside.push(c);
            }
        }
    }
    None
}

/// The display name: the text before the address and after a group's name; otherwise a comment (RFC 5322 §3.4).
fn name(pieces: &[Piece], place: usize, in_angles: bool) -> String {
    let group = pieces[..place].iter().rposition(|piece| matches!(piece, Piece::Separator(':' | ';')));
    let mut name = String::new();
    for piece in pieces[group.map_or(0, |at| at + 1)..place].iter().filter(|_| in_angles) {
        match piece {
            Piece::Quoted(text) | Piece::Text(text) => name.push_str(text),
            Piece::Comment(text) => name.push_str(&format!("({text}) ")),
            Piece::Separator(c) => name.push(*c),
            Piece::Angle(_) => {}
        }
    }
    if name.trim().is_empty() {
        let comment = pieces.iter().find_map(|piece| match piece {
            Piece::Comment(text) => Some(text.clone()),
            _ => None,
        });
        name = comment.unwrap_or_default();
    }
    // Decoded by the message parser, as all encoded words are.
    let field = format!("Subject: {}", name.trim());
    Incoming::parse_headers(field.as_bytes()).map(|read| read.subject().to_owned()).unwrap_or_default()
}

/// Whether a reader that ignores quotes, or decodes before it parses, would split a name.
fn is_misleading(name: &str) -> bool {
    let address = name.contains('@') && name.contains([',', ';', ':', '(', ')', '"', '\\']);
    address || name.contains(['<', '>']) || name.contains(char::is_control)
}

fn doubt(pieces: &[Piece], place: usize, name: &str, written: &str, address: &Address) -> Option<FromDoubt> {
    let others = || pieces.iter().enumerate().filter(move |(at, _)| *at != place).map(|(_, piece)| piece);
    let in_name = others().any(|piece| match piece {
        Piece::Quoted(text) => is_misleading(text),
        Piece::Comment(text) => text.contains('@') || is_misleading(text),
        _ => false,
    });
    if others().any(|piece| matches!(piece, Piece::Text(text) if text.contains('@'))) {
        return Some(FromDoubt::SecondAddress);
    }
    // Some programs take a quoted name with an @, separated by a comma from the address, for an address.
    let alone = |at: usize| matches!(pieces.get(at), Some(Piece::Quoted(text)) if text.contains('@'));
    let parted = pieces.iter().any(|piece| matches!(piece, Piece::Separator(_)));
    if in_name || is_misleading(name) || parted && (0..pieces.len()).any(alone) {
        return Some(FromDoubt::AddressInName);
    }
    if pieces.iter().any(|piece| matches!(piece, Piece::Separator(':' | ';'))) {
        return Some(FromDoubt::Group);
    }
    let behind = pieces[place + 1..].iter().any(|piece| !matches!(piece, Piece::Comment(_)));
    let before = !matches!(pieces[place], Piece::Angle(_))
        && pieces[..place].iter().any(|piece| !matches!(piece, Piece::Comment(_)));
    if behind || before {
        return Some(FromDoubt::TextBehind);
    }
    let (local, domain) = written.rsplit_once('@').unwrap_or_default();
    let shown = idna::domain_to_unicode(address.domain()).0;
    let same = local == address.local_part()
        && (domain.eq_ignore_ascii_case(address.domain()) || domain.to_lowercase() == shown);
    (!same).then_some(FromDoubt::Letters)
}

#[cfg(test)]
#[path = "author_tests.rs"]
mod tests;
