//! What the doctor finds: how bad it is, what it is, why it matters, and what to do.

use serde::Serialize;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// `depesch.toml`, secrets, templates.
    Configuration,
    /// Who may read and write what.
    Permissions,
    /// The disk of the state directory.
    Disk,
    /// What a lost store could be restored from.
    Backups,
    /// The machine's clock.
    Clock,
    /// The running daemon.
    Daemon,
    /// The way out.
    Relay,
    /// Our own door.
    MailIn,
    /// The sending domains' records.
    Dns,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// As it should be.
    Good,
    /// Could be better, or is good to know.
    Note,
    /// Could not be looked at: nothing is said of it.
    NotSeen,
    /// Will hurt some day, or some readers.
    Warning,
    /// Hurts now.
    Error,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub area: Area,
    /// How bad it is.
    pub severity: Severity,
    /// A name for programs, which does not change.
    pub code: &'static str,
    /// What it is.
    pub what: String,
    /// Why it matters; empty where all is well.
    pub why: String,
    /// What to do, for DNS the very record; empty where nothing is to be done.
    pub remedy: String,
}

impl Finding {
    /// As it should be.
    pub fn good(area: Area, code: &'static str, what: impl Into<String>) -> Self {
        Self { area, severity: Severity::Good, code, what: what.into(), why: String::new(), remedy: String::new() }
    }

    /// Anything else.
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

/// The worst among findings, leaving out what could not be seen.
pub fn worst(findings: &[Finding]) -> Severity {
    let seen = findings.iter().map(|finding| finding.severity).filter(|severity| *severity != Severity::NotSeen);
    seen.max().unwrap_or(Severity::Good)
}
