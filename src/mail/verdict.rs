//! What a person answers who is asked whether a held mail may go out. The words are data (`verdict.toml`).
//!
//! Letting out needs a clear word and nothing beside it: "yes, but change the headline first" is a letter, not a yes. A
//! refusal may have its reason behind it.

use serde::Deserialize;

use super::own_words::{Marks, MarksError};

/// Characters of a reason that are kept.
const LONGEST_REASON: usize = 500;
/// Words that may stand below a clear word, for a name and a greeting.
const MOST_WORDS_BELOW: usize = 8;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go out.
    Approve,
    /// It may not.
    Refuse {
        /// Why; may be empty. A person's words, on one line.
        why: String,
    },
    /// Nothing was written: a reply sent as it was opened.
    Silent,
    /// Something that a person must read.
    Unclear,
}

/// The words, read once.
#[derive(Clone, Debug)]
pub struct VerdictWords {
    words: File,
    marks: Marks,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    approve: Vec<String>,
    polite: Vec<String>,
    refuse: Vec<String>,
}

impl VerdictWords {
    /// The words that come with Depesch.
    ///
    /// # Errors
    /// Never with the files as they are; a test sees to that.
    pub fn shipped() -> Result<Self, MarksError> {
        let words = toml::from_str(include_str!("verdict.toml"))
            .map_err(|error: toml::de::Error| MarksError(error.to_string()))?;
        Ok(Self { words, marks: Marks::shipped()? })
    }

    /// What the text of a reply says. Quotation, signature and disclaimer do not count.
    pub fn read(&self, text: &str) -> Verdict {
        let lines = self.marks.own_lines(text);
        let mut lines = lines.iter().filter(|line| line.contains(char::is_alphanumeric));
        let Some(first) = lines.next() else { return Verdict::Silent };
        if let Some(reason) = self.refusal(first) {
            let below = lines.map(String::as_str);
            let why =
                std::iter::once(reason).chain(below).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            let why = super::headers::one_line(&why).chars().take(LONGEST_REASON).collect();
            return Verdict::Refuse { why };
        }
        let below: usize = lines.map(|line| line.split_whitespace().count()).sum();
        match self.approves(first) && below <= MOST_WORDS_BELOW {
            true => Verdict::Approve,
            false => Verdict::Unclear,
        }
    }

    fn approves(&self, line: &str) -> bool {
        let line = plain(line);
        let is = |rest: &str| self.words.approve.iter().any(|phrase| phrase == rest);
        let polite = |phrase: &String| line.strip_suffix(phrase.as_str()).is_some_and(|rest| is(rest.trim_end()));
        is(&line) || self.words.polite.iter().any(polite)
    }

    /// What follows a word of refusal, if the line begins with one.
    fn refusal<'a>(&self, line: &'a str) -> Option<&'a str> {
        let lower = line.to_lowercase();
        // Lower case may be longer in octets than what it stands for; then nothing is cut off by it.
        let same = lower.len() == line.len();
        let begins = |phrase: &&String| {
            let rest = lower.strip_prefix(phrase.as_str())?;
            rest.chars().next().is_none_or(|c| !c.is_alphanumeric()).then_some(phrase.len())
        };
        let longest = self.words.refuse.iter().filter_map(|phrase| begins(&phrase)).max()?;
        let rest = if same { line.get(longest..).unwrap_or(line) } else { line };
        Some(rest.trim_matches(|c: char| c.is_whitespace() || ",.:;!-\u{2013}".contains(c)))
    }
}

/// Lower case, words divided by one space, without punctuation.
fn plain(line: &str) -> String {
    let kept: String = line.chars().map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' }).collect();
    kept.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Verdict {
        VerdictWords::shipped().unwrap().read(text)
    }

    #[test]
    fn clear_words_of_both_languages_count() {
        for text in
            ["Ja", "ok!", "Godkänn\r\n\r\nMvh Karin", "Yes, thanks.", "APPROVE", "Ja tack\n\n> Ska det ut?\n> nej"]
        {
            assert_eq!(read(text), Verdict::Approve, "{text:?}");
        }
        for (text, why) in [
            ("Nej", ""),
            ("NEJ, fel rubrik", "fel rubrik"),
            ("Avslå: hör inte hit\nVänta till måndag", "hör inte hit Vänta till måndag"),
            ("no \u{2013} not yet", "not yet"),
            ("Don't send it", "it"),
            ("avbryt", ""),
        ] {
            assert_eq!(read(text), Verdict::Refuse { why: why.into() }, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_clear_lets_nothing_out() {
        for text in [
            "Ja, men ändra rubriken först",
            "Okänd avsändare",
            "Nobelpriset delas ut",
            "Vem har skrivit det här?",
            "Jag är på semester till den 5 augusti",
            "Ja\nmen vänta till i morgon, jag måste ringa ministern först och fråga",
        ] {
            assert_eq!(read(text), Verdict::Unclear, "{text:?}");
        }
        for text in ["", "\r\n\r\n", "> Ja\r\n", "--\nKarin"] {
            assert_eq!(read(text), Verdict::Silent, "{text:?}");
        }
    }
}
