//! One form for text that people type, import or compare: NFC, without invisible characters.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Whether a character shows nothing and changes nothing that a reader sees: soft hyphen, zero-width space, word joiner,
/// byte order mark, and marks that only direct the order of writing. Joiners (U+200C, U+200D) are kept: Persian and emoji
/// need them.
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// The text in NFC (Unicode Standard Annex 15) without invisible characters; borrowed where it is so already.
pub fn tidy(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    if !text.contains(is_invisible) && is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| !is_invisible(*c)).nfc().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decomposed_and_invisible_text_is_the_same_text() {
        for written in ["Ska\u{30a}ne", "Sk\u{200b}åne", "\u{feff}Skåne", "Skåne\u{ad}", "Skåne"] {
            assert_eq!(tidy(written), "Skåne", "{written:?}");
        }
        assert_eq!(tidy("10\u{a0}000 👩\u{200d}🔬"), "10\u{a0}000 👩\u{200d}🔬");
    }
}
