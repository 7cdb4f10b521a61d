//! Floor 2: what a message that came back says. Pure: a message in, a [`Reading`] out; no I/O, no clock.
//!
//! Sources in this order, because what a standard says is certain and what a sentence says is a guess: the reports of the
//! standards (RFC 3464, RFC 6533, RFC 5965, and the JSON that mail services send in their place), the shapes in which
//! servers put a diagnosis beside an address, and last the message that came back with it. What a diagnosis means is
//! for `model/classify.toml`; how servers word that there is one, for `wording.toml`.
//!
//! A bounce proves nothing: anybody can write one. Whom it is about is for the signed address that it came to.

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

pub use feedback_report::is_junk_report;
pub use original::Original;
use wording::Wording;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A message was not delivered, to one recipient at least.
    Bounce,
    /// A reader called it unwanted, or a receiver reports a fault of authentication (RFC 5965, RFC 6591).
    Complaint,
    /// A program answered for its owner: absent, thanks for your mail (RFC 3834).
    AutoReply,
    /// News of a message: delayed, delivered, relayed, read, held until somebody proves to be human.
    Notice,
    /// None of these.
    Other,
}

impl Kind {
    /// The word used everywhere.
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
    /// The recipient, as the message writes it; none when it names nobody.
    pub address: Option<String>,
    /// Other addresses that the same failure names: what it was before a forwarding, or after.
    pub also: Vec<String>,
    /// The enhanced status code (RFC 3463), where one is said.
    pub status: Option<String>,
    /// The SMTP reply code, where one is quoted.
    pub code: Option<u16>,
    /// What became of the message.
    pub verdict: Verdict,
    /// Whether the server still tries, so that this is no outcome yet.
    pub waits: bool,
    /// What it is about.
    pub class: Class,
    /// What is wrong, in a few words, for the press office.
    pub why: String,
    /// Whether it scores against the subscriber: a failure for which the address itself is to blame.
    pub counts: bool,
    /// The words that say so, on one line, at most 500 bytes.
    pub evidence: String,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What it is.
    pub kind: Kind,
    /// What it says about each recipient; for an answer of a program: who sent it.
    pub recipients: Vec<RecipientReading>,
    /// What is known of the message that it is about.
    pub original: Original,
}

/// Reports inside reports.
const MAX_DEPTH: usize = 2;

/// Reads messages: the rules and the wording, read once.
#[derive(Clone, Debug)]
pub struct Reader {
    classifier: Classifier,
    wording: Wording,
    /// Knows what mail programs and gateways put before a subject.
    replies: ReplyReader,
}

impl Reader {
    /// A reader with the wording that comes with Depesch.
    ///
    /// # Errors
    /// Never with the files as they are; a test sees to that.
    pub fn new(classifier: Classifier) -> Result<Self, RulesError> {
        let replies = ReplyReader::shipped().map_err(RulesError::new)?;
        Ok(Self { classifier, wording: Wording::shipped()?, replies })
    }

    /// Says what a message is, by what is in it.
    pub fn read(&self, mail: &Incoming) -> Reading {
        self.read_inside(mail, false, 0)
    }

    /// Says what a message is that came with the null reverse-path (`from_null`), as only programs send (RFC 5321 §4.5.5),
    /// or with another envelope sender.
    pub fn read_from(&self, mail: &Incoming, from_null: bool) -> Reading {
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

    /// A program returned or passed on a report as the message inside its own.
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
