//! The doctor's findings: severity, description, reason and remedy.

use serde::Serialize;

/// The area examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// `depesch.toml`, secrets, templates.
    Configuration,
    /// Who may read and write what.
    Permissions,
    /// The disk of the state directory.
    Disk,
    /// The backups.
    Backups,
    /// The machine's clock.
    Clock,
    /// The running daemon.
    Daemon,
    /// Outgoing mail.
    Relay,
    /// Incoming mail.
    MailIn,
    /// The DNS records of the sending domains.
    Dns,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// As it should be.
    Good,
    /// Could be better, or is good to know.
    Note,
    /// Could not be checked: its state is unknown.
    NotSeen,
    /// Will cause trouble some day, or for some readers.
    Warning,
    /// Causes trouble now.
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The area.
    pub area: Area,
    /// The severity.
    pub severity: Severity,
    /// A stable name for programs.
    pub code: &'static str,
    /// The description.
    pub what: String,
    /// Why it matters; empty if all is well.
    pub why: String,
    /// What to do, for DNS the exact record; empty if nothing needs to be done.
    pub remedy: String,
}

impl Finding {
    /// Creates a finding that is as it should be.
    pub(crate) fn good(area: Area, code: &'static str, what: impl Into<String>) -> Self {
        Self { area, severity: Severity::Good, code, what: what.into(), why: String::new(), remedy: String::new() }
    }

    /// Creates any other finding.
    pub fn new(
        severity: Severity,
        area: Area,
        code: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { area, severity, code, what: what.into(), why: why.into(), remedy: remedy.into() }
    }
}

/// The worst severity, ignoring what could not be checked.
pub fn worst(findings: &[Finding]) -> Severity {
    let seen = findings.iter().map(|finding| finding.severity).filter(|severity| *severity != Severity::NotSeen);
    seen.max().unwrap_or(Severity::Good)
}
