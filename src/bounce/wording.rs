//! The wording of servers (`wording.toml`), prepared so that each text is searched once.

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use crate::model::classify::RulesError;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    subject_failure: Vec<String>,
    subject_delay: Vec<String>,
    subject_success: Vec<String>,
    auto_reply_certain: Vec<String>,
    auto_reply_likely: Vec<String>,
    failure: Vec<String>,
    delay: Vec<String>,
    success: Vec<String>,
    challenge: Vec<String>,
    daemon: Vec<String>,
    daemon_name: Vec<String>,
    program: Vec<String>,
    remark: Vec<String>,
    diagnostic_fields: Vec<String>,
    undisclosed: Vec<String>,
    alias: Vec<String>,
    greeting: Vec<String>,
    closing: Vec<String>,
    client: Vec<String>,
    returned: Vec<String>,
    recipient: Vec<String>,
    not_recipient: Vec<String>,
}

/// What a text may say about its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Failure,
    Delay,
    Success,
    AutoReply,
    Challenge,
}

/// The wording.
#[derive(Clone, Debug)]
pub(super) struct Wording {
    pub subject: Signs,
    pub text: Signs,
    pub daemon: Vec<String>,
    pub daemon_name: Vec<String>,
    pub program: Vec<String>,
    pub auto_reply_certain: Vec<String>,
    /// Report fields that contain a server's reply if `Diagnostic-Code` does not; names in lower case.
    pub diagnostic_fields: Vec<String>,
    /// Words in place of an address that a server does not disclose.
    pub undisclosed: Vec<String>,
    /// Words directly before the address that another was expanded from.
    pub alias: Vec<String>,
    greeting: Beginnings,
    closing: Beginnings,
    client: Vec<String>,
    returned: Beginnings,
    remark: Beginnings,
    recipient: Endings,
    not_recipient: AhoCorasick,
}

impl Wording {
    /// Parses the wording shipped with Depesch.
    pub(super) fn shipped() -> Result<Self, RulesError> {
        let file: File = toml::from_str(include_str!("wording.toml")).map_err(RulesError::new)?;
        let subject = [
            (Sign::Failure, file.subject_failure),
            (Sign::Delay, file.subject_delay),
            (Sign::Success, file.subject_success),
            (Sign::AutoReply, file.auto_reply_likely),
        ];
        let text = [
            (Sign::Failure, file.failure),
            (Sign::Delay, file.delay),
            (Sign::Success, file.success),
            (Sign::Challenge, file.challenge),
        ];
        Ok(Self {
            subject: Signs::new(subject)?,
            text: Signs::new(text)?,
            daemon: file.daemon,
            daemon_name: file.daemon_name,
            auto_reply_certain: file.auto_reply_certain,
            program: file.program,
            diagnostic_fields: file.diagnostic_fields,
            undisclosed: file.undisclosed,
            alias: file.alias,
            greeting: Beginnings::new(file.greeting),
            closing: Beginnings::new(file.closing),
            client: file.client,
            returned: Beginnings::new(file.returned),
            remark: Beginnings::new(file.remark),
            recipient: Endings::new(file.recipient),
            not_recipient: AhoCorasick::new(file.not_recipient).map_err(RulesError::new)?,
        })
    }

    /// Whether the returned message begins with this line, given in lower case.
    pub(super) fn begins_returned(&self, line: &str) -> bool {
        let core = line.trim_start_matches(|c: char| !c.is_alphanumeric());
        let Some(length) = self.returned.longest(core) else { return false };
        // A short phrase may begin a sentence about something else; a heading is followed by little text.
        let next = core[length..].split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty());
        length >= 20
            || next.is_none_or(|word| {
                ["follows", "below", "attached", "included", "headers", "header", "is", "follow", "folgt", "following"]
                    .contains(&word)
            })
    }

    /// Whether this line, in lower case, begins or ends a person's letter.
    pub(super) fn is_of_letter(&self, line: &str) -> bool {
        let ends = |phrases: &Beginnings| {
            phrases.longest(line).is_some_and(|length| !line[length..].starts_with(char::is_alphanumeric))
        };
        ends(&self.greeting) || ends(&self.closing)
    }

    /// Whether a header field value, in lower case, names a mail program for people.
    pub(super) fn is_client(&self, value: &str) -> bool {
        self.client.iter().any(|client| value.contains(client.as_str()))
    }

    /// Whether these words, in lower case, are a remark about the address before them.
    pub(super) fn begins_remark(&self, words: &str) -> bool {
        self.remark.longest(words).is_some()
    }

    /// Whether these words, in lower case, are followed by a recipient's address.
    pub(super) fn leads_to_recipient(&self, words: &str) -> bool {
        self.recipient.matches(words) || self.recipient.matches(words.trim_end_matches([':', ' ', '\u{a0}']))
    }

    /// Whether these words, in lower case, are followed by another party's address.
    pub(super) fn leads_elsewhere(&self, words: &str) -> bool {
        self.not_recipient.is_match(words)
    }
}

/// Phrases that are signs of something.
#[derive(Clone, Debug)]
pub(super) struct Signs {
    phrases: AhoCorasick,
    meanings: Vec<Sign>,
}

impl Signs {
    fn new<const N: usize>(groups: [(Sign, Vec<String>); N]) -> Result<Self, RulesError> {
        let all: Vec<(Sign, String)> =
            groups.into_iter().flat_map(|(sign, phrases)| phrases.into_iter().map(move |one| (sign, one))).collect();
        let phrases = AhoCorasick::new(all.iter().map(|(_, phrase)| phrase)).map_err(RulesError::new)?;
        Ok(Self { phrases, meanings: all.into_iter().map(|(sign, _)| sign).collect() })
    }

    /// The signs in a text in lower case, without duplicates.
    pub(super) fn said(&self, text: &str) -> Vec<Sign> {
        let mut said = Vec::new();
        for found in self.phrases.find_overlapping_iter(text) {
            let sign = self.meanings[found.pattern().as_usize()];
            if !said.contains(&sign) {
                said.push(sign);
            }
        }
        said
    }
}

/// Phrases to begin with, by their first byte.
#[derive(Clone, Debug)]
struct Beginnings(Vec<Vec<String>>);

impl Beginnings {
    fn new(phrases: Vec<String>) -> Self {
        let mut by_byte = vec![Vec::new(); 256];
        for phrase in phrases {
            if let Some(first) = phrase.bytes().next() {
                by_byte[usize::from(first)].push(phrase);
            }
        }
        Self(by_byte)
    }

    /// The length of the longest phrase at the beginning of the text.
    fn longest(&self, text: &str) -> Option<usize> {
        let first = text.bytes().next()?;
        self.0[usize::from(first)].iter().filter(|phrase| text.starts_with(phrase.as_str())).map(String::len).max()
    }
}

/// Phrases to end with, by their last byte.
#[derive(Clone, Debug)]
struct Endings(Vec<Vec<String>>);

impl Endings {
    fn new(phrases: Vec<String>) -> Self {
        let mut by_byte = vec![Vec::new(); 256];
        for phrase in phrases {
            if let Some(last) = phrase.bytes().last() {
                by_byte[usize::from(last)].push(phrase);
            }
        }
        Self(by_byte)
    }

    /// Whether the text ends with one of them, as whole words.
    fn matches(&self, text: &str) -> bool {
        let text = text.trim_end();
        let Some(last) = text.bytes().last() else { return false };
        self.0[usize::from(last)].iter().any(|phrase| {
            text.strip_suffix(phrase.as_str()).is_some_and(|before| !before.ends_with(char::is_alphanumeric))
        })
    }
}
