//! The meaning of a reply to a question. The token in it proves that the sender has read the question; the text says
//! whether they want it.

use super::line::Line;
use super::{Command, Commands, Known};
use crate::mail::reply::{Question, Reply, Sender, Written};

/// Maximum number of other words in a reply besides its yes: more is a letter, which a person must read.
const MOST_WORDS: usize = 60;

/// The meaning of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes: a word for it at the beginning, or no text except a signature: pressing "reply" and "send" is enough.
    /// Other words are not a yes, however friendly: programs that thank for a mail do not always identify themselves.
    Yes,
    /// No.
    No,
    /// A command first, e.g. the one in the question, or its opposite.
    Command(Command),
    /// A person must read it: other text, an absence, unreadable content.
    Message,
}

impl Commands {
    /// The meaning of a reply to `question`. `known` is as in [`Commands::read`]. All forms of the mail must agree,
    /// and only what was read counts.
    pub(crate) fn answer(&self, reply: &Reply, known: &Known<'_>, question: Option<&Question>) -> Answer {
        let sender = Sender { address: known.sender, name: known.sender_name };
        if reply.subject.is_automatic || self.tells_absence(reply) {
            return Answer::Message;
        }
        if question.is_some_and(|question| reply.is_bare(&self.reader, sender, question)) {
            return Answer::Yes;
        }
        let mut said = reply.forms.iter().filter_map(|form| self.said(form, known, sender));
        let Some(first) = said.next() else { return Answer::Message };
        if said.any(|other| other != first) {
            return Answer::Message;
        }
        let stands = reply.words_were_read() && !reply.forms.iter().any(|form| self.reader.takes_back(form));
        match first {
            Answer::No if reply.text_was_read() => first,
            Answer::Yes | Answer::Command(_) if stands => first,
            _ => Answer::Message,
        }
    }

    /// The meaning of one form of a reply; `None` without any text.
    fn said(&self, form: &Written, known: &Known<'_>, sender: Sender<'_>) -> Option<Answer> {
        let own = self.reader.words_of(form);
        let first_line = *own.first()?;
        if self.reader.is_signature(&own, sender) {
            return None;
        }
        let first = Line::new(first_line);
        if self.languages.iter().any(|words| words.refusals.iter().any(|refusal| first.is(refusal))) {
            return Some(Answer::No);
        }
        let command = self.languages.iter().find_map(|words| words.command(&first, known, &self.languages));
        let affirms = match command {
            Some(Command::Confirm) => true,
            Some(command) => return Some(Answer::Command(command)),
            None => self.affirms(first_line),
        };
        let lines: Vec<Line> = own.iter().map(|line| Line::new(line)).collect();
        let words: usize = lines.iter().map(|line| line.words().len()).sum();
        let asks = own.iter().any(|line| line.contains('?'));
        let is_yes = affirms && !asks && words <= MOST_WORDS && !lines.iter().any(|line| self.doubts(line));
        Some(if is_yes { Answer::Yes } else { Answer::Message })
    }

    /// Whether the first sentence of a line is exactly a yes in one language.
    fn affirms(&self, line: &str) -> bool {
        let sentence = Line::new(line.split(['.', '!']).next().unwrap_or_default());
        self.languages.iter().any(|words| {
            let known = |word: &String| words.assents.contains(word) || words.fillers.contains(word);
            let begins = words.affirmations.iter().any(|yes| sentence.begins_with(yes));
            begins && sentence.words().iter().all(known)
        })
    }

    fn doubts(&self, line: &Line) -> bool {
        let mut words = self.languages.iter().flat_map(|words| words.doubts.iter().chain(&words.refusals));
        words.any(|doubt| line.contains(doubt))
    }

    /// Whether it announces an absence: a program may have written it for an absent person.
    fn tells_absence(&self, reply: &Reply) -> bool {
        let said = |text: &str| {
            let line = Line::new(text);
            self.languages.iter().any(|words| words.absence.iter().any(|phrase| line.contains(phrase)))
        };
        // A reply to an automatic answer comes from a person.
        self.reader.may_be_automatic(reply)
            || !reply.subject.is_answer && said(&reply.subject.core)
            || reply.forms.iter().any(|form| form.lines.iter().any(|line| said(&line.text)))
    }
}
