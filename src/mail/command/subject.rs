//! What a subject says behind its prefixes and tags.

use unicode_normalization::UnicodeNormalization;

use super::{Commands, LONGEST_SUBJECT};

/// What may stand between a prefix and the subject, in all widths.
const COLONS: [char; 3] = [':', '\u{ff1a}', '\u{fe55}'];
/// Brackets in which gateways put a tag; in square ones lists put theirs, too, which may be anything.
const BRACKETS: [(char, char); 5] = [('(', ')'), ('{', '}'), ('<', '>'), ('\u{3010}', '\u{3011}'), ('*', '*')];
const SQUARE: [(char, char); 2] = [('[', ']'), ('\u{ff3b}', '\u{ff3d}')];

impl Commands {
    /// The subject without "Re:", "Sv:" and their like, without a list's tag in brackets, and without what gateways write
    /// before the subject of mail from outside.
    pub(super) fn without_prefixes<'a>(&self, subject: &'a str) -> &'a str {
        let mut rest = subject[..subject.floor_char_boundary(LONGEST_SUBJECT)].trim();
        while let Some(shorter) = self.shorter(rest) {
            rest = shorter.trim_start();
        }
        rest
    }

    fn shorter<'a>(&self, rest: &'a str) -> Option<&'a str> {
        let within = |pairs: &[(char, char)]| {
            let (_, close) = *pairs.iter().find(|(open, _)| rest.starts_with(*open))?;
            let mut characters = rest.chars();
            characters.next();
            characters.as_str().split_once(close)
        };
        if let Some((_, after)) = within(&SQUARE) {
            return Some(after);
        }
        if let Some((inner, after)) = within(&BRACKETS)
            && self.is_tag(inner)
        {
            return Some(after);
        }
        if let Some((prefix, after)) = rest.split_once(COLONS)
            && (self.is_prefix(prefix) || self.is_tag(prefix))
        {
            return Some(after);
        }
        // "EXTERN - avsluta", "EXTERN avsluta".
        let dashed = [" - ", " | ", " \u{2013} "].iter().find_map(|dash| rest.split_once(dash));
        let tagged = dashed.or_else(|| rest.split_once(char::is_whitespace));
        tagged.filter(|(tag, _)| self.is_tag(tag)).map(|(_, after)| after)
    }

    /// "Re", "SV", "Re[2]", "Re (3)".
    fn is_prefix(&self, prefix: &str) -> bool {
        let word = prefix.split(['[', '(']).next().unwrap_or_default();
        self.prefixes.contains(&plain(word))
    }

    fn is_tag(&self, word: &str) -> bool {
        self.tags.contains(&plain(word))
    }
}

fn plain(word: &str) -> String {
    let word: String = word.nfkc().flat_map(char::to_lowercase).collect();
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}
