//! Whose fault a refusal is, by rules that are data (`classify.toml`).
//!
//! The class decides what a refusal counts against: an address or a mailbox is the subscriber's, policy and content
//! are ours and never count against the subscriber.

use serde::Deserialize;

use super::ledger::Stage;
use super::reply::Reply;

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// There is no such address, or no mail to its domain.
    Address,
    /// The mailbox is there, but takes nothing: full, disabled, closed to us by its owner.
    Mailbox,
    /// The message as it is made: malformed, an attachment, malware.
    Content,
    /// The sender: reputation, SPF, DKIM, DMARC, reverse DNS, rate, block lists, size, spam, login.
    Policy,
    /// Machines and the ways between them.
    Network,
    /// Nothing that the rules know.
    Other,
}

impl Class {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Mailbox => "mailbox",
            Self::Content => "content",
            Self::Policy => "policy",
            Self::Network => "network",
            Self::Other => "other",
        }
    }

    /// Whether the sender or the content is blamed: then it never counts against the subscriber.
    pub fn blames_us(self) -> bool {
        matches!(self, Self::Content | Self::Policy)
    }
}

/// What the rules say of one reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// What it is about.
    pub class: Class,
    /// What is wrong, in a few words, for the press office.
    pub why: String,
}

/// The rules, read once.
#[derive(Clone, Debug)]
pub struct Classifier {
    rules: Vec<Rule>,
}

/// Rules that cannot be read: where and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rules that classify replies are wrong: {0}")]
pub struct RulesError(String);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rule: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    class: Class,
    why: String,
    #[serde(default)]
    enhanced: Vec<String>,
    #[serde(default)]
    code: Vec<String>,
    #[serde(default)]
    stage: Vec<String>,
    #[serde(default)]
    text: Vec<String>,
}

impl Classifier {
    /// The rules that come with Depesch.
    ///
    /// # Errors
    /// Never with the file as it is; a test sees to that.
    pub fn shipped() -> Result<Self, RulesError> {
        Self::parse(include_str!("classify.toml"))
    }

    /// Reads rules written as in `classify.toml`.
    ///
    /// # Errors
    /// What is wrong, with its line, or the rule that would hold for everything or never.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let mut file: RuleFile = toml::from_str(text).map_err(|error| RulesError(error.to_string()))?;
        let stages = [Stage::Connect, Stage::Mail, Stage::Recipient, Stage::Data, Stage::Message].map(Stage::word);
        for (number, rule) in file.rule.iter_mut().enumerate() {
            let wrong = |what: &str| RulesError(format!("rule {} ({}) {what}", number + 1, rule.why));
            if rule.enhanced.is_empty() && rule.code.is_empty() && rule.text.is_empty() {
                return Err(wrong("needs one of enhanced, code and text"));
            }
            if rule.stage.iter().any(|stage| !stages.contains(&stage.as_str())) {
                return Err(wrong("has a stage that there is not"));
            }
            for text in &mut rule.text {
                *text = text.to_lowercase();
            }
        }
        Ok(Self { rules: file.rule })
    }

    /// What `reply` at `stage` means.
    pub fn classify(&self, stage: Stage, reply: &Reply) -> Classified {
        let text = reply.text.to_lowercase();
        let code = reply.code.to_string();
        // `5.7.1` becomes `7.1`: whether it passes is in the code.
        let enhanced = reply.enhanced().and_then(|whole| whole.split_once('.')).map(|(_, rest)| rest);
        let found = self.rules.iter().find(|rule| rule.holds(stage, &code, enhanced, &text));
        match found {
            Some(rule) => Classified { class: rule.class, why: rule.why.clone() },
            None => Classified { class: Class::Other, why: "the receiver does not say why".to_owned() },
        }
    }
}

impl Rule {
    fn holds(&self, stage: Stage, code: &str, enhanced: Option<&str>, text: &str) -> bool {
        let any = |list: &[String], holds: &dyn Fn(&str) -> bool| list.is_empty() || list.iter().any(|one| holds(one));
        any(&self.stage, &|one| one == stage.word())
            && any(&self.code, &|one| code.starts_with(one))
            && any(&self.enhanced, &|one| enhanced.is_some_and(|given| same_enhanced(one, given)))
            && any(&self.text, &|one| text.contains(one))
    }
}

fn same_enhanced(rule: &str, given: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(subject) => given.starts_with(subject),
        None => rule == given,
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
