//! Floor 2: interprets bounces. Pure: a message in, a [`Reading`] out; no I/O, no clock.
//!
//! Sources in order of priority, because standards are certain and sentences are guesses: standard reports (RFC 3464,
//! RFC 6533, RFC 5965, and the JSON that mail services send in their place), the shapes in which servers put a
//! diagnosis next to an address, and last the returned message. The meaning of a diagnosis is defined in
//! `model/classify.toml`; the wording of servers in `wording.toml`.
//!
//! A bounce proves nothing: it can be forged. Whom it concerns is determined by the signed address that it was sent
//! to.

use crate::mail::incoming::Incoming;
use crate::mail::reply::ReplyReader;
use crate::model::bounce::Verdict;
use crate::model::classify::{Class, Classifier, RulesError};

mod address;
mod diagnosis;
mod disposition;
mod feedback_report;
mod free_form;
mod json_report;
mod kind;
mod lines;
mod original;
mod shapes;
mod status_fields;
mod status_report;
mod wording;

pub(crate) use feedback_report::is_junk_report;
pub(crate) use original::Original;
use wording::Wording;

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Failed delivery to at least one recipient.
    Bounce,
    /// A reader reported a message as unwanted, or a receiver reports an authentication failure (RFC 5965, RFC 6591).
    Complaint,
    /// An automatic reply: absence, thanks for your mail (RFC 3834).
    AutoReply,
    /// News about a message: delayed, delivered, relayed, read, held until a person proves to be human.
    Notice,
    /// None of these.
    Other,
}

impl Kind {
    /// The word for it in commands, API and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::AutoReply => "auto-reply",
            Self::Notice => "notice",
            Self::Other => "other",
        }
    }
}

/// What a message says about one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientReading {
    /// The recipient, as written in the message; `None` if absent.
    pub address: Option<String>,
    /// Other addresses in the same failure: from before or after a forwarding.
    pub also: Vec<String>,
    /// The enhanced status code (RFC 3463), if given.
    pub status: Option<String>,
    /// The SMTP reply code, if quoted.
    pub code: Option<u16>,
    /// What happened to the message.
    pub verdict: Verdict,
    /// Whether the server is still trying, so that this is not final.
    pub waits: bool,
    /// What it is about.
    pub class: Class,
    /// The cause in a few words, for the press office.
    pub why: String,
    /// Whether it scores against the subscriber: a failure of the address itself.
    pub counts: bool,
    /// The text that says so, on one line, at most 500 bytes.
    pub evidence: String,
}

/// The interpretation of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its kind.
    pub kind: Kind,
    /// What it says about each recipient; for an automatic reply: its sender.
    pub recipients: Vec<RecipientReading>,
    /// What is known of the original message.
    pub original: Original,
}

/// Maximum depth of nested reports.
const MAX_DEPTH: usize = 2;

/// Interprets messages with rules and wording, which are parsed once.
#[derive(Clone, Debug)]
pub struct Reader {
    classifier: Classifier,
    wording: Wording,
    /// Knows the prefixes that mail programs and gateways put before a subject.
    replies: ReplyReader,
}

impl Reader {
    /// Creates a reader with the wording shipped with Depesch.
    ///
    /// # Errors
    /// Never with the shipped files; a test ensures this.
    pub fn new(classifier: Classifier) -> Result<Self, RulesError> {
        let replies = ReplyReader::shipped().map_err(RulesError::new)?;
        Ok(Self { classifier, wording: Wording::shipped()?, replies })
    }

    /// Interprets a message by its content.
    pub fn read(&self, mail: &Incoming) -> Reading {
        self.read_inside(mail, false, 0)
    }

    /// Interprets a message that came with the null reverse-path (`from_null`), as only programs send (RFC 5321
    /// §4.5.5), or with another envelope sender.
    pub(crate) fn read_from(&self, mail: &Incoming, from_null: bool) -> Reading {
        self.read_inside(mail, from_null, 0)
    }

    fn read_inside(&self, mail: &Incoming, from_null: bool, depth: usize) -> Reading {
        let text = lines::Text::new(mail, &self.wording);
        let original = Original::new(mail, text.returned());
        let signs = kind::Signs::new(mail, &text, self, from_null);
        if let Some(recipients) = feedback_report::read(mail, text.returned(), &original, &signs) {
            return Reading { kind: Kind::Complaint, recipients, original };
        }
        if let Some(reading) = json_report::read(self, mail, &original) {
            return reading;
        }
        if let Some(recipients) = status_report::read(self, mail, &text, &original, &signs) {
            return Reading { kind: kind::of(&recipients), recipients, original };
        }
        if let Some(reading) = self.read_returned(mail, &text, &signs, depth) {
            return reading;
        }
        if let Some((kind, recipients)) = disposition::read(self, mail, &text, &original, &signs) {
            return Reading { kind, recipients, original };
        }
        let candidates = shapes::find(&text, &self.wording);
        if signs.is_failure(&candidates) {
            let recipients = free_form::read(self, mail, &text, candidates, &original, &signs);
            return Reading { kind: kind::of(&recipients), recipients, original };
        }
        let (kind, recipients) = signs.otherwise(mail);
        Reading { kind, recipients, original }
    }

    /// Interprets a report that a program returned or forwarded inside its own message.
    fn read_returned(&self, mail: &Incoming, text: &lines::Text, signs: &kind::Signs, depth: usize) -> Option<Reading> {
        if depth >= MAX_DEPTH || !signs.may_pass_on() {
            return None;
        }
        let in_text = || text.returned().and_then(|text| Incoming::parse(text.as_bytes()).ok());
        let inner = mail.embedded().cloned().or_else(in_text).filter(kind::is_report)?;
        let reading = self.read_inside(&inner, false, depth + 1);
        reading.recipients.iter().any(|one| one.address.is_some()).then_some(reading)
    }
}

/// Foreign text on one line, at most 500 bytes, without control characters.
fn evidence(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        let space = if line.is_empty() { "" } else { " " };
        if line.len() + space.len() + word.len() > 500 {
            break;
        }
        line.push_str(space);
        line.extend(word.chars().filter(|c| !c.is_control()));
    }
    line
}

#[cfg(test)]
mod tests;
