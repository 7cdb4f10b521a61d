//! Positions in a file, and the findings about it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use super::split::Split;
use crate::render::finding::Finding;

/// The line of each field, by its path, e.g. `event.start` or `contacts[1].phones`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    lines: BTreeMap<String, u32>,
    /// The line on which the body begins.
    pub body: u32,
}

impl Positions {
    /// The line of a field, or of the nearest field that contains it.
    pub(crate) fn line(&self, key: &str) -> Option<u32> {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return Some(*line);
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }
}

/// Collects findings and positions while a file is parsed.
pub(super) struct Log {
    front_line: u32,
    line_starts: Vec<usize>,
    findings: RefCell<Vec<Finding>>,
    positions: RefCell<Positions>,
}

impl Log {
    pub(super) fn new(split: &Split) -> Self {
        let ends = split.front.match_indices('\n').map(|(at, _)| at + 1);
        let positions = Positions { body: split.text_line(), ..Positions::default() };
        Self {
            front_line: split.front_line,
            line_starts: std::iter::once(0).chain(ends).collect(),
            findings: RefCell::default(),
            positions: RefCell::new(positions),
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

    pub(super) fn remember(&self, key: &str, line: u32) {
        self.positions.borrow_mut().lines.insert(key.to_owned(), line);
    }

    /// Reports control characters in the body.
    pub(super) fn check_body(&self, split: &Split) {
        for (at, line) in split.body.lines().enumerate() {
            if let Some(c) = line.chars().find(|c| c.is_control() && *c != '\t') {
                let said = format!("the text contains the control character U+{:04X}", u32::from(c));
                let line = split.body_line.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
                self.say(Finding::error("control", said, "remove it").of("body").at(Some(line)));
            }
        }
    }

    /// Reports a TOML syntax error.
    pub(super) fn syntax(&self, error: &toml::de::Error) {
        let line = error.span().map(|Range { start, .. }| self.line(start));
        let fix = "the fields are TOML: key = \"text\", dates as 2026-11-26, times as 09:30:00";
        self.say(Finding::error("toml", error.message().trim().to_owned(), fix).at(line));
    }

    pub(super) fn into_parts(self) -> (Vec<Finding>, Positions) {
        (self.findings.into_inner(), self.positions.into_inner())
    }
}

/// Drops findings that only follow from syntax errors: apparently missing fields, and errors on the same lines.
pub(super) fn drop_echoes(findings: &mut Vec<Finding>) {
    let broken: Vec<Option<u32>> = findings.iter().filter(|f| f.rule == "toml").map(|f| f.line).collect();
    findings.retain(|f| f.rule == "toml" || (f.rule != "missing" && !broken.contains(&f.line)));
}
