//! The machine's clock: whether somebody keeps it right, and whether it went backwards.

use std::path::Path;
use std::process::{Command, Stdio};

use chrono::{Datelike, Duration};

use crate::base::clock::Timestamp;

use super::finding::{Area, Finding, Severity};

/// Written by systemd-timesyncd once it has the time.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// No version of this program is older.
const FIRST_YEAR: i32 = 2026;
/// Clocks of this machine and of its disk may differ by so much.
const SLACK: Duration = Duration::minutes(2);

/// What was seen of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// The clock.
    pub now: Timestamp,
    /// When something was last written to the store.
    pub written: Option<Timestamp>,
    /// Whether the clock is kept right; `None` where nobody can say.
    pub synchronised: Option<bool>,
}

/// Looks. Blocks.
pub fn look(now: Timestamp, store: &Path) -> Time {
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
    // The kernel's own mind (adjtimex(2)), whoever keeps the clock.
    let mut asked = Command::new("timedatectl");
    asked.args(["show", "--property=NTPSynchronized", "--value"]).stdin(Stdio::null()).stderr(Stdio::null());
    match asked.output().ok()?.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// Judges the time.
pub fn judge(time: &Time) -> Vec<Finding> {
    let finding = |severity, code, what: String, why: &str, remedy: &str| {
        Finding::new(severity, Area::Clock, code, what, why, remedy)
    };
    let remedy = "Set it right and keep it so: systemctl enable --now systemd-timesyncd (or chrony).";
    let now = time.now.format("%Y-%m-%d %H:%M UTC");
    let mut found = Vec::new();
    if !(FIRST_YEAR..2100).contains(&time.now.year()) {
        let why = "Mailings go out when their time comes by this clock; tokens and retention go by it too.";
        found.push(finding(Severity::Error, "year", format!("the clock says {now}"), why, remedy));
    }
    if let Some(written) = time.written.filter(|written| *written > time.now + SLACK) {
        let what =
            format!("the clock says {now}, and the store was written to at {}", written.format("%Y-%m-%d %H:%M UTC"));
        let why = "It went backwards: what was due may seem not to be, and the ledger's times are out of order.";
        found.push(finding(Severity::Error, "backwards", what, why, remedy));
    }
    found.push(match time.synchronised {
        Some(true) => Finding::good(Area::Clock, "synchronised", format!("the clock is kept right; it says {now}")),
        Some(false) => finding(
            Severity::Warning,
            "synchronised",
            format!("nobody keeps the clock right; it says {now}"),
            "Releases under embargo go out by it, and mails with a wrong date are taken for spam.",
            remedy,
        ),
        None => finding(
            Severity::NotSeen,
            "synchronised",
            format!("whether somebody keeps the clock right is not known; it says {now}"),
            "",
            "Compare it with another clock.",
        ),
    });
    found
}
