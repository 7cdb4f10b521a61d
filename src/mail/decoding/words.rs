//! Encoded words of header fields (RFC 2047). Adjacent ones are joined before their charset is decoded, because many
//! programs split the bytes of a character, or a base64 group, over two words, which RFC 2047 §5 (3) forbids.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::decoders::base64::base64_decode;

use super::text_of;

/// Maximum number of question marks tried as the end of a word.
const MAX_MARKS: usize = 10;

/// One encoded word, split into its parts.
struct Word<'a> {
    charset: &'a str,
    base64: bool,
    data: &'a str,
    /// Length of the whole word, in bytes.
    length: usize,
}

impl<'a> Word<'a> {
    /// The word at the beginning of `text`: `=?charset?B?…?=` or `=?charset?Q?…?=`.
    fn at(text: &'a str) -> Option<Self> {
        let inner = text.strip_prefix("=?")?;
        let (charset, rest) = inner.split_once('?')?;
        let (encoding, rest) = rest.split_once('?')?;
        let end = end_of_data(rest)?;
        let is_token = !charset.is_empty() && charset.bytes().all(|b| b.is_ascii_graphic());
        let base64 = match encoding {
            "B" | "b" => true,
            "Q" | "q" => false,
            _ => return None,
        };
        let data = &rest[..end];
        let length = text.len() - rest.len() + end + 2;
        (is_token && !data.contains('\n')).then_some(Self { charset, base64, data, length })
    }

    fn bytes(&self, data: &str) -> Option<Vec<u8>> {
        if self.base64 { base64_decode(data.as_bytes()) } else { quoted(data) }
    }
}

/// Where the data of a word ends: at `?=`. Programs leave question marks in the text unencoded, against RFC 2047
/// §4.2: a few are accepted, so that parsing stays linear.
fn end_of_data(rest: &str) -> Option<usize> {
    let mut marks = rest.match_indices('?').take(MAX_MARKS);
    marks.find(|(at, _)| rest[at + 1..].starts_with('=')).map(|(at, _)| at)
}

/// Decodes the Q encoding (RFC 2047 §4.2).
fn quoted(data: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    Some(bytes)
}

/// Decodes a run of encoded words separated only by white space: its text, and the bytes of the whole run. `None` if
/// no word begins here, or the first cannot be decoded.
fn run_at(text: &str) -> Option<(String, usize)> {
    let (mut decoded, mut length) = (String::new(), 0);
    // Bytes that wait for the rest of their character, with their charset; a base64 group that waits for its end.
    let (mut bytes, mut charset, mut group) = (Vec::new(), "", String::new());
    let mut next = Word::at(text);
    while let Some(word) = next {
        let data = format!("{group}{}", word.data);
        let Some(more) = word.bytes(&data) else { break };
        if !word.charset.eq_ignore_ascii_case(charset) {
            decoded.push_str(&text_of(&bytes, Some(charset)));
            bytes.clear();
            charset = word.charset;
        }
        let after = length + word.length;
        let gap = text[after..].len() - text[after..].trim_start_matches([' ', '\t', '\r', '\n']).len();
        let follower = Word::at(&text[after + gap..]);
        length = after;
        let joins = |follower: &Word<'_>| follower.base64 && follower.charset.eq_ignore_ascii_case(charset);
        let unfinished = word.base64 && !data.ends_with('=') && data.len() % 4 != 0;
        group = if unfinished && follower.as_ref().is_some_and(joins) { data } else { String::new() };
        if group.is_empty() {
            bytes.extend(more);
        }
        if follower.is_some() {
            length += gap;
        }
        next = follower;
    }
    if length == 0 {
        return None;
    }
    if !group.is_empty() {
        // The word that should end the group cannot be decoded.
        bytes.extend(base64_decode(group.as_bytes()).unwrap_or_default());
    }
    decoded.push_str(&text_of(&bytes, Some(charset)));
    Some((decoded, length))
}

/// Replaces each run of encoded words by the result of `write` for its content.
fn replaced(text: &str, write: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("=?") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match run_at(rest) {
            Some((decoded, length)) => {
                out.push_str(&write(&decoded));
                rest = &rest[length..];
            }
            None => {
                out.push_str("=?");
                rest = &rest[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Text with its encoded words decoded (RFC 2047).
pub(crate) fn words_decoded(text: &str) -> String {
    replaced(text, str::to_owned)
}

/// The value of a header field as text: unfolded (RFC 5322 §2.2.3), encoded words decoded, non-ASCII bytes detected.
pub(crate) fn unfolded_text(field: &[u8]) -> String {
    let text = words_decoded(&text_of(field, None));
    let mut out = String::with_capacity(text.len());
    for line in text.split('\n').map(|line| line.trim_matches(['\r', ' ', '\t'])).filter(|line| !line.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(line);
    }
    out
}

/// A header field in a form that the parser reads without loss: each run of encoded words as one, all in UTF-8.
/// `None` if it is in this form already.
pub(crate) fn canonical(field: &[u8]) -> Option<Vec<u8>> {
    let plain = std::str::from_utf8(field);
    if plain.is_ok_and(|text| !text.contains("=?")) {
        return None;
    }
    let text = text_of(field, None);
    let mut out = replaced(&text, |decoded| format!("=?utf-8?B?{}?=", STANDARD.encode(decoded))).into_bytes();
    // The parser requires the field's end.
    out.extend_from_slice(b"\r\n");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_before_their_charset_is_undone() {
        for (given, expected) in [
            ("=?utf-8?Q?Eva_=C3?= =?utf-8?Q?=85kesson?=", "Eva Åkesson"),
            ("=?utf-8?B?RXZhIMM=?=\r\n =?UTF-8?B?hWtlc3Nvbg==?=", "Eva Åkesson"),
            ("=?utf-8?B?RXZhIM?= =?utf-8?B?OFa2Vzc29u?=", "Eva Åkesson"),
            ("=?utf-8?Q?Eva_=C3?= =?utf-8?B?hWtlc3Nvbg==?=", "Eva Åkesson"),
            ("=?iso-8859-1?Q?Eva_=C5?= =?utf-8?Q?kesson?=", "Eva Åkesson"),
            ("=?iso-8859-1?Q?Eva_=C3=85kesson?=", "Eva Åkesson"),
            ("=?utf-8?Q?Eva_=C5kesson?=", "Eva Åkesson"),
            ("=?utf-8*sv?Q?=C3=85sa?= Ek", "Åsa Ek"),
            ("Re: =?utf-8?Q?=C3=85?= x =?utf-8?Q?=C3=84?=", "Re: Å x Ä"),
            ("=?utf-8?Q?a=C3?==?utf-8?Q?=85b?=", "aÅb"),
            ("=?utf-8?Q?Kommer_du??=", "Kommer du?"),
            ("=?utf-8?Q?a=?= =?utf-8?Q?b?=", "=?utf-8?Q?a=?= b"),
            ("=?utf-8?X?a?= =?=?utf-8?Q?b?=", "=?utf-8?X?a?= =?b"),
            ("=?utf-8?B?****?=", "=?utf-8?B?****?="),
            ("=? =?x =?utf-8?Q", "=? =?x =?utf-8?Q"),
            ("1 =? 2", "1 =? 2"),
        ] {
            assert_eq!(words_decoded(given), expected, "{given}");
        }
    }

    #[test]
    fn a_field_is_unfolded_and_read_in_any_charset() {
        for (given, expected) in [
            (&b" =?utf-8?Q?=C3=85?=\r\n hej\r\n"[..], "Å hej"),
            (b" Anm\xe4lan\r\n\till listan \r\n", "Anmälan ill listan"),
            (b" Anm\xc3\xa4lan", "Anmälan"),
            (b"\r\n", ""),
        ] {
            assert_eq!(unfolded_text(given), expected);
        }
    }

    #[test]
    fn much_of_anything_is_read_in_one_pass() {
        for piece in
            ["=?", "=?utf-8?Q?a?= ", "=?utf-8?Q?a=?= ", "=?utf-8?B?YQ?= ", "=?a?b?c?", "?=", "=?utf-8?Q?", "=?a?Q?x"]
        {
            let text = piece.repeat(20_000);
            assert!(words_decoded(&text).len() <= text.len(), "{piece}");
        }
    }
}
