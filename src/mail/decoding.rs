//! Decodes bytes to text, for mail as programs really send it: with a wrong charset label or none, with encoded words
//! split inside a character, with folds where none are allowed. Valid UTF-8 is read as UTF-8, whatever the label
//! says; other bytes without a usable label are read as Windows-1252, in which most such mail was written. Nothing is
//! lost: at worst a letter is wrong.

use mail_parser::decoders::charsets::DecoderFnc;
use mail_parser::decoders::charsets::map::charset_decoder;

mod flowed;
mod parameters;
mod reread;
mod words;

pub(crate) use flowed::unflowed;
pub(crate) use parameters::parameter;
pub(super) use reread::{file_name_of, reflowed, text_of_part};
pub(crate) use words::words_decoded;
pub(super) use words::{canonical, unfolded_text};

/// The label's name without a language (`utf-8*sv`, RFC 2231 §5), in lower case.
fn name_of(label: &str) -> String {
    label.split('*').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_ascii_lowercase()
}

/// Whether a charset label is UTF-8, for which the parser has no decoder of its own.
fn is_utf8(name: &str) -> bool {
    ["utf-8", "utf8", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "x-unicode20utf8", "cp65001"]
        .contains(&name)
}

/// The decoder of a charset other than UTF-8. `None` for unknown charsets, and for those that the Encoding Standard
/// replaces completely by U+FFFD (iso-2022-kr, hz-gb-2312): their text cannot be read either.
fn decoder_of(name: &str) -> Option<DecoderFnc> {
    charset_decoder(name.as_bytes()).filter(|decoder| decoder(b"a") != "\u{fffd}")
}

/// Whether a charset has one byte for each non-ASCII character, so that UTF-8 with its label can be recognised.
fn has_single_bytes(decoder: DecoderFnc) -> bool {
    let two = decoder(b"\xe5\xe4");
    two.chars().count() == 2 && !two.contains('\u{fffd}')
}

/// Whether text with this charset label (RFC 2045 §5.1) can be decoded.
pub(crate) fn charset_is_known(label: &str) -> bool {
    let name = name_of(label);
    is_utf8(&name) || decoder_of(&name).is_some()
}

/// Decodes bytes; `label` is the sender's charset (RFC 2045 §5.1), if any. In order of priority: a byte order mark,
/// which is removed; valid UTF-8 or UTF-16; the label; Windows-1252.
pub(crate) fn text_of(bytes: &[u8], label: Option<&str>) -> String {
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return utf8_or_windows(rest);
    }
    if let Some(text) = utf16(bytes) {
        return text;
    }
    let decoder = label.map(name_of).filter(|name| !is_utf8(name)).and_then(|name| decoder_of(&name));
    match decoder {
        None => utf8_or_windows(bytes),
        Some(decoder) => match std::str::from_utf8(bytes) {
            Ok(text) if has_single_bytes(decoder) => text.to_owned(),
            _ => decoder(bytes).trim_start_matches('\u{feff}').to_owned(),
        },
    }
}

/// UTF-16 with a byte order mark, or recognised by two ASCII letters at its beginning.
fn utf16(bytes: &[u8]) -> Option<String> {
    let little = match bytes {
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        [1..=0x7f, 0, 1..=0x7f, 0, ..] => true,
        [0, 1..=0x7f, 0, 1..=0x7f, ..] => false,
        _ => return None,
    };
    let decoder = charset_decoder(if little { b"utf-16le" } else { b"utf-16be" })?;
    Some(decoder(bytes).trim_start_matches('\u{feff}').to_owned())
}

/// Valid UTF-8 unchanged, each other byte as Windows-1252: a mail can contain both if a server appended text to it.
fn utf8_or_windows(bytes: &[u8]) -> String {
    let windows = charset_decoder(b"windows-1252");
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        match windows {
            Some(windows) if !chunk.invalid().is_empty() => text.push_str(&windows(chunk.invalid())),
            Some(_) => {}
            None => text.push_str(&String::from_utf8_lossy(chunk.invalid())),
        }
    }
    text
}

/// Decodes a calendar (RFC 5545): it is unfolded before its charset is decoded, because programs fold after 75 bytes,
/// which may be inside a character (§3.1).
pub(crate) fn calendar_text(bytes: &[u8], label: Option<&str>) -> String {
    if bytes.contains(&0) {
        // UTF-16: a fold cannot be inside one of its units, and is removed by the line reader.
        return text_of(bytes, label);
    }
    let mut unfolded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at(at + 1);
        if matches!(after.first(), Some(b' ' | b'\t')) {
            unfolded.extend_from_slice(line.strip_suffix(b"\r\n").unwrap_or(&line[..at]));
            rest = &after[1..];
        } else {
            unfolded.extend_from_slice(line);
            rest = after;
        }
    }
    unfolded.extend_from_slice(rest);
    text_of(&unfolded, label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_is_known_by_any_of_its_names() {
        for label in
            ["utf-8", "UTF8", "\"utf-8\"", "us-ascii", "ISO-8859-1", "latin1", "Windows-1252", "utf-16", "gb2312"]
        {
            assert!(charset_is_known(label), "{label}");
        }
        for label in ["x-unknown", "unknown-8bit", "", "utf-32", "ebcdic-us", "iso-2022-kr", "hz-gb-2312"] {
            assert!(!charset_is_known(label), "{label}");
        }
    }

    #[test]
    fn bytes_are_what_they_look_like_before_they_are_what_they_are_called() {
        let utf16 = b"\xff\xfeH\0\xe5\0";
        for (bytes, label, expected) in [
            (&b"Sk\xc3\xa5ne"[..], Some("utf-8"), "Skåne"),
            (b"Sk\xc3\xa5ne", Some("iso-8859-1"), "Skåne"),
            (b"Sk\xc3\xa5ne", Some("us-ascii"), "Skåne"),
            (b"Sk\xc3\xa5ne", None, "Skåne"),
            (b"Sk\xc3\xa5ne", Some("x-unknown"), "Skåne"),
            (b"Sk\xe5ne", Some("utf-8"), "Skåne"),
            (b"Sk\xe5ne \x80", None, "Skåne €"),
            (b"Sk\xe5ne", Some("x-unknown"), "Skåne"),
            (b"Sk\xe5ne", Some("ISO-8859-1*sv"), "Skåne"),
            (b"Sk\x8cne", Some("macintosh"), "Skåne"),
            (b"Sk\xc3\xa5ne, \xd6rebro", Some("utf-8"), "Skåne, Örebro"),
            (b"\xef\xbb\xbfSk\xc3\xa5ne", Some("iso-8859-1"), "Skåne"),
            (b"\xb1\xf3\xb6", Some("iso-8859-2"), "ąóś"),
            (b"\xa5\xcf\xa5\xed", Some("euc-jp"), "ハロ"),
            (utf16, Some("utf-16"), "Hå"),
            (utf16, Some("utf-8"), "Hå"),
            (b"H\0e\0j\0", Some("utf-16"), "Hej"),
            (b"\0H\0e\0j", Some("utf-16"), "Hej"),
            (b"", Some("utf-8"), ""),
        ] {
            assert_eq!(text_of(bytes, label), expected, "{bytes:?} {label:?}");
        }
    }

    #[test]
    fn a_calendar_is_unfolded_before_it_is_decoded() {
        for (bytes, label, expected) in [
            (&b"CN=\xc3\r\n \x85ke\r\nUID:1\r\n"[..], Some("utf-8"), "CN=Åke\r\nUID:1\r\n"),
            (b"CN=\xc3\n\t\x85ke\nUID:1", None, "CN=Åke\nUID:1"),
            (b"CN=\xc5\r\n ke\r\n", Some("iso-8859-1"), "CN=Åke\r\n"),
            (b"\xef\xbb\xbfBEGIN:VCALENDAR\r\n", Some("utf-8"), "BEGIN:VCALENDAR\r\n"),
            (b"\xff\xfeU\0I\0D\0\n\0", Some("utf-16"), "UID\n"),
            (b"a\n b\n c\n", None, "abc\n"),
            (b"\n", None, "\n"),
        ] {
            assert_eq!(calendar_text(bytes, label), expected);
        }
    }
}
