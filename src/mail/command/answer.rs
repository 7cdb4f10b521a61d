//! What a reply to a question says. The token in it proves that whoever replies has read the question; the words say
//! whether they want it.

use super::line::Line;
use super::{Command, Commands, Known};

/// Own words that a reply may have beside its yes: more is a letter, which a person reads.
const MOST_WORDS: usize = 60;

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes: nothing at all, a few words without any doubt, or a word of confirmation first.
    Yes,
    /// No.
    No,
    /// A command first, e.g. the one that was asked about, or its opposite.
    Command(Command),
    /// A program wrote it for somebody who is away; it says neither.
    Automatic,
    /// Something that a person must read.
    Letter,
}

impl Commands {
    /// What a reply with this subject and text says. `known` as in [`Commands::read`].
    pub fn answer(&self, subject: &str, text: &str, known: &Known<'_>) -> Answer {
        let mut lines: Vec<Line> = self
            .marks
            .own_lines(text)
            .iter()
            .map(|line| Line::new(line))
            .filter(|line| !line.words().is_empty())
            .collect();
        let whole = Line::new(subject);
        if self.tells_absence(&whole) || lines.iter().any(|line| self.tells_absence(line)) {
            return Answer::Automatic;
        }
        if lines.first().is_some_and(|line| self.line_greets(line)) {
            lines.remove(0);
        }
        let Some(first) = lines.first() else { return Answer::Yes };
        if self.languages.iter().any(|words| words.refusals.iter().any(|refusal| first.is(refusal))) {
            return Answer::No;
        }
        match self.languages.iter().find_map(|words| words.command(first, known, &self.languages)) {
            Some(Command::Confirm) => return Answer::Yes,
            Some(command) => return Answer::Command(command),
            None => {}
        }
        let doubts = |line: &Line| {
            self.languages
                .iter()
                .any(|words| words.doubts.iter().chain(&words.refusals).any(|doubt| line.contains(doubt)))
        };
        let words: usize = lines.iter().map(|line| line.words().len()).sum();
        match words > MOST_WORDS || lines.iter().any(doubts) {
            true => Answer::Letter,
            false => Answer::Yes,
        }
    }

    /// A greeting, perhaps with a name.
    pub(super) fn line_greets(&self, line: &Line) -> bool {
        let begins = |greeting: &String| line.begins_with(greeting);
        line.words().len() <= 4 && self.languages.iter().any(|words| words.greetings.iter().any(begins))
    }

    fn tells_absence(&self, line: &Line) -> bool {
        self.languages.iter().any(|words| words.absence.iter().any(|phrase| line.contains(phrase)))
    }
}
