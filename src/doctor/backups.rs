//! Backups: whether there are any, how old the newest is, and whether it would survive a lost disk.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::base::clock::Timestamp;
use crate::config::Config;
use crate::store::backup::repository::Repository;

use super::finding::{Area, Finding, Severity};

/// One is made each night by default; a missed one is made at the next start.
const OLD: chrono::Duration = chrono::Duration::days(2);

/// The observed state of the backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backups {
    /// Their directory.
    pub directory: PathBuf,
    /// Whether the daemon makes backups automatically.
    pub scheduled: bool,
    /// Whether they are on the same file system as the state directory; `None` if unknown.
    pub same_disk: Option<bool>,
    /// When the newest was made, if there is one; or why this is unknown.
    pub newest: Result<Option<Timestamp>, String>,
}

/// Examines the repository. Blocks.
pub fn observe(config: &Config) -> Backups {
    let directory = config.backup_directory();
    let same_disk = device(&directory).zip(device(&config.state_directory)).map(|(one, other)| one == other);
    let newest = match directory.try_exists() {
        Ok(false) => Ok(None),
        Ok(true) => Repository::open_to_read(&directory)
            .and_then(|repository| repository.manifests())
            .map(|manifests| manifests.last().map(|manifest| manifest.created))
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    Backups { directory, scheduled: config.backup.schedule.is_some(), same_disk, newest }
}

/// The file system of a directory, or the one it will be created on.
fn device(directory: &Path) -> Option<u64> {
    directory.ancestors().find_map(|path| std::fs::metadata(path).ok()).map(|found| found.dev())
}

/// Evaluates the backups.
pub fn evaluate(seen: &Backups, now: Timestamp) -> Vec<Finding> {
    let place = seen.directory.display();
    let finding = |severity, code, what: String, why: &str, remedy: &str| {
        Finding::new(severity, Area::Backups, code, what, why, remedy)
    };
    let lost = "When the store is lost or an import goes wrong, there is nothing to restore.";
    let mut found = Vec::new();
    if !seen.scheduled {
        let what = "the daemon makes no automatic backups ([backup] schedule is empty)".to_owned();
        let remedy = "Set [backup] schedule, unless something else runs \u{201c}depesch backup create\u{201d}.";
        found.push(finding(Severity::Warning, "no-backups", what, lost, remedy));
    }
    found.push(match &seen.newest {
        Err(why) => finding(
            Severity::NotSeen,
            "backup",
            format!("the backups in {place} cannot be examined: {why}"),
            "",
            "Run this as root, or as the service's user.",
        ),
        Ok(None) => {
            let remedy = "Wait for the night, or run \u{201c}depesch backup create\u{201d}.";
            finding(Severity::Note, "backup", format!("there is no backup in {place} yet"), lost, remedy)
        }
        Ok(Some(at)) if now - *at > OLD => finding(
            Severity::Warning,
            "backup-old",
            format!("the newest backup in {place} is of {}", at.format("%Y-%m-%d %H:%M UTC")),
            "What happened since would be lost with the store.",
            "The daemon's log says why; \u{201c}depesch backup create\u{201d} makes one now.",
        ),
        Ok(Some(at)) => {
            Finding::good(Area::Backups, "backup", format!("the newest is of {}", at.format("%Y-%m-%d %H:%M UTC")))
        }
    });
    if seen.same_disk == Some(true) {
        found.push(finding(
            Severity::Warning,
            "backup-same-disk",
            format!("{place} is on the same disk as the store"),
            "This protects you from a bad import, but not from a lost disk.",
            "Name another disk in [backup] directory, or have the directory copied elsewhere each day.",
        ));
    }
    found
}
