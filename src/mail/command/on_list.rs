//! A command that was sent to the list itself, and would go to everybody on it.

use super::answer::is_signature;
use super::line::Line;
use super::{Command, Commands, Known};

/// Own words that such a mail may have beside its command, e.g. a signature: more is a post.
const MOST_OTHER_WORDS: usize = 8;

impl Commands {
    /// Whether a mail to a list's own address is no post but something its author wants of the list: it begins with such a
    /// command, or is nothing else, and is short. In a discussion "Stop!" is an answer to another: there only phrases count
    /// that are never said to each other (`unmistakable` in `command.toml`). `known` as in [`Commands::read`].
    pub fn is_wish_to_list(&self, subject: &str, text: &str, known: &Known<'_>) -> bool {
        let reading = self.read(subject, text, known);
        if reading.commands.is_empty() || reading.other_words > MOST_OTHER_WORDS {
            return false;
        }
        let own: Vec<Line> = self.marks.own_lines(text).iter().map(|line| Line::new(line)).collect();
        let is_empty = |line: &Line| line.words().is_empty();
        let mut lines: Vec<Line> = own.into_iter().filter(|line| !is_empty(line)).collect();
        if lines.first().is_some_and(|line| self.line_greets(line)) {
            lines.remove(0);
        }
        let bare = self.without_prefixes(subject);
        let (is_reply, subject) = (bare != subject.trim(), Line::new(bare));
        let asks = |line: &Line, rest: &[Line]| match self.command_of(line, known) {
            Some(Command::Unsubscribe | Command::Erase) => !is_reply || self.is_unmistakable(line),
            // So short a word may begin a letter: it must be all.
            Some(Command::Subscribe | Command::Help) => !is_reply && is_signature(rest, known),
            _ => false,
        };
        match lines.split_first() {
            Some((first, rest)) if asks(first, rest) => true,
            _ if is_signature(&lines, known) => asks(&subject, &[]),
            _ => !is_reply && self.is_unmistakable(&subject) && self.command_of(&subject, known).is_some(),
        }
    }

    fn command_of(&self, line: &Line, known: &Known<'_>) -> Option<Command> {
        self.languages.iter().find_map(|words| words.command(line, known, &self.languages))
    }

    fn is_unmistakable(&self, line: &Line) -> bool {
        self.languages.iter().any(|words| words.unmistakable.iter().any(|phrase| line.contains(phrase)))
    }
}
