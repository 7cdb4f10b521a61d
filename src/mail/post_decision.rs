//! A person's answer to the question whether a held mail may be sent. The words are data (`post_decision.toml`).
//!
//! Approval needs a clear word and nothing else: "yes, but change the headline first" is a letter, not a yes. A
//! refusal may be followed by its reason.

use serde::Deserialize;

use super::reply::{Question, Reply, ReplyReader, ReplyReaderError, Sender, Written, without_tokens};

/// Maximum characters kept of a reason.
const LONGEST_REASON: usize = 500;

/// The meaning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostDecision {
    /// Approve.
    Approve,
    /// Refuse.
    Refuse {
        /// The reason, as one line; may be empty.
        why: String,
    },
    /// No text of their own: the question was sent back unchanged, and all of the reply was read.
    Silent,
    /// A person must read it, or it could not be read.
    Unclear,
}

/// The parsed words.
#[derive(Clone, Debug)]
pub struct DecisionWords {
    words: File,
    reader: ReplyReader,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    approve: Vec<String>,
    polite: Vec<String>,
    refuse: Vec<String>,
}

impl DecisionWords {
    /// Parses the words shipped with Depesch.
    ///
    /// # Errors
    /// Never with the shipped files; a test ensures this.
    pub fn shipped() -> Result<Self, ReplyReaderError> {
        let words = toml::from_str(include_str!("post_decision.toml"))
            .map_err(|error: toml::de::Error| ReplyReaderError(error.to_string()))?;
        Ok(Self { words, reader: ReplyReader::shipped()? })
    }

    /// The reader for replies.
    pub(crate) fn reader(&self) -> &ReplyReader {
        &self.reader
    }

    /// The meaning of a reply by `sender` to `question`. Quotation, signature and disclaimer do not count; all forms
    /// of the mail must agree, and unread parts count as unclear.
    pub fn read(&self, reply: &Reply, sender: Sender<'_>, question: Option<&Question>) -> PostDecision {
        if self.reader.may_be_automatic(reply) {
            return PostDecision::Unclear;
        }
        if question.is_some_and(|question| reply.is_bare(&self.reader, sender, question)) {
            return PostDecision::Silent;
        }
        let mut said = reply.forms.iter().filter_map(|form| self.said(form, sender));
        let Some(first) = said.next() else { return PostDecision::Unclear };
        if said.any(|other| std::mem::discriminant(&other) != std::mem::discriminant(&first)) {
            return PostDecision::Unclear;
        }
        match first {
            PostDecision::Approve if !reply.words_were_read() => PostDecision::Unclear,
            PostDecision::Refuse { .. } if !reply.text_was_read() => PostDecision::Unclear,
            first => first,
        }
    }

    /// The meaning of one form of a reply; `None` without any text.
    fn said(&self, form: &Written, sender: Sender<'_>) -> Option<PostDecision> {
        let own = self.reader.words_of(form);
        if own.is_empty() || self.reader.is_signature(&own, sender) {
            return None;
        }
        let (first, below) = own.split_first()?;
        if let Some(reason) = self.refusal(first) {
            let below = below.iter().copied();
            let why =
                std::iter::once(reason).chain(below).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            let why = super::headers::one_line(&without_tokens(&why)).chars().take(LONGEST_REASON).collect();
            return Some(PostDecision::Refuse { why });
        }
        let below: Vec<&str> = below.iter().copied().filter(|line| !self.is_polite(line)).collect();
        let clear = self.approves(first) && self.reader.is_signature(&below, sender) && !self.reader.takes_back(form);
        Some(if clear { PostDecision::Approve } else { PostDecision::Unclear })
    }

    fn is_polite(&self, line: &str) -> bool {
        let line = plain(line);
        self.words.polite.contains(&line)
    }

    fn approves(&self, line: &str) -> bool {
        let line = plain(line);
        let is = |rest: &str| self.words.approve.iter().any(|phrase| phrase == rest);
        let polite = |phrase: &String| line.strip_suffix(phrase.as_str()).is_some_and(|rest| is(rest.trim_end()));
        is(&line) || self.words.polite.iter().any(polite)
    }

    /// The text after a word of refusal, if the line begins with one.
    fn refusal<'a>(&self, line: &'a str) -> Option<&'a str> {
        let lower = line.to_lowercase();
        // Lower case may have more bytes than the original; then positions do not correspond and nothing is cut off.
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

/// Lower case, words separated by one space, without punctuation.
fn plain(line: &str) -> String {
    let kept: String = line.chars().map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' }).collect();
    kept.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> PostDecision {
        let words = DecisionWords::shipped().unwrap();
        let reply = words.reader.read_text("Re: Ska det ut?", text);
        let sender = Sender { address: "karin@example.org", name: "Karin Ek" };
        words.read(&reply, sender, Some(&Question::new("Ska det ut?", "Ska det ut? Ja", "")))
    }

    #[test]
    fn clear_words_of_both_languages_count() {
        for text in
            ["Ja", "ok!", "Godkänn\r\n\r\nMvh Karin", "Yes, thanks.", "APPROVE", "Ja tack\n\n> Ska det ut?\n> nej"]
        {
            assert_eq!(read(text), PostDecision::Approve, "{text:?}");
        }
        for (text, why) in [
            ("Nej", ""),
            ("NEJ, fel rubrik", "fel rubrik"),
            ("Avslå: hör inte hit\nVänta till måndag", "hör inte hit Vänta till måndag"),
            ("no \u{2013} not yet", "not yet"),
            ("Don't send it", "it"),
            ("avbryt", ""),
        ] {
            assert_eq!(read(text), PostDecision::Refuse { why: why.into() }, "{text:?}");
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
            "Ja\nändra rubriken",
            "Ja\n\nMvh Karin\n\nPS. Nej, vänta!",
            "\u{1f44e}",
            "?",
            "| Nej, vänta",
            "Mvh Karin\n\nPS. Inte än!",
        ] {
            assert_eq!(read(text), PostDecision::Unclear, "{text:?}");
        }
        for text in ["", "\r\n\r\n", "> Ja\r\n", "--\nKarin", "Mvh Karin"] {
            assert_eq!(read(text), PostDecision::Silent, "{text:?}");
        }
    }
}
