//! Detects commands sent to the list itself, which would go to all its members.

use super::super::incoming::Incoming;
use super::super::reply::{Reply, Sender};
use super::line::Line;
use super::{Command, Commands, Known};

/// Maximum number of other words in such a mail, e.g. a signature: more is a post.
const MOST_OTHER_WORDS: usize = 8;

impl Commands {
    /// Whether a mail to a list's own address is a command to the list and not a post: it begins with a command, or
    /// consists of one, and is short. In a discussion "Stop!" is a reply to another member: there only phrases count
    /// that members never say to each other (`unmistakable` in `command.toml`). `known` is as in [`Commands::read`].
    pub(crate) fn is_request_to_list(&self, message: &Incoming, known: &Known<'_>) -> bool {
        self.is_request(message.subject(), &self.reader.read(message), known)
    }

    /// The same for a parsed subject and text.
    pub(super) fn is_request(&self, subject: &str, reply: &Reply, known: &Known<'_>) -> bool {
        let reading = self.read_reply(subject, reply, known);
        if reading.commands.is_empty() || reading.other_words > MOST_OTHER_WORDS {
            return false;
        }
        let own = self.reader.words_of(reply.written());
        let sender = Sender { address: known.sender, name: known.sender_name };
        let is_reply = reply.subject.has_prefix;
        let asks = |line: &Line, rest: &[&str]| match self.command_of(line, known) {
            Some(Command::Unsubscribe | Command::Erase) => !is_reply || self.is_unmistakable(line),
            // So short a word may begin a letter: it must be the whole text.
            Some(Command::Subscribe | Command::Help) => !is_reply && self.reader.is_signature(rest, sender),
            _ => false,
        };
        let subject = Line::new(&self.reader.without_prefixes(subject));
        match own.split_first() {
            Some((first, rest)) if asks(&Line::new(first), rest) => true,
            _ if self.reader.is_signature(&own, sender) => asks(&subject, &[]),
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
