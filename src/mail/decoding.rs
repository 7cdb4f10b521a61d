//! Charsets of texts that came in: which labels are known, and bytes to text.

use mail_parser::decoders::charsets::DecoderFnc;
use mail_parser::decoders::charsets::map::charset_decoder;

/// The label's name without what RFC 2231 §5 lets stand behind it (`utf-8*sv`), in lower case.
fn name_of(label: &str) -> String {
    label.split('*').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_ascii_lowercase()
}

/// Whether a charset label is UTF-8, for which the parser has no decoder of its own.
fn is_utf8(name: &str) -> bool {
    ["utf-8", "utf8", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "x-unicode20utf8", "cp65001"]
        .contains(&name)
}

/// The decoder of a charset other than UTF-8. `None` for unknown charsets, and for those that the Encoding Standard
/// replaces as a whole by U+FFFD (iso-2022-kr, hz-gb-2312): their text cannot be read either.
fn decoder_of(name: &str) -> Option<DecoderFnc> {
    charset_decoder(name.as_bytes()).filter(|decoder| decoder(b"a") != "\u{fffd}")
}

/// Whether text under this charset label (RFC 2045 §5.1) can be read here.
pub fn charset_is_known(label: &str) -> bool {
    let name = name_of(label);
    is_utf8(&name) || decoder_of(&name).is_some()
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
}
