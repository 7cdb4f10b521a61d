//! Decodes parameters of Content-Type and Content-Disposition with text, such as file names: in pieces (RFC 2231), as
//! encoded words (which many programs use there), or in bytes of any charset.

use super::{text_of, words_decoded};

/// Maximum number of pieces of one parameter that are read.
const MAX_PIECES: usize = 200;

/// One piece of a parameter's value (RFC 2231 §3): its number, whether it is percent-encoded, and its text.
struct Piece {
    number: u32,
    is_encoded: bool,
    value: Vec<u8>,
}

/// The complete, decoded value of a parameter of a header field; `field` is the field's raw value with its folds.
/// `None` if the field has no such parameter. Pieces are joined before their charset is decoded, because programs
/// split them inside a character.
pub(crate) fn parameter(field: &[u8], name: &str) -> Option<String> {
    let (mut plain, mut pieces) = (None, Vec::new());
    for (key, value) in parameters(field).into_iter().take(MAX_PIECES) {
        let Some(rest) = key.strip_prefix(name) else { continue };
        if rest.is_empty() {
            plain.get_or_insert(value);
            continue;
        }
        let Some(rest) = rest.strip_prefix('*') else { continue };
        let (number, is_encoded) = match rest.strip_suffix('*') {
            Some(number) => (number, true),
            None => (rest, rest.is_empty()),
        };
        let number = if number.is_empty() { Some(0) } else { number.parse().ok() };
        pieces.extend(number.map(|number| Piece { number, is_encoded, value }));
    }
    if pieces.is_empty() {
        return plain.map(|value| words_decoded(&text_of(&value, None)));
    }
    pieces.sort_by_key(|piece| piece.number);
    let (mut bytes, mut charset) = (Vec::new(), None);
    for (place, piece) in pieces.into_iter().enumerate() {
        let mut value = piece.value;
        if place == 0 && piece.is_encoded {
            let mut parts = value.splitn(3, |byte| *byte == b'\'');
            if let (Some(label), Some(_), Some(text)) = (parts.next(), parts.next(), parts.next()) {
                charset = Some(String::from_utf8_lossy(label).into_owned()).filter(|label| !label.is_empty());
                value = text.to_vec();
            }
        }
        bytes.extend(if piece.is_encoded { percent_decoded(&value) } else { value });
    }
    Some(words_decoded(&text_of(&bytes, charset.as_deref())))
}

/// The parameters of a field in order, names in lower case; quotation marks, escapes and folds are removed.
fn parameters(field: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<Vec<u8>> = vec![Vec::new()];
    // Where the name of the current parameter ends.
    let (mut quoted, mut escaped) = (false, false);
    for byte in field.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => {
                escaped = true;
                continue;
            }
            b'"' => {
                quoted = !quoted;
                continue;
            }
            b';' if !quoted => {
                all.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = all.last_mut() {
            last.push(byte);
        }
    }
    let split = |one: Vec<u8>| {
        let equals = memchr::memchr(b'=', &one)?;
        let name = String::from_utf8_lossy(&one[..equals]).trim().to_ascii_lowercase();
        Some((name, one[equals + 1..].trim_ascii().to_vec()))
    };
    // The first one is the field's own value.
    all.into_iter().skip(1).filter_map(split).collect()
}

fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_read_in_every_form_that_programs_write() {
        for (field, expected) in [
            (&b" attachment; filename=kort.pdf\r\n"[..], Some("kort.pdf")),
            (b" attachment; FileName=\"Mitt \\\"kort\\\"; 2.pdf\"", Some("Mitt \"kort\"; 2.pdf")),
            (b" attachment; filename*=utf-8''%C3%85rsm%C3%B6te.pdf", Some("Årsmöte.pdf")),
            (b" attachment; filename=x.pdf; filename*=utf-8''%C3%85.pdf", Some("Å.pdf")),
            (
                b" attachment;\r\n filename*0*=utf-8'sv'%C3;\r\n filename*1*=%85rsm%C3%B6te;\r\n filename*2=\".pdf\"",
                Some("Årsmöte.pdf"),
            ),
            (b" a; filename*1=te.pdf; filename*0=mo", Some("mote.pdf")),
            (b" a; filename*0*=iso-8859-1''%C5; filename*1*=rsm%F6te", Some("Årsmöte")),
            (b" a; filename=\"=?utf-8?Q?=C3?= =?utf-8?Q?=85.pdf?=\"", Some("Å.pdf")),
            (b" a; filename=\"=?utf-8?Q?=C3=85.pdf?=\"", Some("Å.pdf")),
            (b" a; filename=\"\xc5rsm\xf6te.pdf\"", Some("Årsmöte.pdf")),
            (b" a; filename=\"\xc3\x85.pdf\"", Some("Å.pdf")),
            (b" a; filename*=%C3%85.pdf", Some("Å.pdf")),
            (b" a; filename*=utf-8''100%.pdf", Some("100%.pdf")),
            (b" a; filenames=x", None),
            (b" attachment", None),
            (b" a; filename", None),
            (b"", None),
        ] {
            assert_eq!(parameter(field, "filename").as_deref(), expected, "{}", String::from_utf8_lossy(field));
        }
    }
}
