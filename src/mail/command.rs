//! Commands by mail: the requests in the subject and the lines of a mail. The words are data (`command.toml`).
//!
//! A line is only a command as a whole: one phrase of the language, with nothing but filler words around it. So a
//! sentence in a letter is not a command, and neither is one with a "not" in it. Parsing a command has no effect: the
//! caller must establish who wrote it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::base::language::Language;

use super::incoming::Incoming;
use super::reply::{Reply, ReplyReader};

mod answer;
mod line;
mod on_list;

pub use super::reply::tokens;
pub(crate) use answer::Answer;
use line::Line;

/// A request in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Subscribe to the list.
    Subscribe,
    /// Leave the list.
    Unsubscribe,
    /// Confirm a question; only meaningful together with a token.
    Confirm,
    /// Pause mail.
    Pause,
    /// Resume mail after a pause.
    Resume,
    /// Show my subscriptions.
    Which,
    /// Show the commands.
    Help,
    /// Forward this to the person responsible for the list.
    Owner,
    /// Erase all data about me: done by a person.
    Erase,
    /// Set the language of mails.
    Language(Language),
    /// Replace all beats (subjects) of the sender; empty: none.
    Beats(BTreeSet<String>),
    /// Replace all regions of the sender; empty: none.
    Regions(BTreeSet<String>),
}

/// The requests in a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The commands, without duplicates, in the order of the mail. Empty if two contradict each other.
    pub commands: Vec<Command>,
    /// The language of most of them; `None` if the words do not tell.
    pub language: Option<Language>,
    /// Number of other words: if there are many, it is a letter to a person.
    pub other_words: usize,
}

/// What is known of the list and the sender: words that may accompany a command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The list's name.
    pub list_name: &'a str,
    /// Its title.
    pub list_title: &'a str,
    /// Its address.
    pub list_address: &'a str,
    /// The sender's address.
    pub sender: &'a str,
    /// The sender's name in From; may be empty.
    pub sender_name: &'a str,
}

/// The words of all languages, parsed once.
#[derive(Clone, Debug)]
pub struct Commands {
    languages: Vec<Words>,
    reader: ReplyReader,
}

/// Words that cannot be parsed: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the words of commands are wrong: {0}")]
pub struct CommandsError(String);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: Vec<Words>,
}

/// The words of one language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    tag: Language,
    names: BTreeMap<String, Language>,
    fillers: BTreeSet<String>,
    setters: Vec<String>,
    joiners: Vec<String>,
    nothing: Vec<String>,
    refusals: Vec<String>,
    affirmations: Vec<String>,
    assents: BTreeSet<String>,
    doubts: Vec<String>,
    absence: Vec<String>,
    unmistakable: Vec<String>,
    commands: Phrases,
    settings: Settings,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    subscribe: Vec<String>,
    unsubscribe: Vec<String>,
    confirm: Vec<String>,
    pause: Vec<String>,
    resume: Vec<String>,
    which: Vec<String>,
    help: Vec<String>,
    owner: Vec<String>,
    erase: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    language: Vec<String>,
    beats: Vec<String>,
    regions: Vec<String>,
}

impl Phrases {
    fn all(&self) -> [(Command, &[String]); 9] {
        [
            (Command::Subscribe, &self.subscribe),
            (Command::Unsubscribe, &self.unsubscribe),
            (Command::Confirm, &self.confirm),
            (Command::Pause, &self.pause),
            (Command::Resume, &self.resume),
            (Command::Which, &self.which),
            (Command::Help, &self.help),
            (Command::Owner, &self.owner),
            (Command::Erase, &self.erase),
        ]
    }
}

impl Commands {
    /// Parses the words shipped with Depesch.
    ///
    /// # Errors
    /// Never with the shipped file; a test ensures this.
    pub fn shipped() -> Result<Self, CommandsError> {
        Self::parse(include_str!("command.toml"))
    }

    /// Parses words in the format of `command.toml`.
    ///
    /// # Errors
    /// What is wrong, with its line; a phrase used for two commands of one language.
    pub(crate) fn parse(text: &str) -> Result<Self, CommandsError> {
        let file: File = toml::from_str(text).map_err(|error| CommandsError(error.to_string()))?;
        for words in &file.language {
            let mut seen = BTreeSet::new();
            for (_, phrases) in words.commands.all() {
                if let Some(twice) = phrases.iter().find(|phrase| !seen.insert(phrase.as_str())) {
                    return Err(CommandsError(format!("\u{201c}{twice}\u{201d} ({}) occurs twice", words.tag)));
                }
            }
        }
        let reader = ReplyReader::shipped().map_err(|error| CommandsError(error.to_string()))?;
        Ok(Self { languages: file.language, reader })
    }

    /// The requests in a mail. The subject counts if it is a command as a whole; the text from its first line that is
    /// not a greeting to the first that is not a command.
    pub(crate) fn read_mail(&self, message: &Incoming, known: &Known<'_>) -> Reading {
        self.read_reply(message.subject(), &self.reader.read(message), known)
    }

    /// The requests in a subject and a text.
    pub fn read(&self, subject: &str, text: &str, known: &Known<'_>) -> Reading {
        self.read_reply(subject, &self.reader.read_text(subject, text), known)
    }

    fn read_reply(&self, subject: &str, reply: &Reply, known: &Known<'_>) -> Reading {
        let mut found = Found::default();
        self.take(&self.reader.without_prefixes(subject), known, &mut found);
        let mut ended = false;
        for line in reply.written().own() {
            // A gateway's banner, even if a program repeats it below, is not written by the sender.
            if line.is_empty() || (!ended && self.reader.greets(line)) || self.reader.is_banner(&line.to_lowercase()) {
                continue;
            }
            if ended || !self.take(line, known, &mut found) {
                ended = true;
                found.other_words += line.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count();
            }
        }
        found.reading(&self.languages)
    }

    /// The reader for replies.
    pub(crate) fn reader(&self) -> &ReplyReader {
        &self.reader
    }

    /// Whether there are command words in this language.
    pub(crate) fn knows(&self, language: &Language) -> bool {
        self.languages.iter().any(|words| words.tag.primary() == language.primary())
    }

    /// The name of `language` in the language `reader`; its tag if the name is unknown.
    pub(crate) fn name_of(&self, language: &Language, reader: &Language) -> String {
        let words = self.languages.iter().find(|words| words.tag.primary() == reader.primary());
        let names = words.into_iter().chain(&self.languages).flat_map(|words| &words.names);
        let name = names.into_iter().find(|(_, tag)| *tag == language).map(|(name, _)| name.clone());
        name.unwrap_or_else(|| language.to_string())
    }

    fn take(&self, line: &str, known: &Known<'_>, found: &mut Found) -> bool {
        let line = Line::new(line);
        let mut command = None;
        for (place, words) in self.languages.iter().enumerate() {
            let Some(read) = words.command(&line, known, &self.languages) else { continue };
            found.languages.push(place);
            command.get_or_insert(read);
        }
        let Some(command) = command else { return false };
        if !found.commands.contains(&command) {
            found.commands.push(command);
        }
        true
    }
}

#[derive(Default)]
struct Found {
    commands: Vec<Command>,
    /// For each command, the indexes of the languages that have it.
    languages: Vec<usize>,
    other_words: usize,
}

impl Found {
    fn reading(self, languages: &[Words]) -> Reading {
        let count = |place: usize| self.languages.iter().filter(|one| **one == place).count();
        let most = (0..languages.len()).map(count).max().unwrap_or_default();
        let mut best = (0..languages.len()).filter(|place| most > 0 && count(*place) == most);
        let language = match (best.next(), best.next()) {
            (Some(place), None) => languages.get(place).map(|words| words.tag.clone()),
            _ => None,
        };
        let both = |one: &Command, other: &Command| self.commands.contains(one) && self.commands.contains(other);
        let contradiction = both(&Command::Subscribe, &Command::Unsubscribe)
            || both(&Command::Pause, &Command::Resume)
            || [is_language, is_beats, is_regions]
                .iter()
                .any(|is| self.commands.iter().filter(|one| is(one)).count() > 1);
        let commands = if contradiction { Vec::new() } else { self.commands };
        Reading { commands, language, other_words: self.other_words }
    }
}

fn is_language(command: &Command) -> bool {
    matches!(command, Command::Language(_))
}

fn is_beats(command: &Command) -> bool {
    matches!(command, Command::Beats(_))
}

fn is_regions(command: &Command) -> bool {
    matches!(command, Command::Regions(_))
}

#[cfg(test)]
mod tests;
