//! Detects what introduces a quotation: a line that says who wrote when, possibly folded; a divider; the header
//! fields that Outlook puts before quoted text.

use super::ReplyReader;
use super::lines::{Raw, plain};
use crate::mail::html_text::structure::Place;

/// Maximum number of lines of a folded attribution: long addresses are wrapped like words.
const MOST_LINES: usize = 6;
/// Maximum number of words in an attribution.
const MOST_WORDS: usize = 40;
/// Maximum bytes of one of its lines.
const LONGEST: usize = 1000;
/// Number of lines within which a quoted header block must have its second field.
const BLOCK: usize = 7;

impl ReplyReader {
    /// Number of lines of the attribution that begins with the first of `lines`.
    pub(super) fn attribution(&self, lines: &[Raw]) -> Option<usize> {
        let mut joined = String::new();
        for (at, line) in lines.iter().take(MOST_LINES).enumerate() {
            if line.place != Place::Own || line.text.is_empty() || line.text.len() > LONGEST || line.is_barred {
                return None;
            }
            joined.push_str(&plain(&line.text));
            let quoted = lines[at + 1..].iter().find(|next| !next.text.is_empty()).is_some_and(Raw::is_quoted);
            if self.attributes(&joined, quoted) {
                return Some(at + 1);
            }
            if at == 0 && !self.opens(&joined) {
                return None;
            }
            joined.push(' ');
        }
        None
    }

    /// "On 3 March Karin Ek <k@example.org> wrote:", "Den 3 mars skrev Karin Ek <k@example.org>:", "Karin Ek
    /// <k@example.org> skrev (3 mars):", "---- On 3 March Karin Ek wrote ----".
    fn attributes(&self, line: &str, quoted: bool) -> bool {
        let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\u{200e}');
        let bare = line.trim_matches(|c: char| c == '-' || c.is_whitespace());
        let dashed = line.starts_with("---") && line.ends_with("---");
        let ends = bare.strip_suffix([':', '\u{ff1a}']).map(str::trim_end);
        // "2026-11-28 Karin Ek <address of ours>", in any language.
        if quoted && line.starts_with(|c: char| c.is_ascii_digit()) && line.ends_with('>') && has_token(line) {
            return true;
        }
        let text = match (ends, dashed) {
            (Some(text), _) => text,
            (None, true) => bare,
            (None, false) => return false,
        };
        if has_token(text) && quoted {
            return true;
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '(').to_owned();
        let is = |word: &str, list: &[String]| list.iter().any(|one| *one == bare(word) || one == word);
        // An address may contain any word.
        let own = words.iter().filter(|word| !word.contains('@'));
        if words.len() > MOST_WORDS || own.clone().any(|word| is(word, &self.not_wrote)) {
            return false;
        }
        let verb = own.clone().any(|word| is(word, &self.wrote));
        let dated = text.contains('@') || text.contains(|c: char| c.is_ascii_digit());
        let last = words.last().is_some_and(|word| is(word, &self.wrote));
        verb && (dated || last && quoted)
    }

    /// Whether an attribution may begin like this: with an address or a date, or with one of the known first words.
    fn opens(&self, line: &str) -> bool {
        let first = line.split_whitespace().next().unwrap_or_default();
        let word = first.trim_matches(|c: char| !c.is_alphanumeric());
        let dated = line.contains(|c: char| c.is_ascii_digit());
        let begins = self.wrote_first.iter().any(|one| one == word);
        line.contains(['@', '<'])
            || first.starts_with(|c: char| c.is_ascii_digit())
            || line.starts_with("---")
            || (begins && dated)
    }

    /// "-----Original Message-----", "Begin forwarded message:".
    pub(super) fn divides(&self, plain: &str) -> bool {
        let words = plain.trim_matches(|c: char| {
            matches!(c, '-' | '_' | '*' | '=' | ':' | '\u{2013}' | '\u{2014}') || c.is_whitespace()
        });
        let ruled = plain.starts_with(['-', '_', '=', '\u{2013}', '\u{2014}']);
        self.divider.iter().any(|divider| words == divider || ruled && words.starts_with(divider.as_str()))
    }

    /// "Från: …" followed by "Skickat: …", as Outlook quotes.
    pub(super) fn heads_quotation(&self, lines: &[Raw]) -> bool {
        let Some((first, after)) = lines.split_first() else { return false };
        self.is_field(&plain(&first.text), &self.from)
            && after.iter().take(BLOCK).any(|line| self.is_field(&plain(&line.text), &self.other_field))
    }

    /// Whether a line is a field of a quoted header.
    pub(super) fn is_header_field(&self, plain: &str) -> bool {
        self.is_field(plain, &self.from) || self.is_field(plain, &self.other_field)
    }

    fn is_field(&self, plain: &str, names: &[String]) -> bool {
        let name = plain.split_once([':', '\u{ff1a}']).map(|(name, _)| name.trim());
        name.is_some_and(|name| names.iter().any(|one| one == name))
    }
}

/// Whether a line contains a signed address of ours.
fn has_token(line: &str) -> bool {
    line.split_whitespace().any(|word| word.contains('@') && super::tokens::shows_token(word))
}
