//! One rule for text that people type, import or compare: composed (Unicode NFC, UAX #15), and without invisible
//! characters.
//!
//! `Skåne` typed on a Mac, copied from a web page with a zero width space after it, or typed on a PC is the same
//! region. Stored text goes through [`tidy`]; compared text goes through [`key`] or [`same`], so that text stored
//! before this rule is found as well. ASCII text, the most common case, is returned unchanged.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The text composed, and without invisible characters (see [`is_invisible`]). Invisible characters that change their
/// neighbours' form are kept where they have an effect: joiners in scripts and emoji that need them, and variation
/// selectors after a character with variants. Spaces and line breaks are unchanged.
pub(crate) fn tidy(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let composed = nfc(text);
    match composed.contains(is_invisible) {
        false => composed,
        // Characters may compose once the invisible one between them is removed.
        true => Cow::Owned(nfc(&without_invisible(&composed)).into_owned()),
    }
}

/// The text composed (NFC) and otherwise unchanged: for texts in which every character matters, such as Markdown.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    match text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.nfc().collect()),
    }
}

/// [`tidy`] without space at either end.
pub(crate) fn tidy_trimmed(text: &str) -> Cow<'_, str> {
    match tidy(text) {
        Cow::Borrowed(tidied) => Cow::Borrowed(tidied.trim()),
        Cow::Owned(tidied) => Cow::Owned(tidied.trim().to_owned()),
    }
}

/// Identifies spellings of the same word: tidy, lower case, single spaces, and one kind of hyphen.
pub(crate) fn key(text: &str) -> Cow<'_, str> {
    let plain = |b: u8| matches!(b, b'!'..=b'~') && !b.is_ascii_uppercase();
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let lower = tidy(text).to_lowercase();
    let mut out = String::with_capacity(lower.len());
    for word in lower.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        // Word processors write U+2010 and U+2011 (non-breaking) where the keyboard has "-".
        out.extend(word.chars().map(|c| if matches!(c, '\u{2010}' | '\u{2011}') { '-' } else { c }));
    }
    // The lower case of a composed text may be decomposed (U+0130).
    Cow::Owned(nfc(&out).into_owned())
}

/// The text for searching: lower case, compatibility forms decomposed, and without accents, so that `Åsa` is
/// `asa` and `Søren` is `soren` (UAX #15, NFKD without the marks, and Latin letters with a stroke by a table).
pub(crate) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !unicode_normalization::char::is_combining_mark(*c) && !is_invisible(*c)) {
        for lower in c.to_lowercase().filter(|c| !unicode_normalization::char::is_combining_mark(*c)) {
            match lower {
                'ø' => out.push('o'),
                'æ' => out.push_str("ae"),
                'œ' => out.push_str("oe"),
                'ß' => out.push_str("ss"),
                'đ' | 'ð' => out.push('d'),
                'ł' => out.push('l'),
                'þ' => out.push_str("th"),
                'ı' => out.push('i'),
                other => out.push(other),
            }
        }
    }
    out
}

/// Whether two spellings are the same word; see [`key`].
pub(crate) fn same(one: &str, other: &str) -> bool {
    one == other || key(one) == key(other)
}

/// Whether a character is invisible and takes no space: Unicode's default-ignorable code points (UAX #44,
/// Default_Ignorable_Code_Point) and the interlinear annotation marks. Spaces are not included.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
        | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// Whether a character cannot be seen at the end of a text: invisible or space.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

/// A character by its code point, with its name if it occurs in real texts by accident, e.g. `U+200B (zero width
/// space)`.
pub(crate) fn named(c: char) -> String {
    let code = u32::from(c);
    let name = match code {
        0x09 => "tab",
        0xa0 => "no-break space",
        0xad => "soft hyphen",
        0x200b => "zero width space",
        0x200c => "zero width non-joiner",
        0x200d => "zero width joiner",
        0x200e => "left-to-right mark",
        0x200f => "right-to-left mark",
        0x202a..=0x202e | 0x2066..=0x2069 => "direction of writing",
        0x202f => "narrow no-break space",
        0x2060 => "word joiner",
        0x3000 => "ideographic space",
        0xfe00..=0xfe0f | 0xe0100..=0xe01ef => "variation selector",
        0xfeff => "byte order mark",
        0xe0000..=0xe007f => "tag character",
        _ => return format!("U+{code:04X}"),
    };
    format!("U+{code:04X} ({name})")
}

/// A character for an error message: itself with its code point; only the code point if it is invisible.
pub(crate) fn shown(c: char) -> String {
    match is_unseen(c) || c.is_control() {
        true => named(c),
        false => format!("\u{201c}{c}\u{201d} (U+{:04X})", u32::from(c)),
    }
}

/// The plain form of a full-width, superscript or ligature character, or of a lookalike sign (UAX #15, compatibility
/// and singleton decompositions). `None` if it is a plain character.
pub(crate) fn plain_form(c: char) -> Option<String> {
    let plain: String = std::iter::once(c).nfkc().collect();
    (!c.is_ascii() && !plain.chars().eq([c])).then_some(plain)
}

/// Removes invisible characters, except those that their neighbours need.
fn without_invisible(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let stays = match c {
            // Zero width non-joiner and joiner: RFC 5892 appendix A.1, A.2 in words, UTS #51 in emoji.
            '\u{200c}' | '\u{200d}' => {
                kept.chars().next_back().is_some_and(joins) && characters.peek().copied().is_some_and(joins)
            }
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => match kept.chars().next_back() {
                // Keycaps; after other digits a selector has no effect.
                Some('#' | '*' | '0'..='9') => characters.peek() == Some(&'\u{20e3}'),
                before => before.is_some_and(has_variants),
            },
            c => !is_invisible(c),
        };
        if stays {
            kept.push(c);
        }
    }
    kept
}

/// Scripts with joined letters (Arabic to Mongolian, and Arabic forms), emoji and the selectors after them.
fn joins(c: char) -> bool {
    matches!(u32::from(c), 0x600..=0x109f | 0x1780..=0x18af | 0xa840..=0xa87f | 0xa8e0..=0xabff | 0xfb50..=0xfdff
        | 0xfe0f | 0xfe70..=0xfefc | 0x10a00..=0x11fff)
        || is_symbol(c)
}

/// Emoji and the signs among them.
fn is_symbol(c: char) -> bool {
    matches!(u32::from(c), 0x2190..=0x21ff | 0x2300..=0x23ff | 0x2460..=0x24ff | 0x25a0..=0x27bf | 0x2900..=0x297f
        | 0x2b00..=0x2bff | 0x3030..=0x303d | 0x1f000..=0x1faff)
}

/// Characters with variants: emoji, signs that can be one, Han and other scripts.
fn has_variants(c: char) -> bool {
    matches!(u32::from(c), 0xa9 | 0xae | 0x203c | 0x2049 | 0x2122 | 0x2139 | 0x2200..=0x22ff
        | 0x1000..=0x109f | 0x1820..=0x18af | 0x2e80..=0x9fff | 0xa840..=0xa87f | 0xf900..=0xfaff | 0x20000..=0x3ffff)
        || is_symbol(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_text_has_no_case_and_no_accents() {
        for (given, expected) in [
            ("Åsa Ölander-Émile", "asa olander-emile"),
            ("A\u{30a}SA", "asa"),
            ("Søren Ærø", "soren aero"),
            ("Straße \u{130}zmir", "strasse izmir"),
            ("Łódź", "lodz"),
            ("ﬁ Ｋarin²", "fi karin2"),
            ("Ka\u{200b}rin", "karin"),
            ("Дмитрий", "дмитрии"),
        ] {
            assert_eq!(folded(given), expected, "{given}");
        }
    }

    #[test]
    fn text_is_composed_and_what_shows_nothing_is_gone() {
        for (given, expected) in [
            ("Ska\u{30a}ne", "Skåne"),
            ("Skåne\u{200b}", "Skåne"),
            ("\u{feff}Sk\u{ad}åne\u{2060}", "Skåne"),
            ("Sk\u{202e}åne\u{2069}\u{200e}", "Skåne"),
            // An invisible character must not separate a letter from its ring.
            ("Ska\u{200b}\u{30a}ne", "Skåne"),
            ("a\u{e0061}b\u{e007f}å", "abå"),
            ("å\u{fe0f}\u{200d}b\u{200c}", "åb"),
            ("Å", "Å"),
            ("\u{212b}sa", "Åsa"),
            // Spaces are not invisible characters.
            ("å\u{a0}b", "å\u{a0}b"),
        ] {
            assert_eq!(tidy(given), expected, "{given:?}");
        }
    }

    #[test]
    fn what_scripts_and_emoji_need_stays() {
        for text in [
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",
            "\u{2764}\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}",
            "\u{915}\u{94d}\u{200d}\u{937}",
            "\u{845b}\u{e0100}",
        ] {
            assert_eq!(tidy(text), text, "{text:?}");
        }
    }

    #[test]
    fn ascii_is_never_copied() {
        assert!(matches!(tidy("Karin Ek"), Cow::Borrowed(_)));
        assert!(matches!(key("kultur"), Cow::Borrowed(_)));
        assert!(matches!(tidy("Skåne"), Cow::Borrowed(_)));
    }

    #[test]
    fn spellings_of_one_word_are_the_same() {
        for (one, other) in [
            ("Skåne", "ska\u{30a}ne\u{200b}"),
            ("Västra Götaland", " västra\u{a0}götaland "),
            ("Dalarna-Väst", "dalarna\u{2011}väst"),
            ("kultur", "KULTUR "),
        ] {
            assert!(same(one, other), "{one:?} {other:?}");
        }
        assert!(!same("Skåne", "Skane"));
        assert!(!same("skola", "skolor"));
    }

    #[test]
    fn a_character_is_named() {
        assert_eq!(named('\u{200b}'), "U+200B (zero width space)");
        assert_eq!(named('\u{ff45}'), "U+FF45");
    }
}
