//! The words for column headings, as data (`headings.toml`), and which column of a row they identify as the addresses.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;

use crate::base::language::Language;
use crate::base::unicode;

use super::column::Column;
use super::heading_key::{attribute_key, squashed};
use super::record::Record;
use super::states::{Said, States};

/// A user's statements about columns: the heading as in the file, and the meaning (`address`, `first name`, …,
/// `ignore`, or the name of an attribute).
pub(crate) type Named = BTreeMap<String, String>;

/// The words for headings, parsed once per import.
#[derive(Clone, Debug)]
pub struct Headings {
    /// By letters and digits: the column, and the position of the word in its list.
    fields: HashMap<String, (Column, usize)>,
    postal: Vec<String>,
    words: AddressWords,
    languages: HashMap<String, Language>,
    mistaken: HashMap<String, Language>,
    pub(super) states: States,
}

/// The words cannot be parsed: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the words of headings are wrong: {0}")]
pub struct HeadingsError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    columns: ColumnWords,
    address_words: AddressWords,
    languages: HashMap<String, Language>,
    mistaken: HashMap<String, Language>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ColumnWords {
    address: Vec<String>,
    address_or_postal: Vec<String>,
    name: Vec<String>,
    first_name: Vec<String>,
    last_name: Vec<String>,
    language: Vec<String>,
    organisation: Vec<String>,
    beats: Vec<String>,
    regions: Vec<String>,
    lists: Vec<String>,
    ignored: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressWords {
    r#in: Vec<String>,
    not: Vec<String>,
}

impl Headings {
    /// The words shipped with Depesch.
    ///
    /// # Errors
    /// Never with the shipped file; a test checks that.
    pub(crate) fn shipped() -> Result<Self, HeadingsError> {
        Self::parse(include_str!("headings.toml"))
    }

    /// Parses words in the format of `headings.toml`.
    ///
    /// # Errors
    /// The error with its line, or a heading that has two meanings.
    pub(crate) fn parse(text: &str) -> Result<Self, HeadingsError> {
        let file: File = toml::from_str(text).map_err(|error| HeadingsError(error.to_string()))?;
        let columns = file.columns;
        let lists = [
            (Column::Address, columns.address),
            (Column::Name, columns.name),
            (Column::FirstName, columns.first_name),
            (Column::LastName, columns.last_name),
            (Column::Language, columns.language),
            (Column::Organisation, columns.organisation),
            (Column::Beats, columns.beats),
            (Column::Regions, columns.regions),
            (Column::Lists, columns.lists),
            (Column::Ignored, columns.ignored),
        ];
        let mut fields = HashMap::new();
        for (column, words) in lists {
            for (rank, word) in words.iter().enumerate() {
                let (other, _) = fields.entry(squashed(word)).or_insert_with(|| (column.clone(), rank));
                if *other != column {
                    return Err(HeadingsError(format!("\u{201c}{word}\u{201d} stands for two columns")));
                }
            }
        }
        Ok(Self {
            fields,
            postal: columns.address_or_postal.iter().map(|word| squashed(word)).collect(),
            words: file.address_words,
            languages: file.languages,
            mistaken: file.mistaken,
            states: States::shipped().map_err(|error| HeadingsError(error.to_string()))?,
        })
    }

    /// The same words, with a user's statements about words that state who may get mail.
    pub(super) fn with_states(mut self, said: &Said) -> Self {
        self.states.say(said);
        self
    }

    /// The column that a heading means, and the position of the word in its list.
    pub(super) fn column(&self, heading: &str) -> (Column, usize) {
        let key = attribute_key(heading);
        if key.is_empty() {
            return (Column::Nameless, 0);
        }
        let state = || self.states.column(heading).map(|state| (Column::State(state), 0));
        self.fields.get(&squashed(heading)).cloned().or_else(state).unwrap_or((Column::Attribute(key), 0))
    }

    /// Whether a heading contains a word for addresses, and none that excludes it: "E-post till redaktionen".
    fn is_about_addresses(&self, heading: &str) -> bool {
        let squashed = squashed(heading);
        let has = |word: &String| squashed.contains(word.as_str());
        self.words.r#in.iter().any(has) && !words(heading).iter().any(|word| self.words.not.contains(word))
    }

    fn is_postal(&self, heading: &str) -> bool {
        self.postal.contains(&squashed(heading))
    }

    /// Parses a language tag or the name of a language.
    ///
    /// # Errors
    /// Why the text is not a language, for a person to read.
    pub(crate) fn language(&self, text: &str) -> Result<Language, String> {
        let key = unicode::key(text);
        // "Svenska (Sverige)".
        let name = key.split('(').next().unwrap_or_default().trim();
        if let Some(language) = self.languages.get(name) {
            return Ok(language.clone());
        }
        let language: Language = key
            .replace('_', "-")
            .parse()
            .map_err(|_| format!("\u{201c}{}\u{201d} is not a language tag such as sv, en or en-GB", text.trim()))?;
        match self.mistaken.get(language.primary()) {
            Some(meant) => Err(format!(
                "\u{201c}{}\u{201d} is the code of a country or of another language; did you mean \u{201c}{meant}\u{201d}?",
                text.trim()
            )),
            None => Ok(language),
        }
    }
}

/// The words and numbers of a heading.
fn words(heading: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for c in attribute_key(heading).chars() {
        let kind = (c.is_numeric(), c.is_alphanumeric());
        match (kind.1, words.last_mut()) {
            (true, Some(word)) if before == Some(kind) => word.push(c),
            (true, _) => words.push(c.to_string()),
            (false, _) => {}
        }
        before = Some(kind);
    }
    words
}

/// How certainly a row names a column of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// It names none.
    None,
    /// By a word that may also mean a street address.
    Postal,
    /// By a heading that contains a word for addresses.
    Word,
    /// By a heading that means exactly that, or that a user stated.
    Named,
}

/// Finds the column of addresses.
#[derive(Clone, Debug)]
pub struct HeadingFinder {
    /// The words for headings.
    pub headings: Arc<Headings>,
    /// The user's statements.
    pub named: Named,
}

impl HeadingFinder {
    /// A finder with the words shipped with Depesch, without statements of a user.
    ///
    /// # Errors
    /// See [`Headings::shipped`].
    pub fn shipped() -> Result<Self, HeadingsError> {
        Ok(Self { headings: Arc::new(Headings::shipped()?), named: Named::new() })
    }

    /// The heading that a user stated for the addresses.
    pub(super) fn named_address(&self) -> Option<&str> {
        let address = self.named.iter().find(|(_, field)| Column::of_word(field) == Column::Address);
        address.map(|(heading, _)| heading.as_str())
    }

    /// The column of addresses if the record is a row of headings; the first of several.
    pub(crate) fn address_column(&self, record: &Record) -> Option<(Certainty, usize)> {
        if let Some(heading) = self.named_address() {
            return position(record.cells(), heading).map(|column| (Certainty::Named, column));
        }
        let first = |is: &dyn Fn(&str) -> bool| record.cells().position(|cell| cell.len() <= 200 && is(cell));
        let headings = &self.headings;
        first(&|cell| headings.column(cell).0 == Column::Address)
            .map(|column| (Certainty::Named, column))
            .or_else(|| first(&|cell| headings.is_about_addresses(cell)).map(|column| (Certainty::Word, column)))
            .or_else(|| first(&|cell| headings.is_postal(cell)).map(|column| (Certainty::Postal, column)))
    }

    /// All columns that hold addresses according to their headings, at the highest certainty found.
    pub(super) fn address_columns(&self, headings: &[String]) -> Vec<usize> {
        let all = |is: &dyn Fn(&str) -> bool| -> Vec<usize> {
            headings.iter().enumerate().filter(|(_, heading)| is(heading)).map(|(column, _)| column).collect()
        };
        let named = all(&|heading| self.headings.column(heading).0 == Column::Address);
        if !named.is_empty() {
            return named;
        }
        let words = all(&|heading| self.headings.is_about_addresses(heading));
        if !words.is_empty() {
            return words;
        }
        all(&|heading| self.headings.is_postal(heading)).into_iter().take(1).collect()
    }
}

/// The position of a heading that a user stated: compared as written, else by its letters and digits.
pub(super) fn position<'a>(headings: impl Iterator<Item = &'a str> + Clone, named: &str) -> Option<usize> {
    let same = headings.clone().position(|heading| attribute_key(heading) == attribute_key(named));
    let alike =
        || headings.clone().position(|heading| !squashed(named).is_empty() && squashed(heading) == squashed(named));
    same.or_else(alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(heading: &str, column: Column) {
        assert_eq!(Headings::shipped().unwrap().column(heading).0, column, "{heading:?}");
    }

    #[test]
    fn headings_are_known_however_they_are_written() {
        for heading in [
            "E-post",
            "E-post adress",
            "Epost adress",
            "E_post",
            "emailAddress",
            "email_address",
            "Email:",
            "E-post *",
            "Email Address (work)",
            "E‑mail",
            "\u{a0}e-post\u{a0}",
            "\u{200b}e-post",
            "E-mail 1 - Value",
            "Primary Email",
            "Sähköposti",
            "Courriel",
            "e-mejl",
            "SUBSCRIBER EMAIL",
            "\u{feff}email",
            "'E-post",
        ] {
            check(heading, Column::Address);
        }
        check("Fo\u{308}rnamn", Column::FirstName);
        check("FNAME", Column::FirstName);
        check("Företag", Column::Organisation);
        check("Region/Län", Column::Regions);
        check("Ämnen", Column::Beats);
        check("E-mail Type", Column::Attribute("e-mail type".to_owned()));
        check("E-mail 2 Address", Column::Attribute("e-mail 2 address".to_owned()));
        check("\u{200b} ", Column::Nameless);
    }

    #[test]
    fn a_word_in_a_heading_is_enough_where_it_is_about_addresses() {
        let headings = Headings::shipped().unwrap();
        for heading in ["E-post till redaktionen", "Deltagarens mejladress", "Press e-mail", "Work e-mail"] {
            assert!(headings.is_about_addresses(heading), "{heading:?}");
        }
        for heading in
            ["E-mail Type", "Email status", "E-mail 2 - Value", "Email opt-in", "Namn", "E-mail Display Name"]
        {
            assert!(!headings.is_about_addresses(heading), "{heading:?}");
        }
    }

    #[test]
    fn languages_are_known_and_countries_are_not_taken_for_them() {
        let language = |text: &str| Headings::shipped().unwrap().language(text).map(|language| language.to_string());
        for (text, tag) in
            [("Svenska", "sv"), ("SV", "sv"), ("en_GB", "en-gb"), ("Engelska (Storbritannien)", "en"), ("sme", "sme")]
        {
            assert_eq!(language(text).as_deref(), Ok(tag));
        }
        assert!(language("se").unwrap_err().contains("did you mean \u{201c}sv\u{201d}"));
        assert!(language("SE").is_err() && language("dk").is_err() && language("klingonska!").is_err());
    }
}
