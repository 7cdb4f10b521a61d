//! Findings: errors and warnings about a release, each with place, reason and fix, all reported at once.

use std::fmt;

use crate::model::release::names::AuthorLanguage;

use super::rules;

/// Whether a finding stops the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot be sent like this.
    Error,
    /// It can be sent; a person should check it.
    Warning,
}

impl Severity {
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it stops the release.
    pub severity: Severity,
    /// The rule's name, stable for programs, e.g. `weekday`.
    pub rule: &'static str,
    /// The line in the file, from 1, if there is one.
    pub line: Option<u32>,
    /// The field, e.g. `event.start` or `contacts[1].phones`.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub fix: String,
}

impl Finding {
    /// Creates a finding with a text of `rules.toml` in the author's language; `values` are inserted into it.
    pub(crate) fn said(
        severity: Severity,
        (rule, text): (&'static str, &str),
        language: AuthorLanguage,
        values: &[(&str, &str)],
    ) -> Self {
        let (message, fix) = rules::texts(rule, text, language, values);
        Self { severity, rule, line: None, key: None, message, fix }
    }

    /// Sets the line.
    pub(crate) fn at(mut self, line: Option<u32>) -> Self {
        self.line = line;
        self
    }

    /// Sets the field.
    pub(crate) fn of(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}: ", self.severity.word())?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}", self.message)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        write!(f, " [{}]", self.rule)
    }
}

/// Whether any of them stops the release.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.severity == Severity::Error)
}

/// Sorts by line, those without one last; errors before warnings on the same line.
pub(crate) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (a.line.unwrap_or(u32::MAX), a.severity, &a.key).cmp(&(b.line.unwrap_or(u32::MAX), b.severity, &b.key))
    });
}
