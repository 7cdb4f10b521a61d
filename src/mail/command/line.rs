//! Recognises a line as a command.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

use crate::base::language::Language;
use crate::base::unicode;

use super::{Command, Known, Words};

/// Maximum number of words in a command.
const MOST_WORDS: usize = 14;
/// Maximum bytes of a command or setting.
const LONGEST: usize = 600;
/// Maximum number of subjects or regions in one setting, and maximum characters of one.
const MOST_VALUES: usize = 20;
const LONGEST_VALUE: usize = 40;

/// A line in lower case, in words without punctuation: with composed characters ("å" may be written as two),
/// full-width letters in their usual width (Unicode NFKC), and no invisible characters.
pub(super) struct Line {
    text: String,
    words: Vec<String>,
}

impl Line {
    pub(super) fn new(line: &str) -> Self {
        let line = &line[..line.floor_char_boundary(LONGEST)];
        // Full-width letters are equal to their usual forms: here words are only compared.
        let plain: String = line.nfkc().collect();
        let text: String = unicode::tidy(&plain).chars().filter(|c| *c != '*').flat_map(char::to_lowercase).collect();
        let words = text.split_whitespace().map(bare).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Self { text: text.trim().to_owned(), words }
    }

    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    pub(super) fn begins_with(&self, phrase: &str) -> bool {
        begins_with(&self.words, phrase).is_some()
    }

    /// Whether the phrase occurs anywhere in it.
    pub(super) fn contains(&self, phrase: &str) -> bool {
        (0..self.words.len()).any(|at| begins_with(&self.words[at..], phrase).is_some())
    }

    /// Whether it is exactly the phrase.
    pub(super) fn is(&self, phrase: &str) -> bool {
        begins_with(&self.words, phrase) == Some(self.words.len())
    }
}

/// A word without surrounding punctuation.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric() && c != '=')
}

/// Number of words that the phrase takes at the beginning of `words`.
fn begins_with(words: &[String], phrase: &str) -> Option<usize> {
    let mut count = 0;
    for word in phrase.split(' ') {
        if words.get(count).is_none_or(|one| one != word) {
            return None;
        }
        count += 1;
    }
    Some(count)
}

impl Words {
    /// The command in the line, in this language.
    pub(super) fn command(&self, line: &Line, known: &Known<'_>, languages: &[Words]) -> Option<Command> {
        if let Some(setting) = self.setting(line, languages) {
            return Some(setting);
        }
        let words = line.words();
        if words.is_empty() || words.len() > MOST_WORDS {
            return None;
        }
        let mut at = 0;
        while at < words.len() {
            if let Some((command, taken)) = self.phrase(&words[at..]) {
                let rest = &words[at + taken..];
                return self.says_nothing(rest, known).then_some(command);
            }
            if !self.fillers.contains(&words[at]) {
                return None;
            }
            at += 1;
        }
        None
    }

    /// The command whose phrase is at the beginning; the longest phrase wins.
    fn phrase(&self, words: &[String]) -> Option<(Command, usize)> {
        let mut longest: Option<(Command, usize)> = None;
        for (command, phrases) in self.commands.all() {
            let taken = phrases.iter().filter_map(|phrase| begins_with(words, phrase)).max();
            if let Some(taken) = taken
                && longest.as_ref().is_none_or(|(_, most)| taken > *most)
            {
                longest = Some((command, taken));
            }
        }
        longest
    }

    /// Whether the words are only fillers, names of the list, or the sender's name or address. Another person's
    /// address is not a filler.
    fn says_nothing(&self, words: &[String], known: &Known<'_>) -> bool {
        let (title, sender) = (Line::new(known.list_title), Line::new(known.sender_name));
        let names = [known.list_name, known.list_address, known.sender];
        words.iter().all(|word| {
            self.fillers.contains(word)
                || names.iter().any(|name| !name.is_empty() && name.to_lowercase() == *word)
                || title.words.contains(word)
                || sender.words.contains(word)
        })
    }

    /// "set language en", "språk: svenska", "ämnen = skola, vård". If any word may be a value, a colon, another sign
    /// or a word such as "set" must show that it is a setting.
    fn setting(&self, line: &Line, languages: &[Words]) -> Option<Command> {
        let text = line.text.as_str();
        let (rest, set) = match self.setters.iter().find_map(|setter| after_phrase(text, setter)) {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let named = |names: &[String]| {
            let rest = names.iter().filter_map(|name| after_phrase(rest, name)).min_by_key(|rest| rest.len())?;
            let (value, marked) = match rest.strip_prefix([':', '=']) {
                Some(value) => (value.trim_start(), true),
                None => (rest, set),
            };
            let joined = self.joiners.iter().find_map(|joiner| after_phrase(value, joiner));
            Some((joined.unwrap_or(value).trim(), marked))
        };
        if let Some((value, _)) = named(&self.settings.language) {
            return language(bare(value), languages).map(Command::Language);
        }
        if let Some((value, true)) = named(&self.settings.beats) {
            return self.values(value).map(Command::Beats);
        }
        if let Some((value, true)) = named(&self.settings.regions) {
            return self.values(value).map(Command::Regions);
        }
        None
    }

    fn values(&self, text: &str) -> Option<BTreeSet<String>> {
        let text = text.trim_end_matches(['.', ';', ',']);
        if self.nothing.iter().any(|word| word == text) {
            return Some(BTreeSet::new());
        }
        let values = text.split([',', ';', '|']).map(|value| unicode::key(value).into_owned());
        let values: BTreeSet<String> = values.filter(|value| !value.is_empty()).collect();
        // They are repeated in a mail that may go to another person: no address, no link, no sentence.
        let word = |c: char| c.is_alphanumeric() || " -&/'".contains(c);
        let plain = |value: &String| value.chars().count() <= LONGEST_VALUE && value.chars().all(word);
        let fits = !values.is_empty() && values.len() <= MOST_VALUES && values.iter().all(plain);
        fits.then_some(values)
    }
}

/// The text after the phrase at the beginning, if a word ends there.
fn after_phrase<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(phrase)?;
    match rest.chars().next() {
        None => Some(rest),
        Some(c) if c.is_whitespace() => Some(rest.trim_start()),
        Some(':' | '=') => Some(rest),
        Some(_) => None,
    }
}

/// A language by its name in any known language, or by its tag if that has a name.
fn language(value: &str, languages: &[Words]) -> Option<Language> {
    let names = || languages.iter().flat_map(|words| &words.names);
    if let Some((_, tag)) = names().find(|(name, _)| *name == value) {
        return Some(tag.clone());
    }
    let tag: Language = value.parse().ok()?;
    names().any(|(_, known)| known.primary() == tag.primary()).then_some(tag)
}
