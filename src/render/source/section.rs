//! A table of the front matter, read key by key: keys that were never asked for are unknown, and reported.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::log::Log;
use crate::model::release::presence::FIELDS;
use crate::render::finding::Finding;
use crate::render::nearest::nearest;

/// A table. Take the expected values, then call [`Section::finish`].
pub(super) struct Section<'i, 'l> {
    table: DeTable<'i>,
    path: String,
    line: Option<u32>,
    known: Vec<&'static str>,
    given: Vec<&'static str>,
    pub(super) log: &'l Log,
}

/// A value in a table or an array.
pub(super) struct Found<'i> {
    /// The field's full path.
    pub key: String,
    /// Its line.
    pub line: u32,
    /// The value.
    pub value: DeValue<'i>,
}

/// A text or a table: many lists accept both, the text being a short form.
pub(super) enum TextOrSection<'i, 'l> {
    /// A text with its path and line.
    Text(String, String, u32),
    /// A table.
    Section(Section<'i, 'l>),
}

impl<'i, 'l> Section<'i, 'l> {
    /// The whole front matter.
    pub(super) fn root(table: DeTable<'i>, log: &'l Log) -> Self {
        Self { table, path: String::new(), line: None, known: Vec::new(), given: Vec::new(), log }
    }

    fn inner(found: Found<'i>, table: DeTable<'i>, log: &'l Log) -> Self {
        Self { table, path: found.key, line: Some(found.line), known: Vec::new(), given: Vec::new(), log }
    }

    /// The path of a field of this table.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The line on which the table begins.
    pub(super) fn line(&self) -> Option<u32> {
        self.line
    }

    /// Takes a value out of the table.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Found<'i>> {
        self.known.push(key);
        let (name, value) = self.table.remove_entry(key)?;
        self.given.push(key);
        let (path, line) = (self.path_of(key), self.log.line(name.span().start));
        self.log.remember(&path, line);
        Some(Found { key: path, line, value: value.into_inner() })
    }

    /// Whether the table had this field, valid or not: an invalid one was reported and is not missing.
    pub(super) fn was_given(&self, key: &str) -> bool {
        self.given.contains(&key)
    }

    /// Reports a missing required field.
    pub(super) fn miss(&self, key: &str, example: &str) {
        let path = self.path_of(key);
        let finding = Finding::error("missing", "it is missing", format!("write {key} = {example}"));
        self.log.say(finding.of(path).at(self.line.or(Some(1))));
    }

    /// A table within this table.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'i, 'l>> {
        let mut found = self.take(key)?;
        match std::mem::replace(&mut found.value, DeValue::Boolean(false)) {
            DeValue::Table(table) => Some(Self::inner(found, table, self.log)),
            other => {
                self.wrong(
                    &found.key,
                    found.line,
                    &other,
                    "a table",
                    &format!("write [{}] on a separate line", found.key),
                );
                None
            }
        }
    }

    /// An array of tables.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'i, 'l>> {
        let log = self.log;
        let mut sections = Vec::new();
        for entry in self.texts_or_sections(key) {
            match entry {
                TextOrSection::Section(section) => sections.push(section),
                TextOrSection::Text(path, _, line) => {
                    let said = "a table is expected here, not a text";
                    let fix = format!("write [[{}]] on a separate line", self.path_of(key));
                    log.say(Finding::error("type", said, fix).of(path).at(Some(line)));
                }
            }
        }
        sections
    }

    /// An array of texts and tables; a single value counts as an array of one.
    pub(super) fn texts_or_sections(&mut self, key: &'static str) -> Vec<TextOrSection<'i, 'l>> {
        let Some(found) = self.take(key) else { return Vec::new() };
        let Found { key: path, line, value } = found;
        match value {
            DeValue::Array(array) => self.entries(&path, array),
            other => self.entry(Found { key: path, line, value: other }).into_iter().collect(),
        }
    }

    fn entries(&self, path: &str, array: DeArray<'i>) -> Vec<TextOrSection<'i, 'l>> {
        let indexed = array.into_iter().enumerate();
        indexed.filter_map(|(index, value)| self.entry(self.indexed(path, index, value))).collect()
    }

    /// A value of an array, with its path and line.
    pub(super) fn indexed(&self, path: &str, index: usize, value: Spanned<DeValue<'i>>) -> Found<'i> {
        let (key, line) = (format!("{path}[{index}]"), self.log.line(value.span().start));
        self.log.remember(&key, line);
        Found { key, line, value: value.into_inner() }
    }

    fn entry(&self, mut found: Found<'i>) -> Option<TextOrSection<'i, 'l>> {
        match std::mem::replace(&mut found.value, DeValue::Boolean(false)) {
            DeValue::Table(table) => Some(TextOrSection::Section(Self::inner(found, table, self.log))),
            DeValue::String(text) => {
                let text = self.one_line(&found.key, found.line, &text)?;
                Some(TextOrSection::Text(found.key, text, found.line))
            }
            other => {
                self.wrong(&found.key, found.line, &other, "a text or a table", "see the samples for its form");
                None
            }
        }
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong(&self, key: &str, line: u32, value: &DeValue<'_>, expected: &str, fix: &str) {
        let said = format!("{expected} is expected, not {}", type_name(value));
        self.log.say(Finding::error("type", said, fix).of(key).at(Some(line)));
    }

    /// Reports an invalid value.
    pub(super) fn refuse(&self, key: &str, line: u32, said: impl Into<String>, fix: impl Into<String>) {
        self.log.say(Finding::error("value", said, fix).of(key).at(Some(line)));
    }

    /// Reports every value that was not taken as unknown.
    pub(super) fn finish(self) {
        for (name, _) in &self.table {
            let given: &str = name.get_ref();
            let shown: String = given.chars().filter(|c| !c.is_control()).take(60).collect();
            let fix = match nearest(given, self.known.iter().copied()) {
                // In TOML a key belongs to the table above it: the most frequent mistake of people who know it
                // little.
                _ if !self.path.is_empty() && is_of_first_level(given) => {
                    "write it further up, above the first line in [brackets]".to_owned()
                }
                Some(near) => format!("did you mean \u{201c}{near}\u{201d}?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            let said = format!("there is no field \u{201c}{shown}\u{201d} here");
            let line = self.log.line(name.span().start);
            self.log.say(Finding::error("unknown-key", said, fix).of(self.path_of(&shown)).at(Some(line)));
        }
    }
}

fn is_of_first_level(key: &str) -> bool {
    FIELDS.contains(&key) || ["kind", "language", "zone"].contains(&key)
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
