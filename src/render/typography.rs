//! Keeps text together on one line: numbers in groups, a number and its unit, times, phone numbers. The words that
//! belong to a number before or after it are defined by the language's labels file.

use serde::Deserialize;

/// The no-break space.
pub(crate) const HARD_SPACE: char = '\u{a0}';

/// Number of digits of a phone number (ITU-T E.164 §6 has at most 15).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=15;

/// Words that stay on the line of their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typography {
    /// Words before a number, e.g. `kl.` or `§`.
    #[serde(default)]
    pub before_numbers: Vec<String>,
    /// Words after a number, e.g. `kr` or `%`.
    #[serde(default)]
    pub after_numbers: Vec<String>,
}

impl Typography {
    /// Inserts no-break spaces (U+00A0) where a line must not break. A line break at such a place is replaced, too.
    pub(crate) fn keep_together(&self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let mut out = chars.clone();
        for at in (1..chars.len().saturating_sub(1)).filter(|at| is_space(chars[*at])) {
            if self.belongs_together(&chars, at) {
                out[at] = HARD_SPACE;
            }
        }
        for (from, to) in phones(&chars) {
            out[from..to].iter_mut().filter(|c| is_space(**c)).for_each(|c| *c = HARD_SPACE);
        }
        out.into_iter().collect()
    }

    /// Whether the text before and after the space at `at` belongs together.
    fn belongs_together(&self, chars: &[char], at: usize) -> bool {
        let (before, after) = (chars[at - 1], chars[at + 1]);
        if before.is_ascii_digit() && after.is_ascii_digit() {
            return is_group(chars, at);
        }
        // "9.30 – 16.00"
        let dash = |c: char| c == '\u{2013}' || c == '-';
        let digit = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
        if before.is_ascii_digit() && dash(after) {
            return chars.get(at + 2).is_some_and(|c| is_space(*c)) && digit(Some(at + 3));
        }
        if dash(before) && after.is_ascii_digit() {
            return at >= 3 && is_space(chars[at - 2]) && digit(at.checked_sub(3));
        }
        if after.is_ascii_digit() {
            let word = word_before(chars, at).to_lowercase();
            return self.before_numbers.contains(&word);
        }
        before.is_ascii_digit() && word_after(chars, at).iter().any(|word| self.after_numbers.contains(word))
    }
}

fn is_space(c: char) -> bool {
    c == ' ' || c == '\n'
}

/// Whether the digits around the space are groups of one number: one to three before, exactly three after.
fn is_group(chars: &[char], at: usize) -> bool {
    let digits_before = chars[..at].iter().rev().take_while(|c| c.is_ascii_digit()).count();
    let digits_after = chars[at + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
    let first = at - digits_before;
    let own = first == 0 || !chars[first - 1].is_alphanumeric();
    (1..=3).contains(&digits_before) && digits_after == 3 && own
}

fn word_before(chars: &[char], at: usize) -> String {
    let length = chars[..at].iter().rev().take_while(|c| !c.is_whitespace() && **c != '(').count();
    chars[at - length..at].iter().collect()
}

/// The word after a space, as it is and without the punctuation at its end.
fn word_after(chars: &[char], at: usize) -> [String; 2] {
    let word: String = chars[at + 1..].iter().take_while(|c| !c.is_whitespace()).collect();
    let bare = word.trim_end_matches([',', '.', ';', ':', '!', '?', ')', '”', '"', '\u{2013}']).to_owned();
    [word, bare]
}

/// Finds phone numbers: they begin with `+` or `0`, and contain at least one separator that other numbers do not
/// have.
fn phones(chars: &[char]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let begins = matches!(chars[at], '+' | '0')
            && (at == 0 || !(chars[at - 1].is_alphanumeric() || "+.,:-/".contains(chars[at - 1])));
        let length = if begins { phone_length(&chars[at..]) } else { 0 };
        if length > 0 {
            found.push((at, at + length));
        }
        at += length.max(1);
    }
    found
}

fn phone_length(chars: &[char]) -> usize {
    let (mut length, mut digits) = (0, 0);
    for (at, c) in chars.iter().enumerate() {
        let after = chars.get(at + 1);
        match *c {
            '0'..='9' if digits < *PHONE_DIGITS.end() + 1 => {
                digits += 1;
                length = at + 1;
            }
            '+' if at == 0 => {}
            ' ' | '\n' | HARD_SPACE | '-' | '\u{2013}' | '/' | '(' | ')'
                if after.is_some_and(|c| c.is_ascii_digit() || "(- ".contains(*c)) => {}
            _ => break,
        }
    }
    // "070-174 06 05", "+46 70 174 06 05" and "0046 70 …" are phone numbers; "0 100" is not, and "08 465 004 00" has
    // four groups.
    let marked = chars[0] == '+' || chars[..length].contains(&'-') || chars[..length].contains(&'/');
    let groups = chars[..length].split(|c| !c.is_ascii_digit()).filter(|group| !group.is_empty()).count();
    if PHONE_DIGITS.contains(&digits) && (marked || groups >= 3) { length } else { 0 }
}

/// Ends a text with a full stop, unless it ends with punctuation.
pub(crate) fn with_stop(text: &str) -> String {
    let bare = text.trim_end().trim_end_matches(['”', '"', '’', '\'', '»', ')']);
    if bare.ends_with(['.', '!', '?', '…', ':']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let typography = Typography { before_numbers: words(&["kl.", "§"]), after_numbers: words(&["kr", "%", "§"]) };
        assert_eq!(typography.keep_together(text).replace('\u{a0}', "_"), expected);
    }

    #[test]
    fn numbers_and_their_words_stay_on_one_line() {
        check("190 000 kr, 10 000 000 och 20 %.", "190_000_kr, 10_000_000 och 20_%.");
        check("Kl. 9.30\noch (kl.\n10) § 5 i 7 §", "Kl._9.30\noch (kl._10) §_5 i 7_§");
        check("9.30 – 16.00 den 11 mars 2027 100 personer", "9.30_–_16.00 den 11 mars 2027 100 personer");
        check("år 2026 kl 9 A4 300 st", "år 2026 kl 9 A4 300 st");
    }

    #[test]
    fn phone_numbers_stay_on_one_line() {
        check("Ring 070-174 06 12, eller 08-465 004 00.", "Ring 070-174_06_12, eller 08-465_004_00.");
        check("+46 70 174 06 12 och +46 (0)8 465 004 22", "+46_70_174_06_12 och +46_(0)8_465_004_22");
        check("070 174 06 12 men 2026-11-26 09:30", "070_174_06_12 men 2026-11-26 09:30");
    }

    #[test]
    fn no_second_full_stop() {
        for (text, expected) in [("Vart går vi?", "Vart går vi?"), ("Inledning", "Inledning."), ("”Nej!”", "”Nej!”")]
        {
            assert_eq!(with_stop(text), expected);
        }
    }
}
