//! Reads what a person wrote in a reply: one reader for answers to questions, decisions about posts, answers to
//! invitations and commands. It separates the sender's own text from quotation, signature and disclaimer, reports
//! which parts of the mail could not be read, and whether the subject is that of the answered mail.
//!
//! "No text of their own" ([`Reply::is_bare`]) is only reported if every part was read. What introduces a quotation
//! or a signature is data (`reply.toml`).

use serde::Deserialize;

use super::html_text::structure::Shapes;
use super::incoming::Incoming;

mod attribution;
mod automatic;
mod lines;
mod parts;
mod question;
mod signature;
mod subject;

mod tokens;
mod unread;

pub(crate) use lines::{Kind, Written};
pub use question::Question;
pub(crate) use subject::Subject;
pub use tokens::{tokens, without_tokens};
pub(crate) use unread::Unread;

/// The reader for replies, in all languages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyReader {
    answers: Vec<String>,
    forwards: Vec<String>,
    gateway: Vec<String>,
    subject_automatic: Vec<String>,
    text_automatic: Vec<String>,
    text_absence: Vec<String>,
    divider: Vec<String>,
    wrote: Vec<String>,
    wrote_first: Vec<String>,
    not_wrote: Vec<String>,
    from: Vec<String>,
    other_field: Vec<String>,
    closing: Vec<String>,
    closing_alone: Vec<String>,
    program: Vec<String>,
    disclaimer: Vec<String>,
    personal: Vec<String>,
    banner: Vec<String>,
    greeting: Vec<String>,
    speaking: Vec<String>,
    speaking_first: Vec<String>,
    refusing_symbols: Vec<String>,
    companions: Vec<String>,
    companion_files: Vec<String>,
    beside_words: Vec<String>,
    armour: Vec<String>,
    html: Shapes,
}

/// Marks of quotations and signatures that cannot be parsed: what is wrong, with its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the marks of quotations and signatures are wrong: {0}")]
pub struct ReplyReaderError(pub(super) String);

/// A parsed reply. Nothing in it is trusted: it is what the sender's program sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What was written, once for each form in the mail: plain text, HTML. Never empty. Programs usually send the
    /// same in both; if not, a person must decide what is meant.
    pub forms: Vec<Written>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// What the subject tells.
    pub subject: Subject,
    /// Whether its header has the fields of mailing lists or of bulk mail: a person may have written it, but perhaps
    /// did not send it in this form.
    pub is_forwarded: bool,
}

/// The sender of a reply, to recognise their signature.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender<'a> {
    /// Their address.
    pub address: &'a str,
    /// Their name in From; may be empty.
    pub name: &'a str,
}

impl ReplyReader {
    /// Creates a reader with the marks shipped with Depesch.
    ///
    /// # Errors
    /// Never with the shipped file; a test ensures this.
    pub fn shipped() -> Result<Self, ReplyReaderError> {
        Self::parse(include_str!("reply.toml"))
    }

    /// Parses marks in the format of `reply.toml`.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub(crate) fn parse(text: &str) -> Result<Self, ReplyReaderError> {
        toml::from_str(text).map_err(|error| ReplyReaderError(error.to_string()))
    }

    /// The marks that mail programs use for quotations in HTML.
    #[cfg(test)]
    pub(crate) fn shapes(&self) -> &Shapes {
        &self.html
    }

    /// Parses a mail.
    pub fn read(&self, message: &Incoming) -> Reply {
        let (forms, unread) = self.forms(message);
        let is_forwarded = !message.may_be_answered();
        Reply { forms, unread, subject: self.subject(message.subject()), is_forwarded }
    }

    /// Parses a text as if it were a whole mail with this subject.
    pub(crate) fn read_text(&self, subject: &str, text: &str) -> Reply {
        let mut unread = Vec::new();
        let forms = vec![self.written(lines::plain_lines(text, &mut unread), &mut unread)];
        Reply { forms, unread, subject: self.subject(subject), is_forwarded: false }
    }
}

impl Reply {
    /// The form to read if one is enough: the first in which the sender wrote anything.
    pub(crate) fn written(&self) -> &Written {
        static NOTHING: Written = Written::NOTHING;
        let said = self.forms.iter().find(|form| form.own().any(|line| !line.is_empty()));
        said.or(self.forms.first()).unwrap_or(&NOTHING)
    }

    /// The sender's own text on one line, without our addresses and codes: to be shown to people.
    pub fn reply_text(&self) -> String {
        let words = self.written().own().flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        without_tokens(&words)
    }

    /// The sender's new text, including closing and name; lines joined by LF.
    pub fn text(&self) -> String {
        let lines = self.written().lines.iter();
        let kept = lines.filter(|line| line.kind != Kind::Signature).map(|line| line.text.as_str());
        without_tokens(kept.collect::<Vec<_>>().join("\n").trim())
    }

    /// Whether the text itself was read: completely, and in a known charset and encoding.
    pub(crate) fn text_was_read(&self) -> bool {
        self.unread.iter().all(Unread::is_beside_text)
    }

    /// Whether the sender's text may stand for the whole: nothing was left unread except cryptographic signatures,
    /// pictures and other forms of the same text.
    pub(crate) fn words_were_read(&self) -> bool {
        self.unread.iter().all(Unread::is_beside_words)
    }

    /// Whether the sender sent the question back without text: every part was read, and there is only the quotation
    /// of `question` and a signature, under its subject after "Re:" or similar.
    pub fn is_bare(&self, reader: &ReplyReader, sender: Sender<'_>, question: &Question) -> bool {
        self.unread.is_empty()
            && !self.is_forwarded
            && self.subject.answers(question.subject())
            && self.forms.iter().all(|form| reader.says_nothing(form, sender) && question.is_all_of(form, reader))
    }
}

#[cfg(test)]
mod tests;
