//! What a reply to a question says. The token in it proves that whoever replies has read the question; the words say
//! whether they want it.

use super::line::Line;
use super::{Command, Commands, Known};
use crate::mail::reply::{Question, Reply, Sender, Written};

/// Own words that a reply may have beside its yes: more is a letter, which a person reads.
const MOST_WORDS: usize = 60;

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes: a word that says so first, or nothing at all beside a signature: who just presses "reply" and "send" means it.
    /// No other words are a yes, however friendly: programs that thank for a mail do not always say what they are.
    Yes,
    /// No.
    No,
    /// A command first, e.g. the one that was asked about, or its opposite.
    Command(Command),
    /// Something that a person must read: other words, an absence, what no program can read.
    Message,
}

impl Commands {
    /// What a reply says to `question`. `known` as in [`Commands::read`]. Each form of the mail must say the same, and only
    /// what was read counts.
    pub fn answer(&self, reply: &Reply, known: &Known<'_>, question: Option<&Question>) -> Answer {
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

    /// What one form of a reply says; `None` where nothing was written.
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

    /// Whether the first sentence of a line is a yes in one language, and nothing else.
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

    /// Whether it tells of an absence: a program may have written it for a person who is away.
    fn tells_absence(&self, reply: &Reply) -> bool {
        let said = |text: &str| {
            let line = Line::new(text);
            self.languages.iter().any(|words| words.absence.iter().any(|phrase| line.contains(phrase)))
        };
        // Who answers an automatic answer is a person.
        self.reader.may_be_automatic(reply)
            || !reply.subject.is_answer && said(&reply.subject.core)
            || reply.forms.iter().any(|form| form.lines.iter().any(|line| said(&line.text)))
    }
}
