//! Commands by mail: what the subject and the lines of a mail ask for. The words are data (`command.toml`).
//!
//! A line is a command only as a whole: one phrase of the language, and beside it nothing but words that say nothing. So a
//! sentence in a letter is no command, and neither is one with a "not" in it. Reading a command does nothing yet: whoever
//! acts on it must know who wrote it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::base::language::Language;

use super::incoming::Incoming;
use super::reply::{Reply, ReplyReader};

mod answer;
mod line;
mod on_list;

pub use super::reply::tokens;
pub use answer::Answer;
use line::Line;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// To be on the list.
    Subscribe,
    /// To leave it.
    Unsubscribe,
    /// A yes to what was asked; means something only together with a token.
    Confirm,
    /// No mail for a time.
    Pause,
    /// Mail again after a pause.
    Resume,
    /// What am I on?
    Which,
    /// What can I say?
    Help,
    /// Give this to the person who answers for the list.
    Owner,
    /// Erase what is known of me: a person does that.
    Erase,
    /// Mails in this language.
    Language(Language),
    /// All subjects that the sender covers, in place of those known; empty: none.
    Beats(BTreeSet<String>),
    /// All regions, likewise.
    Regions(BTreeSet<String>),
}

/// What a mail asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The commands, each once, in the order of the mail. Empty where two contradict each other.
    pub commands: Vec<Command>,
    /// The language that most of them are in; `None` where the words do not tell.
    pub language: Option<Language>,
    /// Own words that are no command: of a letter to a person, if there are many.
    pub other_words: usize,
}

/// What is known of the list and the sender: words that may stand beside a command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The list's name.
    pub list_name: &'a str,
    /// What people call it.
    pub list_title: &'a str,
    /// Its address.
    pub list_address: &'a str,
    /// The sender's.
    pub sender: &'a str,
    /// What the sender is called in From; may be empty.
    pub sender_name: &'a str,
}

/// The words of all languages, read once.
#[derive(Clone, Debug)]
pub struct Commands {
    languages: Vec<Words>,
    reader: ReplyReader,
}

/// Words that cannot be read: where and what.
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
    /// The words that come with Depesch.
    ///
    /// # Errors
    /// Never with the file as it is; a test sees to that.
    pub fn shipped() -> Result<Self, CommandsError> {
        Self::parse(include_str!("command.toml"))
    }

    /// Reads words written as in `command.toml`.
    ///
    /// # Errors
    /// What is wrong, with its line; a phrase that stands for two commands of one language.
    pub fn parse(text: &str) -> Result<Self, CommandsError> {
        let file: File = toml::from_str(text).map_err(|error| CommandsError(error.to_string()))?;
        for words in &file.language {
            let mut seen = BTreeSet::new();
            for (_, phrases) in words.commands.all() {
                if let Some(twice) = phrases.iter().find(|phrase| !seen.insert(phrase.as_str())) {
                    return Err(CommandsError(format!("\u{201c}{twice}\u{201d} ({}) stands there twice", words.tag)));
                }
            }
        }
        let reader = ReplyReader::shipped().map_err(|error| CommandsError(error.to_string()))?;
        Ok(Self { languages: file.language, reader })
    }

    /// What a mail asks for. The subject counts where it is a command as a whole; the text from its first line that is no
    /// greeting to the first that is no command.
    pub fn read_mail(&self, message: &Incoming, known: &Known<'_>) -> Reading {
        self.read_reply(message.subject(), &self.reader.read(message), known)
    }

    /// The same of a subject and a text.
    pub fn read(&self, subject: &str, text: &str, known: &Known<'_>) -> Reading {
        self.read_reply(subject, &self.reader.read_text(subject, text), known)
    }

    fn read_reply(&self, subject: &str, reply: &Reply, known: &Known<'_>) -> Reading {
        let mut found = Found::default();
        self.take(&self.reader.without_prefixes(subject), known, &mut found);
        let mut ended = false;
        for line in reply.written().own() {
            // A gateway's banner, also where a program repeats it below, is none of the sender's words.
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

    /// How replies are read.
    pub fn reader(&self) -> &ReplyReader {
        &self.reader
    }

    /// Whether commands have words in this language.
    pub fn knows(&self, language: &Language) -> bool {
        self.languages.iter().any(|words| words.tag.primary() == language.primary())
    }

    /// What `language` is called in the language `reader`; its tag where that is not known.
    pub fn name_of(&self, language: &Language, reader: &Language) -> String {
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
    /// For each command the place of each language that knows it.
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
