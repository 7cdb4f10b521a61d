//! Reads typed keys from TOML and collects all errors, each with its line and key. Every key asked for is known;
//! every other key is an error.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::render::nearest::nearest;

/// An error in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its line, from 1; `None` for the file as a whole.
    pub line: Option<usize>,
    /// The key with its section, e.g. `relay.port`; empty if the file is not TOML.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A key with the value in force, in TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key with its section.
    pub key: String,
    /// The value in force, in TOML.
    pub value: String,
    /// Whether the file sets it.
    pub set: bool,
}

/// Reads one document.
pub(crate) struct Reader<'a> {
    text: &'a str,
    directory: &'a Path,
    values: BTreeMap<String, (usize, &'a DeValue<'a>)>,
    sections: BTreeMap<String, usize>,
    section: &'static str,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Creates a reader of `table`, parsed from `text`; relative paths in it are relative to `directory`.
    pub(crate) fn new(text: &'a str, table: &'a DeTable<'a>, directory: &'a Path) -> Self {
        let (values, sections) = (BTreeMap::new(), BTreeMap::new());
        let (entries, problems) = (Vec::new(), Vec::new());
        let mut reader = Self { text, directory, values, sections, section: "", entries, problems };
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            match value.get_ref() {
                DeValue::Table(inner) => {
                    reader.sections.insert(name.to_owned(), reader.line(key.span().start));
                    for (inner_key, inner_value) in inner.iter() {
                        let line = reader.line(inner_key.span().start);
                        reader.values.insert(format!("{name}.{}", inner_key.get_ref()), (line, inner_value.get_ref()));
                    }
                }
                other => {
                    reader.values.insert(name.to_owned(), (reader.line(key.span().start), other));
                }
            }
        }
        reader
    }

    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    /// Sets the section of the following keys; the empty name is the top of the file.
    pub(crate) fn section(&mut self, name: &'static str) {
        self.section = name;
    }

    /// Reports an error about a key whose value alone is valid.
    pub(crate) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let line = self.values.get(key).map(|(line, _)| *line);
        self.problems.push(Problem { line, key: key.to_owned(), message: message.into() });
    }

    /// Reads one key of any type. `parse` returns `None` for what is not `expected`.
    pub(crate) fn value<T>(
        &mut self,
        name: &str,
        expected: &str,
        into: &mut T,
        parse: impl FnOnce(&DeValue<'_>) -> Option<T>,
        show: impl FnOnce(&T) -> String,
    ) {
        let key = if self.section.is_empty() { name.to_owned() } else { format!("{}.{name}", self.section) };
        let found = self.values.get(&key).copied();
        if let Some((line, value)) = found {
            match parse(value) {
                Some(value) => *into = value,
                None => {
                    let message = format!("expected {expected}, found {}", describe(value));
                    self.problems.push(Problem { line: Some(line), key: key.clone(), message });
                }
            }
        }
        self.entries.push(Entry { key, value: show(into), set: found.is_some() });
    }

    /// Reads `true` or `false`.
    pub(crate) fn switch(&mut self, name: &str, into: &mut bool) {
        self.value(name, "true or false", into, |value| value.as_bool(), bool::to_string);
    }

    /// Reads a non-empty text.
    pub(crate) fn text(&mut self, name: &str, expected: &str, into: &mut String) {
        let parse = |value: &DeValue<'_>| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        self.value(name, expected, into, parse, |text| quoted(text));
    }

    /// Reads a text; empty means `None`.
    pub(crate) fn optional_text(&mut self, name: &str, expected: &str, into: &mut Option<String>) {
        let parse = |value: &DeValue<'_>| value.as_str().map(|text| (!text.is_empty()).then(|| text.to_owned()));
        self.value(name, expected, into, parse, |text| quoted(text.as_deref().unwrap_or_default()));
    }

    /// Reads a path.
    pub(crate) fn path(&mut self, name: &str, expected: &str, into: &mut PathBuf) {
        let directory = self.directory;
        let parse =
            |value: &DeValue<'_>| value.as_str().filter(|text| !text.is_empty()).map(|text| directory.join(text));
        self.value(name, expected, into, parse, |path| quoted(&path.to_string_lossy()));
    }

    /// Reads a path; empty means `None`.
    pub(crate) fn optional_path(&mut self, name: &str, expected: &str, into: &mut Option<PathBuf>) {
        let directory = self.directory;
        let parse = |value: &DeValue<'_>| value.as_str().map(|text| (!text.is_empty()).then(|| directory.join(text)));
        let show = |path: &Option<PathBuf>| quoted(&path.as_deref().unwrap_or(Path::new("")).to_string_lossy());
        self.value(name, expected, into, parse, show);
    }

    /// Reads a whole number in a range.
    pub(crate) fn number<T>(&mut self, name: &str, range: RangeInclusive<T>, into: &mut T)
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let parse = |value: &DeValue<'_>| {
            let digits = value.as_integer()?;
            let number = i64::from_str_radix(&digits.as_str().replace('_', ""), digits.radix()).ok()?;
            T::try_from(number).ok().filter(|number| range.contains(number))
        };
        self.value(name, &expected, into, parse, |number| number.to_string());
    }

    /// Reads a number with or without decimals, in a range.
    pub(crate) fn fraction(&mut self, name: &str, range: RangeInclusive<f64>, into: &mut f64) {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let parse = |value: &DeValue<'_>| {
            let text = match value {
                DeValue::Float(float) => float.as_str(),
                DeValue::Integer(integer) => integer.as_str(),
                _ => return None,
            };
            text.replace('_', "").parse().ok().filter(|number| range.contains(number))
        };
        self.value(name, &expected, into, parse, |number| format!("{number:?}"));
    }

    /// Reads a duration, e.g. `"15m"`, in a range.
    pub(crate) fn duration(&mut self, name: &str, range: RangeInclusive<Duration>, into: &mut Duration) {
        let (from, to) = (duration_text(*range.start()), duration_text(*range.end()));
        let expected = format!("a duration such as \"90s\", \"15m\", \"4h\" or \"4d\", from {from} to {to}");
        let parse = |value: &DeValue<'_>| parse_duration(value.as_str()?).filter(|length| range.contains(length));
        self.value(name, &expected, into, parse, |length| quoted(&duration_text(*length)));
    }

    /// Reads a duration as [`Self::duration`] does, where `"never"` means unlimited.
    pub(crate) fn period(&mut self, name: &str, range: RangeInclusive<Duration>, into: &mut Option<Duration>) {
        let (from, to) = (duration_text(*range.start()), duration_text(*range.end()));
        let expected = format!("a duration such as \"90d\", from {from} to {to}, or \"never\"");
        let parse = |value: &DeValue<'_>| match value.as_str()? {
            "never" => Some(None),
            text => parse_duration(text).filter(|length| range.contains(length)).map(Some),
        };
        let show = |period: &Option<Duration>| quoted(&period.map_or("never".to_owned(), duration_text));
        self.value(name, &expected, into, parse, show);
    }

    /// Reads a duration as [`Self::duration`] does, into chrono's type.
    pub(crate) fn span(&mut self, name: &str, range: RangeInclusive<Duration>, into: &mut chrono::Duration) {
        let mut length = into.to_std().unwrap_or_default();
        self.duration(name, range, &mut length);
        // The range is well within both types.
        *into = chrono::Duration::from_std(length).unwrap_or(*into);
    }

    /// Reads one of a few words.
    pub(crate) fn choice<T: Clone + PartialEq>(&mut self, name: &str, choices: &[(&str, T)], into: &mut T) {
        let words: Vec<String> = choices.iter().map(|(word, _)| quoted(word)).collect();
        let expected = format!("one of {}", words.join(", "));
        let parse = |value: &DeValue<'_>| {
            let given = value.as_str()?;
            choices.iter().find(|(word, _)| *word == given).map(|(_, choice)| choice.clone())
        };
        let show = |value: &T| {
            let word = choices.iter().find(|(_, choice)| choice == value).map_or("", |(word, _)| word);
            quoted(word)
        };
        self.value(name, &expected, into, parse, show);
    }

    /// Reports the remaining keys as unknown. Returns all keys with their values, and all errors in order of line.
    pub(crate) fn finish(mut self) -> (Vec<Entry>, Vec<Problem>) {
        let unknown: Vec<(String, usize)> = self
            .values
            .iter()
            .filter(|(key, _)| !self.entries.iter().any(|entry| entry.key == **key))
            .map(|(key, (line, _))| (key.clone(), *line))
            .collect();
        let is_section =
            |name: &str| self.entries.iter().any(|entry| entry.key.split_once('.').is_some_and(|(s, _)| s == name));
        let mut problems: Vec<Problem> = Vec::new();
        for (name, line) in self.sections.iter().filter(|(name, _)| !is_section(name)) {
            let known = self.entries.iter().filter_map(|entry| entry.key.split_once('.')).map(|(section, _)| section);
            let message = format!("there is no such section{}", suggestion(nearest(name, known)));
            problems.push(Problem { line: Some(*line), key: name.clone(), message });
        }
        for (key, line) in unknown {
            if key.split_once('.').is_some_and(|(section, _)| !is_section(section)) {
                continue;
            }
            if is_section(&key) {
                let message = format!("this is a section: write [{key}] on a line, and its keys below");
                problems.push(Problem { line: Some(line), key, message });
                continue;
            }
            let known = self.entries.iter().map(|entry| entry.key.as_str());
            let message = format!("there is no such key{}", suggestion(nearest(&key, known)));
            problems.push(Problem { line: Some(line), key, message });
        }
        self.problems.append(&mut problems);
        self.problems.sort_by_key(|problem| problem.line);
        (self.entries, self.problems)
    }
}

fn suggestion(known: Option<&str>) -> String {
    known.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(&text.chars().take(60).collect::<String>()),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        other => format!("a TOML {}", other.type_str()),
    }
}

/// Quotes a text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

const UNITS: &[(&str, u64)] = &[("w", 7 * 86_400), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// Parses a duration: a whole number and `s`, `m`, `h`, `d` or `w`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let (unit, seconds) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    number.checked_mul(*seconds).map(Duration::from_secs)
}

/// Formats a duration for [`parse_duration`], in the largest unit without a remainder.
pub(crate) fn duration_text(length: Duration) -> String {
    let seconds = length.as_secs();
    let fitting = UNITS.iter().find(|(unit, size)| *unit != "w" && seconds > 0 && seconds.is_multiple_of(*size));
    let (unit, size) = fitting.unwrap_or(&("s", 1));
    format!("{}{unit}", seconds / size)
}
