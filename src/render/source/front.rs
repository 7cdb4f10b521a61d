//! The fields as TOML. What authors write that is nearly TOML is made TOML first, line by line, so that every line keeps its
//! number: names with å, ä and ö, months without a day, and, if nothing else helps, wrong quotation marks.

use toml::de::DeTable;

use super::log::Log;
use super::quotation_marks::{self, Fault};
use super::split::Split;
use crate::model::release::names::{self, AuthorLanguage};

/// The fields, ready to be read.
pub(super) struct Front {
    /// The file; its fields are TOML as far as possible.
    pub split: Split,
    /// The language of the names of fields.
    pub language: AuthorLanguage,
    faults: Vec<Fault>,
}

/// Prepares the fields of a file.
pub(super) fn read(mut split: Split) -> Front {
    split.front = nearly_toml(&split.front);
    let (table, errors) = DeTable::parse_recoverable(&split.front);
    let (mut language, mut faults) = (language_of(table.get_ref()), Vec::new());
    if !errors.is_empty() {
        let (found, repaired) = quotation_marks::repair(&split.front);
        if !found.is_empty() {
            language = language_of(DeTable::parse_recoverable(&repaired).0.get_ref());
            (faults, split.front) = (found, repaired);
        }
    }
    Front { split, language, faults }
}

impl Front {
    /// Parses the fields; reports what is wrong with their form.
    pub(super) fn table<'i>(&'i self, log: &Log) -> DeTable<'i> {
        for fault in &self.faults {
            let line = self.split.front_line.saturating_add(u32::try_from(fault.line).unwrap_or(u32::MAX));
            let example = fault.example(self.language);
            log.error(("quotation-marks", fault.kind.word()), &fault.field, Some(line), &[("example", &example)]);
        }
        let (table, errors) = DeTable::parse_recoverable(&self.split.front);
        errors.iter().for_each(|error| log.syntax(error));
        table.into_inner()
    }
}

/// The language of which most names in a table, and in the tables within it, are typical; English if neither is.
fn language_of(table: &DeTable<'_>) -> AuthorLanguage {
    let (mut english, mut swedish) = (0usize, 0usize);
    let mut open = vec![table];
    while let Some(table) = open.pop() {
        for (name, value) in table {
            match names::language_of(name.get_ref()) {
                Some(AuthorLanguage::English) => english += 1,
                Some(AuthorLanguage::Swedish) => swedish += 1,
                None => {}
            }
            open.extend(value.get_ref().as_table());
            let entries = value.get_ref().as_array().into_iter().flatten();
            open.extend(entries.filter_map(|entry| entry.get_ref().as_table()));
        }
    }
    if swedish > english { AuthorLanguage::Swedish } else { AuthorLanguage::English }
}

/// The closing mark of a text that may have several lines.
type LongText = &'static str;

/// Puts names with letters beyond ASCII, which TOML allows only in quotation marks, and months such as 2017-05 into them.
fn nearly_toml(front: &str) -> String {
    let mut within: Option<LongText> = None;
    let lines: Vec<String> = front.split('\n').map(|line| nearly_toml_line(line, &mut within)).collect();
    lines.join("\n")
}

fn nearly_toml_line(line: &str, within: &mut Option<LongText>) -> String {
    let (mut out, mut rest) = (String::with_capacity(line.len() + 8), line);
    while !rest.is_empty() {
        if let Some(close) = *within {
            let end = rest.find(close).map(|at| at + close.len());
            if end.is_some() {
                *within = None;
            }
            take(&mut out, &mut rest, end.unwrap_or(line.len()));
            continue;
        }
        if rest.starts_with('#') {
            break;
        }
        if let Some(mark) = ["\"\"\"", "'''"].into_iter().find(|mark| rest.starts_with(mark)) {
            *within = Some(mark);
            take(&mut out, &mut rest, mark.len());
            continue;
        }
        if let Some(length) = quotation_marks::text_length(rest) {
            take(&mut out, &mut rest, length);
            continue;
        }
        let is_bare = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let length = rest.find(|c| !is_bare(c)).unwrap_or(rest.len());
        if length == 0 {
            let first = rest.chars().next().map_or(1, char::len_utf8);
            take(&mut out, &mut rest, first);
            continue;
        }
        let (word, after) = (&rest[..length], rest[length..].trim_start());
        let is_name = !word.is_ascii() && after.starts_with(['=', '.', ']']);
        let is_value =
            out.trim_end().ends_with(['=', '[', ',']) && (after.is_empty() || after.starts_with([',', ']', '}', '#']));
        if is_name || (is_value && is_month(word)) {
            out.push('"');
            out.push_str(word);
            out.push('"');
            rest = &rest[length..];
        } else {
            take(&mut out, &mut rest, length);
        }
    }
    out + rest
}

fn take(out: &mut String, rest: &mut &str, length: usize) {
    let length = length.min(rest.len());
    out.push_str(&rest[..length]);
    *rest = &rest[length..];
}

/// `2017-05`: a month, which TOML has no type for.
fn is_month(word: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    word.split_once('-').is_some_and(|(year, month)| digits(year, 4) && digits(month, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_months_become_toml_and_nothing_else_changes() {
        for (written, toml) in [
            ("språk = \"sv\"", "\"språk\" = \"sv\""),
            ("[evenemang.anmälan]", "[evenemang.\"anmälan\"]"),
            ("[[länkar]] # länkar = 1", "[[\"länkar\"]] # länkar = 1"),
            ("p = [{ tillhörighet = \"å = 1\" }]", "p = [{ \"tillhörighet\" = \"å = 1\" }]"),
            ("start = 2017-05", "start = \"2017-05\""),
            ("start = 2017-05-01", "start = 2017-05-01"),
            ("a = \"\"\"\nö = 1\n\"\"\"\nö = 1", "a = \"\"\"\nö = 1\n\"\"\"\n\"ö\" = 1"),
            ("a = \"en \\\"ö = 1\"\nö = 2", "a = \"en \\\"ö = 1\"\n\"ö\" = 2"),
            ("a = våren", "a = våren"),
            ("a = ”ö = 1”", "a = ”ö = 1”"),
        ] {
            assert_eq!(nearly_toml(written), toml);
        }
    }
}
