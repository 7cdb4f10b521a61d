//! A cell that contains an address, in the forms that programs export and people paste: `eva@press.example`, `Eva Ek
//! <eva@press.example>` (RFC 5322 §3.4), `eva@press.example (Eva Ek)`, `mailto:eva@press.example` (RFC 6068).

use std::borrow::Cow;

use crate::base::address::Address;
use crate::base::unicode::{is_unseen, tidy};

/// The longest cell that is searched for an address and a name, in bytes.
const LONGEST: usize = 1000;

/// An address with its display name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// The parsed address.
    pub address: Address,
    /// The name of its owner, if the cell contains one.
    pub name: Option<String>,
}

/// Parses a cell.
///
/// # Errors
/// Why the cell does not contain exactly one address, for a person to read.
pub fn read(cell: &str) -> Result<Mailbox, String> {
    let cell = cell.trim_matches(is_unseen);
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'(' | b')' | b':' | b';' | b',' | b'"');
    let ends_plainly = cell.ends_with(|c: char| c.is_ascii_alphanumeric());
    if ends_plainly && cell.bytes().all(plain) {
        return bare(cell).map(|address| Mailbox { address, name: None });
    }
    if cell.len() > LONGEST {
        return Err("the cell of the address is longer than 1,000 bytes".to_owned());
    }
    let ends = |c: char| is_unseen(c) || matches!(c, ';' | ',' | '.');
    let cell = without_marks(cell.trim_matches(ends));
    let found = addresses_in(cell);
    let distinct =
        found.iter().enumerate().filter(|(at, one)| found[..*at].iter().all(|other| !alike(one, other))).count();
    if distinct > 1 {
        return Err(format!("the cell holds {distinct} addresses; keep one in a row"));
    }
    let (text, name) = match (cell.rfind('<'), cell.rfind('>')) {
        (Some(open), Some(close)) if open < close => (&cell[open + 1..close], &cell[..open]),
        _ => match cell.split_once('(') {
            Some((address, comment)) if comment.ends_with(')') => (address, comment.trim_end_matches(')')),
            _ => (cell, ""),
        },
    };
    let address = bare(text.trim_matches(is_unseen))?;
    let name = tidy(name);
    let name = name.trim_matches(|c: char| is_unseen(c) || matches!(c, '"' | '\'' | ',' | ';'));
    // Outlook writes the address in place of an unknown name.
    let name = (!name.is_empty() && !name.contains('@')).then(|| name.to_owned());
    Ok(Mailbox { address, name })
}

/// The cell without quotation marks or brackets around it.
fn without_marks(cell: &str) -> &str {
    let pairs = [('\'', '\''), ('"', '"'), ('[', ']'), ('\u{201d}', '\u{201d}'), ('\u{201c}', '\u{201d}')];
    let inside = pairs.iter().find_map(|(open, close)| cell.strip_prefix(*open)?.strip_suffix(*close));
    inside.filter(|inside| !inside.contains('<')).map_or(cell, |inside| inside.trim_matches(is_unseen))
}

/// Whether the cell contains one or more addresses.
pub(crate) fn is_like_addresses(cell: &str) -> bool {
    if cell.len() > LONGEST {
        return false;
    }
    let found = addresses_in(cell);
    read(cell).is_ok() || (found.len() > 1 && found.iter().all(|one| one.parse::<Address>().is_ok()))
}

/// Parses a single address, possibly as a link.
fn bare(text: &str) -> Result<Address, String> {
    let scheme = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let text = match scheme {
        Some(scheme) => Cow::Owned(percent_decoded(text[scheme.len()..].split('?').next().unwrap_or_default())),
        None => Cow::Borrowed(text),
    };
    text.parse::<Address>().map_err(|error| error.to_string())
}

/// The words of a cell that look like an address.
fn addresses_in(cell: &str) -> Vec<&str> {
    let divides = |c: char| is_unseen(c) || matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | '"' | '|');
    let words = cell.split(divides).map(|word| match word.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &word[7..],
        _ => word,
    });
    words.filter(|word| word.contains('@') && word.len() > 1).collect()
}

fn alike(one: &str, other: &str) -> bool {
    let address = |text: &str| text.split('?').next().unwrap_or_default().trim_end_matches('.').to_lowercase();
    address(one) == address(other)
}

/// Percent-decodes text (RFC 3986 §2.1); invalid escapes are kept.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cell: &str, address: &str, name: Option<&str>) {
        let read = read(cell).unwrap();
        assert_eq!((read.address.as_str(), read.name.as_deref()), (address, name), "{cell:?}");
    }

    #[test]
    fn an_address_is_found_in_what_people_paste() {
        let eva = "eva@press.example";
        for cell in [
            "eva@press.example",
            " eva@press.example; ",
            "<eva@press.example>",
            "mailto:eva@press.example",
            "MAILTO:eva%40press.example?subject=Hej",
            "<mailto:eva@press.example>",
            "eva@press.example,",
            "eva@press.example <eva@press.example>",
            "eva@press.example <mailto:eva@press.example>",
            "\u{200b}eva@press.example",
            "'eva@press.example'",
            "[eva@press.example]",
            "eva@press.example.",
        ] {
            check(cell, eva, None);
        }
        for cell in [
            "Eva Ek <eva@press.example>",
            "\"Eva Ek\" <eva@press.example>",
            "eva@press.example (Eva Ek)",
            "'Eva Ek' <mailto:eva@press.example>;",
        ] {
            check(cell, eva, Some("Eva Ek"));
        }
        check("Ek, Eva <eva@press.example>", eva, Some("Ek, Eva"));
        check("Åsa Öst <åsa@press.example>", "åsa@press.example", Some("Åsa Öst"));
    }

    #[test]
    fn several_addresses_are_refused() {
        for cell in [
            "eva@press.example ::: eva.ek@hemma.example",
            "eva@press.example, bo@press.example",
            "eva@press.example;bo@press.example",
            "eva@press.example bo@press.example",
            "Eva <eva@press.example>, Bo <bo@press.example>",
        ] {
            assert!(read(cell).unwrap_err().contains("2 addresses"), "{cell:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_said() {
        for cell in ["eva", "Eva Ek <eva>", "mailto:", "<>", "karin at example.org", ";", "a@b@press.example"] {
            assert!(read(cell).is_err(), "{cell:?}");
        }
    }
}
