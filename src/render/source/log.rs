//! Positions in a file, and the findings about it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use super::split::Split;
use crate::model::release::names::{self, AuthorLanguage};
use crate::render::finding::{Finding, Severity};

/// The line of each field, and its path as written, by its path in English, e.g. `event.start` or
/// `contacts[1].phones`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    fields: BTreeMap<String, (u32, String)>,
    /// The line on which the body begins.
    pub body: u32,
    /// The language of the names of fields.
    pub(crate) language: AuthorLanguage,
}

impl Positions {
    /// The line of a field, or of the nearest field that contains it.
    pub(crate) fn line(&self, key: &str) -> Option<u32> {
        self.nearest(key).map(|(_, (line, _))| *line)
    }

    /// A field, or the nearest field that contains it, with the length of its path.
    fn nearest(&self, key: &str) -> Option<(usize, &(u32, String))> {
        let mut key = key;
        loop {
            if let Some(field) = self.fields.get(key) {
                return Some((key.len(), field));
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }

    /// The path of a field as the author wrote it, or would write it.
    pub(crate) fn as_written(&self, key: &str) -> String {
        match self.nearest(key) {
            Some((length, (_, written))) => format!("{written}{}", names::shown_path(&key[length..], self.language)),
            None => names::shown_path(key, self.language),
        }
    }

    /// Names each finding's field as the author wrote it.
    pub(crate) fn name_fields(&self, findings: &mut [Finding]) {
        for key in findings.iter_mut().filter_map(|finding| finding.key.as_mut()) {
            *key = self.as_written(key);
        }
    }
}

/// Collects findings and positions while a file is parsed.
pub(super) struct Log {
    front_line: u32,
    line_starts: Vec<usize>,
    findings: RefCell<Vec<Finding>>,
    positions: RefCell<Positions>,
    /// The author's language.
    pub(super) language: AuthorLanguage,
}

impl Log {
    pub(super) fn new(split: &Split, language: AuthorLanguage) -> Self {
        let ends = split.front.match_indices('\n').map(|(at, _)| at + 1);
        let positions = Positions { body: split.text_line(), language, ..Positions::default() };
        Self {
            front_line: split.front_line,
            line_starts: std::iter::once(0).chain(ends).collect(),
            findings: RefCell::default(),
            positions: RefCell::new(positions),
            language,
        }
    }

    /// The line in the file of a byte in the front matter.
    pub(super) fn line(&self, at: usize) -> u32 {
        let before = self.line_starts.partition_point(|start| *start <= at).saturating_sub(1);
        self.front_line.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
    }

    pub(super) fn say(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    /// Reports an error with a text of `rules.toml`.
    pub(super) fn error(&self, text: (&'static str, &str), key: &str, line: Option<u32>, values: &[(&str, &str)]) {
        self.say(Finding::said(Severity::Error, text, self.language, values).of(key).at(line));
    }

    /// Records the line of a field, and its path as written.
    pub(super) fn remember(&self, key: &str, line: u32, written: &str) {
        self.positions.borrow_mut().fields.insert(key.to_owned(), (line, written.to_owned()));
    }

    /// Reports control characters in the body.
    pub(super) fn check_body(&self, split: &Split) {
        for (at, line) in split.body.lines().enumerate() {
            if let Some(c) = line.chars().find(|c| c.is_control() && *c != '\t') {
                let line = split.body_line.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
                let code = format!("U+{:04X}", u32::from(c));
                self.error(("control", "in-text"), "body", Some(line), &[("code", &code)]);
            }
        }
    }

    /// Reports a TOML syntax error.
    pub(super) fn syntax(&self, error: &toml::de::Error) {
        let line = error.span().map(|Range { start, .. }| self.line(start));
        let said: String = error.message().chars().filter(|c| !c.is_control()).collect();
        let values = [("parser", said.trim())];
        self.say(Finding::said(Severity::Error, ("toml", "syntax"), self.language, &values).at(line));
    }

    /// The findings, with fields named as written, and the positions.
    pub(super) fn into_parts(self) -> (Vec<Finding>, Positions) {
        let (mut findings, positions) = (self.findings.into_inner(), self.positions.into_inner());
        positions.name_fields(&mut findings);
        (findings, positions)
    }
}

/// Drops findings that only follow from syntax errors: apparently missing fields, and errors on the same lines. Returns
/// whether there are syntax errors.
pub(super) fn drop_echoes(findings: &mut Vec<Finding>) -> bool {
    let broken: Vec<Option<u32>> = findings.iter().filter(|f| f.rule == "toml").map(|f| f.line).collect();
    if !broken.is_empty() {
        findings.retain(|f| f.rule == "toml" || (f.rule != "missing" && !broken.contains(&f.line)));
    }
    // A text where a date belongs is not made right by quotation marks.
    let mistyped: Vec<Option<u32>> = findings.iter().filter(|f| f.rule == "type").map(|f| f.line).collect();
    findings.retain(|f| f.rule != "quotation-marks" || !mistyped.contains(&f.line));
    !broken.is_empty()
}
