//! What a reply to a question says. The token in it proves that whoever replies has read the question; the words say
//! whether they want it.

use super::line::Line;
use super::{Command, Commands, Known};

/// Own words that a reply may have beside its yes: more is a letter, which a person reads.
const MOST_WORDS: usize = 60;
/// Words of a line in a signature, lines of a signature.
const SIGNATURE_WORDS: usize = 6;
const SIGNATURE_LINES: usize = 12;

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
        // Who answers an automatic answer is a person.
        let is_answer = self.without_prefixes(subject) != subject.trim();
        if !is_answer && self.tells_absence(&whole) || lines.iter().any(|line| self.tells_absence(line)) {
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
        let affirms = self.languages.iter().any(|words| words.affirmations.iter().any(|yes| first.begins_with(yes)));
        match words <= MOST_WORDS && !lines.iter().any(doubts) && (affirms || is_signature(&lines, known)) {
            true => Answer::Yes,
            false => Answer::Letter,
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

/// Whether these lines are a signature that nothing marks, as some programs put it below every mail: the sender's own name,
/// and then no sentence.
pub(super) fn is_signature(lines: &[Line], known: &Known<'_>) -> bool {
    let Some(first) = lines.first() else { return true };
    let local = known.sender.split('@').next().unwrap_or_default().to_lowercase();
    let name = known.sender_name.to_lowercase();
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (local, name) = (words(&local), words(&name));
    let names = |word: &String| local.contains(word) || name.contains(word);
    let is_name = match name.is_empty() {
        true => first.words().len() <= 3 && first.words().iter().any(names),
        false => first.words().iter().all(names),
    };
    let is_short = |line: &Line| {
        line.words().iter().filter(|word| word.contains(char::is_alphabetic)).count() <= SIGNATURE_WORDS
            && !line.ends_sentence()
    };
    is_name && lines.len() <= SIGNATURE_LINES && lines.iter().all(is_short)
}
