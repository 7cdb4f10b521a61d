//! A table of the front matter, read key by key: keys that were never asked for are unknown, and reported.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::log::Log;
use crate::model::release::names::{self, AuthorLanguage};
use crate::model::release::presence::FIELDS;
use crate::render::nearest::nearest;

/// A table. Take the expected values, then call [`Section::finish`].
pub(super) struct Section<'i, 'l> {
    table: DeTable<'i>,
    /// Its path, in English names.
    path: String,
    /// Its path as written.
    written: String,
    line: Option<u32>,
    known: Vec<&'static str>,
    given: Vec<&'static str>,
    pub(super) log: &'l Log,
}

/// A value in a table or an array.
pub(super) struct Found<'i> {
    /// The field's full path, in English names.
    pub key: String,
    /// The same as written.
    pub written: String,
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
        Self {
            table,
            path: String::new(),
            written: String::new(),
            line: None,
            known: Vec::new(),
            given: Vec::new(),
            log,
        }
    }

    fn inner(found: Found<'i>, table: DeTable<'i>, log: &'l Log) -> Self {
        let Found { key: path, written, line, .. } = found;
        Self { table, path, written, line: Some(line), known: Vec::new(), given: Vec::new(), log }
    }

    /// The path of a field of this table, in English names.
    pub(super) fn path_of(&self, key: &str) -> String {
        joined(&self.path, key)
    }

    /// The path of a field of this table as the author writes it.
    fn shown_path_of(&self, key: &str) -> String {
        joined(&self.written, self.shown(key))
    }

    /// The name of a field in the author's language.
    fn shown<'k>(&self, key: &'k str) -> &'k str {
        names::shown(key, self.log.language)
    }

    /// The line on which the table begins.
    pub(super) fn line(&self) -> Option<u32> {
        self.line
    }

    /// Takes a value out of the table, by its English name or a Swedish one.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Found<'i>> {
        self.known.push(key);
        let mut written = std::iter::once(key).chain(names::swedish(key).iter().map(String::as_str));
        let (name, value) = written.by_ref().find_map(|name| self.table.remove_entry(name))?;
        let again: Vec<_> = written.filter_map(|name| self.table.remove_entry(name)).collect();
        self.given.push(key);
        let path = self.path_of(key);
        for (other, _) in again {
            let values = [("field", other.get_ref().as_ref()), ("other", name.get_ref().as_ref())];
            self.log.error(("duplicate-key", "two-names"), &path, Some(self.log.line(other.span().start)), &values);
        }
        let (written, line) = (joined(&self.written, name.get_ref()), self.log.line(name.span().start));
        self.log.remember(&path, line, &written);
        Some(Found { key: path, written, line, value: value.into_inner() })
    }

    /// Whether the table had this field, valid or not: an invalid one was reported and is not missing.
    pub(super) fn was_given(&self, key: &str) -> bool {
        self.given.contains(&key)
    }

    /// Reports a missing required field. The example is a value, perhaps with more: see [`in_names`].
    pub(super) fn miss(&self, key: &str, example: &str) {
        let example = in_names(example, self.log.language);
        let values = [("field", self.shown(key)), ("example", &example)];
        self.log.error(("missing", "field"), &self.path_of(key), self.line.or(Some(1)), &values);
    }

    /// A table within this table.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'i, 'l>> {
        let mut found = self.take(key)?;
        match std::mem::replace(&mut found.value, DeValue::Boolean(false)) {
            DeValue::Table(table) => Some(Self::inner(found, table, self.log)),
            other => {
                self.wrong(&found, &other, "table");
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
                    let table = self.shown_path_of(key);
                    log.error(("type", "text-for-tables"), &path, Some(line), &[("table", &table)]);
                }
            }
        }
        sections
    }

    /// An array of texts and tables; a single value counts as an array of one.
    pub(super) fn texts_or_sections(&mut self, key: &'static str) -> Vec<TextOrSection<'i, 'l>> {
        let Some(found) = self.take(key) else { return Vec::new() };
        match found.value {
            DeValue::Array(array) => self.entries((&found.key, &found.written), array),
            _ => self.entry(found).into_iter().collect(),
        }
    }

    fn entries(&self, paths: (&str, &str), array: DeArray<'i>) -> Vec<TextOrSection<'i, 'l>> {
        let indexed = array.into_iter().enumerate();
        indexed.filter_map(|(index, value)| self.entry(self.indexed(paths, index, value))).collect()
    }

    /// A value of an array, with its paths and line; the paths of the array are in English names, and as written.
    pub(super) fn indexed(
        &self,
        (path, written): (&str, &str),
        index: usize,
        value: Spanned<DeValue<'i>>,
    ) -> Found<'i> {
        let line = self.log.line(value.span().start);
        let (key, written) = (format!("{path}[{index}]"), format!("{written}[{index}]"));
        self.log.remember(&key, line, &written);
        Found { key, written, line, value: value.into_inner() }
    }

    fn entry(&self, mut found: Found<'i>) -> Option<TextOrSection<'i, 'l>> {
        match std::mem::replace(&mut found.value, DeValue::Boolean(false)) {
            DeValue::Table(table) => Some(TextOrSection::Section(Self::inner(found, table, self.log))),
            DeValue::String(text) => {
                let text = self.one_line(&found.key, found.line, &text)?;
                Some(TextOrSection::Text(found.key, text, found.line))
            }
            other => {
                self.wrong(&found, &other, "text-or-table");
                None
            }
        }
    }

    /// Reports a value of the wrong type; `expected` names a text of the rule `type`.
    pub(super) fn wrong(&self, found: &Found<'_>, value: &DeValue<'_>, expected: &str) {
        let given = type_name(value, self.log.language);
        let field = found.written.rsplit('.').next().unwrap_or_default();
        let values = [("given", given), ("field", field), ("table", found.written.as_str())];
        self.log.error(("type", expected), &found.key, Some(found.line), &values);
    }

    /// Reports an invalid value; `text` names a text of the rule `value`.
    pub(super) fn refuse(&self, key: &str, line: u32, text: &str, values: &[(&str, &str)]) {
        self.log.error(("value", text), key, Some(line), values);
    }

    /// Reports every value that was not taken as unknown.
    pub(super) fn finish(self) {
        for (name, _) in &self.table {
            let given: &str = name.get_ref();
            let shown: String = given.chars().filter(|c| !c.is_control()).take(60).collect();
            let line = self.log.line(name.span().start);
            // Named as written: it is no field.
            let path = self.path_of(&shown);
            self.log.remember(&path, line, &joined(&self.written, &shown));
            let known: Vec<&str> = self.known.iter().map(|key| self.shown(key)).collect();
            let near = nearest(given, known.iter().copied()).or_else(|| self.nearest_in_all_names(given));
            let (text, hint) = match near {
                // In TOML a key belongs to the table above it: the most frequent mistake of people who know it
                // little.
                _ if !self.path.is_empty() && is_of_first_level(given) => ("belongs-above", String::new()),
                Some(near) => ("near", near.to_owned()),
                None => ("none-near", known.join(", ")),
            };
            self.log.error(("unknown-key", text), &path, Some(line), &[("field", &shown), ("hint", &hint)]);
        }
    }

    /// The field known here, shown in the author's language, one of whose names in any language is the nearest.
    fn nearest_in_all_names(&self, given: &str) -> Option<&'static str> {
        let names = |key: &&'static str| {
            let swedish = names::swedish(key).iter().map(String::as_str);
            std::iter::once(*key).chain(swedish).map(|name| (name, *key)).collect::<Vec<_>>()
        };
        let all: Vec<(&'static str, &'static str)> = self.known.iter().flat_map(names).collect();
        let near = nearest(given, all.iter().map(|(name, _)| *name))?;
        all.iter().find(|(name, _)| *name == near).map(|(_, key)| self.shown(key))
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// An example with each word between `‹›`, the name of a field, in the author's language.
fn in_names(example: &str, language: AuthorLanguage) -> String {
    let parts = example.split(['‹', '›']).enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { names::shown(part, language) } else { part }).collect()
}

fn is_of_first_level(key: &str) -> bool {
    names::english(key).any(|key| FIELDS.contains(&key) || ["kind", "language", "zone"].contains(&key))
}

fn type_name(value: &DeValue<'_>, language: AuthorLanguage) -> &'static str {
    let (english, swedish) = match value {
        DeValue::String(_) => ("a text", "en text"),
        DeValue::Integer(_) | DeValue::Float(_) => ("a number", "ett tal"),
        DeValue::Boolean(_) => ("true or false", "true eller false"),
        DeValue::Datetime(_) => ("a date or time", "ett datum eller en tid"),
        DeValue::Array(_) => ("an array", "en lista"),
        DeValue::Table(_) => ("a table", "en tabell"),
    };
    language.pick(english, swedish)
}
