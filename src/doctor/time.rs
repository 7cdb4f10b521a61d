//! The machine's clock: whether it is synchronised, and whether it went backwards.

use std::path::Path;
use std::process::{Command, Stdio};

use chrono::{Datelike, Duration};

use crate::base::clock::Timestamp;

use super::finding::{Area, Finding, Severity};

/// Written by systemd-timesyncd once it has the time.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// No version of this program is older.
const FIRST_YEAR: i32 = 2026;
/// Tolerance between the clocks of this machine and of its disk.
const SLACK: Duration = Duration::minutes(2);

/// The observed time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// The clock.
    pub now: Timestamp,
    /// When the store was last written to.
    pub written: Option<Timestamp>,
    /// Whether the clock is synchronised; `None` if unknown.
    pub synchronised: Option<bool>,
}

/// Reads the clock. Blocks.
pub(crate) fn observe(now: Timestamp, store: &Path) -> Time {
    Time { now, written: newest(&store.join("journal")), synchronised: synchronised() }
}

fn newest(directory: &Path) -> Option<Timestamp> {
    let entries = std::fs::read_dir(directory).ok()?;
    entries.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok()).max().map(Timestamp::from)
}

fn synchronised() -> Option<bool> {
    if Path::new(SYNCHRONISED).exists() {
        return Some(true);
    }
    // The kernel's state (adjtimex(2)), independent of the time service.
    let mut asked = Command::new("timedatectl");
    asked.args(["show", "--property=NTPSynchronized", "--value"]).stdin(Stdio::null()).stderr(Stdio::null());
    match asked.output().ok()?.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// Evaluates the time.
pub fn evaluate(time: &Time) -> Vec<Finding> {
    let finding = |severity, code, what: String, why: &str, remedy: &str| {
        Finding::new(severity, Area::Clock, code, what, why, remedy)
    };
    let remedy = "Set it and synchronise it: systemctl enable --now systemd-timesyncd (or chrony).";
    let now = time.now.format("%Y-%m-%d %H:%M UTC");
    let mut found = Vec::new();
    if !(FIRST_YEAR..2100).contains(&time.now.year()) {
        let why = "Mailings are sent by this clock; tokens and retention depend on it too.";
        found.push(finding(Severity::Error, "year", format!("the clock says {now}"), why, remedy));
    }
    if let Some(written) = time.written.filter(|written| *written > time.now + SLACK) {
        let what =
            format!("the clock says {now}, and the store was written to at {}", written.format("%Y-%m-%d %H:%M UTC"));
        let why = "It went backwards: due deliveries may seem not to be due, and the ledger's times are out of order.";
        found.push(finding(Severity::Error, "backwards", what, why, remedy));
    }
    found.push(match time.synchronised {
        Some(true) => Finding::good(Area::Clock, "synchronised", format!("the clock is synchronised; it says {now}")),
        Some(false) => finding(
            Severity::Warning,
            "synchronised",
            format!("the clock is not synchronised; it says {now}"),
            "Releases under embargo are sent by it, and mails with a wrong date are taken for spam.",
            remedy,
        ),
        None => finding(
            Severity::NotSeen,
            "synchronised",
            format!("it is unknown whether the clock is synchronised; it says {now}"),
            "",
            "Compare it with another clock.",
        ),
    });
    found
}
