//! Classifies refusals by their cause, with rules that are data (`classify.toml`).
//!
//! The class decides what a refusal counts against: an address or a mailbox is the subscriber's, policy and content
//! are ours and never count against the subscriber. Replies in SMTP sessions and diagnoses in bounces follow the same
//! rules.

use std::sync::Arc;

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use super::ledger::Stage;
use super::reply::Reply;

mod words;

use words::words_of;

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The address, or its mail domain, does not exist.
    Address,
    /// The mailbox exists but accepts nothing: full, disabled, or closed to us by its owner.
    Mailbox,
    /// The message itself: malformed, an attachment, malware.
    Content,
    /// The sender: reputation, SPF, DKIM, DMARC, reverse DNS, rate, block lists, size, spam, login.
    Policy,
    /// Machines and the connections between them.
    Network,
    /// The reader reported the message as unwanted. Never set by a rule: a report says so itself.
    Complaint,
    /// No refusal: an automatic reply of an absent owner. Never set by a rule.
    AutoReply,
    /// No refusal: news about a message, e.g. that it was delivered. Never set by a rule.
    Notice,
    /// Unknown to the rules.
    Other,
}

impl Class {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Address,
        Self::Mailbox,
        Self::Content,
        Self::Policy,
        Self::Network,
        Self::Complaint,
        Self::AutoReply,
        Self::Notice,
        Self::Other,
    ];

    /// The word for it in commands, API and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Mailbox => "mailbox",
            Self::Content => "content",
            Self::Policy => "policy",
            Self::Network => "network",
            Self::Complaint => "complaint",
            Self::AutoReply => "auto-reply",
            Self::Notice => "notice",
            Self::Other => "other",
        }
    }

    /// Whether the sender or the content is blamed: then it never counts against the subscriber.
    pub(crate) fn blames_us(self) -> bool {
        matches!(self, Self::Content | Self::Policy)
    }
}

/// When a refusal scores against the subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counts {
    /// Never: it does not concern the address itself.
    Never,
    /// Only if permanent: as a temporary error it concerns machines.
    Permanent,
    /// Always.
    Always,
}

/// The classification of one reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The class.
    pub class: Class,
    /// The cause in a few words, for the press office.
    pub why: String,
    /// When it scores against the subscriber.
    pub counts: Counts,
    /// Whether it asks us to send more slowly; a temporary refusal of this kind blames nothing.
    pub slow: bool,
}

impl Classified {
    /// Whether it scores against the subscriber, given whether it is permanent.
    pub fn counts(&self, permanent: bool) -> bool {
        self.counts == Counts::Always || permanent && self.counts == Counts::Permanent
    }
}

/// What is known of a refusal, from a session or a bounce.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Diagnosis<'a> {
    /// The stage of the session, if known.
    pub stage: Option<Stage>,
    /// The reply code (RFC 5321 §4.2), if known.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463 §2), if known.
    pub enhanced: Option<&'a str>,
    /// The text.
    pub text: &'a str,
    /// Addresses that the message was sent from: a reply that begins with one of them concerns the sender.
    pub ours: &'a [&'a str],
}

/// The parsed rules.
#[derive(Clone, Debug)]
pub struct Classifier {
    rules: Arc<Vec<Rule>>,
    /// The phrases of all rules, searched for in one pass.
    texts: AhoCorasick,
    /// The role of each phrase in its rule.
    parts: Arc<Vec<Part>>,
    /// Number of phrases with two parts.
    spans: usize,
    frames: AhoCorasick,
}

/// The role of a phrase in its rule.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// A whole phrase.
    Whole { rule: usize },
    /// The part before the `*` of a phrase.
    First { span: usize },
    /// The part after the `*`.
    Second { span: usize, rule: usize, is_word: bool },
}

/// Rules that cannot be parsed: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rules that classify replies are wrong: {0}")]
pub struct RulesError(String);

impl RulesError {
    /// Wraps a parser's error.
    pub(crate) fn new(wrong: impl std::fmt::Display) -> Self {
        Self(wrong.to_string())
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(default)]
    frame: Vec<String>,
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
    counts: Option<Counts>,
    #[serde(default)]
    slow: bool,
}

/// The word in a rule's stages for an unknown stage.
const ANY_BOUNCE: &str = "bounce";
/// Maximum bytes of a diagnosis that are read.
const MAX_TEXT: usize = 4000;
/// Maximum bytes between the two parts of a phrase with `*`.
const MAX_BETWEEN: usize = 60;
/// At the end of a phrase's second part: the part is only the beginning of a word.
const STEM: char = '\u{2026}';

impl Classifier {
    /// Parses the rules shipped with Depesch.
    ///
    /// # Errors
    /// Never with the shipped file; a test ensures this.
    pub fn shipped() -> Result<Self, RulesError> {
        Self::parse(include_str!("classify.toml"))
    }

    /// Parses rules in the format of `classify.toml`.
    ///
    /// # Errors
    /// What is wrong, with its line, or the rule that would always or never apply.
    pub(crate) fn parse(text: &str) -> Result<Self, RulesError> {
        let mut file: RuleFile = toml::from_str(text).map_err(RulesError::new)?;
        let stages = [Stage::Connect, Stage::Mail, Stage::Recipient, Stage::Data, Stage::Message].map(Stage::word);
        for (number, rule) in file.rule.iter_mut().enumerate() {
            let wrong = |what: &str| RulesError(format!("rule {} ({}) {what}", number + 1, rule.why));
            if rule.enhanced.is_empty() && rule.code.is_empty() && rule.text.is_empty() {
                return Err(wrong("needs one of enhanced, code and text"));
            }
            if rule.stage.iter().any(|stage| stage != ANY_BOUNCE && !stages.contains(&stage.as_str())) {
                return Err(wrong("has a stage that there is not"));
            }
            if matches!(rule.class, Class::Complaint | Class::AutoReply | Class::Notice) {
                return Err(wrong("has a class that no refusal is of"));
            }
            if rule.counts.is_some() && !matches!(rule.class, Class::Address | Class::Mailbox) {
                return Err(wrong("counts, but blames no address"));
            }
            for text in &mut rule.text {
                *text = text.to_lowercase();
            }
        }
        let (mut texts, mut parts, mut spans) = (Vec::new(), Vec::new(), 0);
        for (rule, text) in file.rule.iter().enumerate().flat_map(|(n, rule)| rule.text.iter().map(move |t| (n, t))) {
            match text.split_once(" * ") {
                None => {
                    texts.push(text.as_str());
                    parts.push(Part::Whole { rule });
                }
                Some((first, second)) => {
                    let stem = second.strip_suffix(STEM);
                    // In Chinese and Japanese, words are not separated by spaces.
                    let is_word = stem.is_none() && second.chars().all(|c| c < '\u{2e80}');
                    texts.extend([first, stem.unwrap_or(second)]);
                    parts.extend([Part::First { span: spans }, Part::Second { span: spans, rule, is_word }]);
                    spans += 1;
                }
            }
        }
        let frames = AhoCorasick::new(file.frame.iter().map(|frame| frame.to_lowercase())).map_err(RulesError::new)?;
        let texts = AhoCorasick::new(texts).map_err(RulesError::new)?;
        Ok(Self { rules: Arc::new(file.rule), texts, parts: Arc::new(parts), spans, frames })
    }

    /// Classifies `reply` at `stage` to a message sent from the addresses `ours`.
    pub fn classify_from(&self, stage: Stage, reply: &Reply, ours: &[&str]) -> Classified {
        // The code is included, so that an address directly after it is recognised as the reply's beginning.
        let text = format!("{} {}", reply.code, reply.text);
        let (code, enhanced) = (Some(reply.code), reply.enhanced());
        self.diagnose(&Diagnosis { stage: Some(stage), code, enhanced, text: &text, ours })
    }

    /// Classifies a diagnosis.
    pub(crate) fn diagnose(&self, diagnosis: &Diagnosis<'_>) -> Classified {
        let text = words_of(&diagnosis.text[..diagnosis.text.floor_char_boundary(MAX_TEXT)], diagnosis.ours);
        let said = self.said(&self.without_frames(&text));
        let stage = diagnosis.stage.map_or(ANY_BOUNCE, Stage::word);
        // Without a reply code, the class is that of the enhanced code (RFC 3463 §3.1).
        let class = || diagnosis.enhanced.and_then(|whole| whole.split('.').next()).map(str::to_owned);
        let code = diagnosis.code.map(|code| code.to_string()).or_else(class).unwrap_or_default();
        // `5.7.1` becomes `7.1`: the code says whether it is permanent.
        let enhanced = diagnosis.enhanced.and_then(|whole| whole.split_once('.')).map(|(_, rest)| rest);
        let mut rules = self.rules.iter().zip(&said);
        match rules.find(|(rule, said)| (**said || rule.text.is_empty()) && rule.holds(stage, &code, enhanced)) {
            Some((rule, _)) => {
                Classified { class: rule.class, why: rule.why.clone(), counts: rule.counts(), slow: rule.slow }
            }
            None => {
                let why = "the receiver gives no reason".to_owned();
                Classified { class: Class::Other, why, counts: Counts::Never, slow: false }
            }
        }
    }

    /// For each rule whether the text contains one of its phrases. The text is searched once.
    fn said(&self, text: &str) -> Vec<bool> {
        let mut said = vec![false; self.rules.len()];
        let mut begun: Vec<Option<usize>> = vec![None; self.spans];
        for found in self.texts.find_overlapping_iter(text) {
            match self.parts[found.pattern().as_usize()] {
                Part::Whole { rule } => said[rule] = true,
                Part::First { span } => begun[span] = Some(found.end()),
                Part::Second { span, rule, is_word } => {
                    let between = begun[span].and_then(|end| found.start().checked_sub(end));
                    let is_near = between.is_some_and(|between| {
                        between <= MAX_BETWEEN && !text[found.start() - between..found.start()].contains('\n')
                    });
                    said[rule] |= is_near && (!is_word || stands_alone(text, found.start(), found.end()));
                }
            }
        }
        said
    }

    /// The text without introductory phrases that lead to a reason: what follows them decides.
    fn without_frames(&self, text: &str) -> String {
        let mut rest = String::with_capacity(text.len());
        let mut from = 0;
        for found in self.frames.find_iter(text) {
            let leads = text[found.end()..].trim_start().starts_with(char::is_alphanumeric);
            if leads {
                rest.push_str(&text[from..found.start()]);
                from = found.end();
            }
        }
        rest.push_str(&text[from..]);
        rest
    }
}

impl Rule {
    fn counts(&self) -> Counts {
        let by_class = match self.class {
            Class::Address | Class::Mailbox => Counts::Always,
            _ => Counts::Never,
        };
        self.counts.unwrap_or(by_class)
    }

    fn holds(&self, stage: &str, code: &str, enhanced: Option<&str>) -> bool {
        let any = |list: &[String], holds: &dyn Fn(&str) -> bool| list.is_empty() || list.iter().any(|one| holds(one));
        any(&self.stage, &|one| one == stage)
            && any(&self.code, &|one| code.starts_with(one))
            && any(&self.enhanced, &|one| enhanced.is_some_and(|given| same_enhanced(one, given)))
    }
}

/// Whether a piece of the text is not adjacent to a letter or digit.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    !text[..start].ends_with(char::is_alphanumeric) && !text[end..].starts_with(char::is_alphanumeric)
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
