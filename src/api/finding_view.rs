//! Findings in JSON.

use serde::{Deserialize, Serialize};

use crate::render::finding::Finding;

/// One finding in a release file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingView {
    /// `error` or `warning`.
    pub severity: String,
    /// The rule's name, e.g. `weekday`.
    pub rule: String,
    /// The line in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// The field.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub fix: String,
}

impl FindingView {
    /// The finding as text to follow the file's name on one line: `7: error: …`.
    pub(crate) fn line_of_text(&self) -> String {
        let line = self.line.map_or_else(|| " ".to_owned(), |line| format!("{line}: "));
        let key = self.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        let fix = if self.fix.is_empty() { String::new() } else { format!("; {}", self.fix) };
        format!("{line}{}: {key}{}{fix} [{}]", self.severity, self.message, self.rule)
    }
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self {
            severity: finding.severity.word().to_owned(),
            rule: finding.rule.to_owned(),
            line: finding.line,
            key: finding.key.clone(),
            message: finding.message.clone(),
            fix: finding.fix.clone(),
        }
    }
}

/// The views of all findings.
pub(crate) fn views(findings: &[Finding]) -> Vec<FindingView> {
    findings.iter().map(FindingView::from).collect()
}
