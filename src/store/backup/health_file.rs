//! The `health` file of a repository: which backups were made, when each file was last read, and which files were then
//! damaged.
//!
//! A restore does not need it. If it is missing or damaged it is rebuilt from the manifests; it is then unknown whether
//! an older backup was pruned or is missing, and no loss is reported.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;

use super::fault::Fault;
use super::files::{create_file, step, sync_directory};
use super::keep::NEWEST;
use super::listed::{Listed, manifest_path};
use super::manifest::{Before, Manifest, sealed, unsealed};
use super::{BackupError, Watch};

/// The name of the file.
pub(super) const NAME: &str = "health";
const VERSION: u32 = 1;

/// The content of the `health` file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    version: u32,
    /// Backups that were made, by name; pruned ones as long as an existing one follows them.
    backups: BTreeMap<String, Known>,
    /// Files, by their SHA-256.
    files: BTreeMap<String, Seen>,
    /// When files were last read to check them.
    examined: Option<Timestamp>,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    number: u64,
    /// The SHA-256 of its manifest.
    sha256: String,
    /// It was removed by rule or by a user.
    forgotten: bool,
}

/// The result of reading a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// When it was last read, or first seen.
    at: Timestamp,
    /// What was wrong with it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrong: Option<String>,
}

impl Default for Health {
    fn default() -> Self {
        Self { version: VERSION, backups: BTreeMap::new(), files: BTreeMap::new(), examined: None }
    }
}

impl Health {
    /// Reads the file; `None` if it does not exist.
    ///
    /// # Errors
    /// [`BackupError::Damaged`], [`BackupError::Newer`], [`BackupError::Io`].
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, BackupError> {
        let path = directory.join(NAME);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(BackupError::io(&path, "read")(e)),
        };
        let health: Self =
            serde_json::from_slice(unsealed(&path, &bytes)?).map_err(|e| BackupError::damaged(&path, e.to_string()))?;
        match health.version {
            VERSION => Ok(Some(health)),
            version => Err(BackupError::Newer { path, version }),
        }
    }

    /// Rebuilds it from the manifests alone. They do not show which older backups were pruned, so missing ones count as
    /// pruned; the newest are never pruned.
    pub(super) fn from_manifests(listed: &[Listed]) -> Self {
        let mut health = Self::default();
        health.take_in(listed);
        let newest = listed.len().saturating_sub(NEWEST - 1);
        for one in listed.get(..newest).unwrap_or_default() {
            let before = one.manifest.as_ref().ok().and_then(|manifest| manifest.before.as_ref());
            if let Some(Before { id, sha256 }) = before {
                let forgotten = Known { number: 0, sha256: sha256.clone(), forgotten: true };
                health.backups.entry(id.clone()).or_insert(forgotten);
            }
        }
        health
    }

    /// Adds the existing backups.
    pub(super) fn take_in(&mut self, listed: &[Listed]) {
        for one in listed {
            if let Ok(manifest) = &one.manifest {
                let known =
                    || Known { number: manifest.number.unwrap_or(0), sha256: one.sha256.clone(), forgotten: false };
                self.backups.entry(one.id.clone()).or_insert_with(known);
            }
        }
    }

    /// Adds a backup that was just made.
    pub(super) fn made(&mut self, manifest: &Manifest, sha256: String) {
        let known = Known { number: manifest.number.unwrap_or(0), sha256, forgotten: false };
        self.backups.insert(manifest.id.clone(), known);
    }

    /// The highest backup number.
    pub(super) fn last_number(&self) -> u64 {
        self.backups.values().map(|known| known.number).max().unwrap_or(0)
    }

    /// Marks these as to be removed: their absence is no loss. Returns whether that changed anything.
    pub(super) fn forget(&mut self, ids: &[String]) -> bool {
        let mut is_news = false;
        for id in ids {
            let known = || Known { number: 0, sha256: String::new(), forgotten: false };
            let known = self.backups.entry(id.clone()).or_insert_with(known);
            is_news |= !std::mem::replace(&mut known.forgotten, true);
        }
        is_news
    }

    /// Removes entries that no remaining backup needs: pruned backups without a successor, and files that no manifest
    /// names. Returns whether anything changed.
    pub(super) fn tidy(&mut self, left: &[Manifest]) -> bool {
        let before = (self.backups.len(), self.files.len());
        let follows = |id: &str| left.iter().any(|one| one.before.as_ref().is_some_and(|before| before.id == id));
        self.backups.retain(|id, known| !known.forgotten || follows(id));
        let named: std::collections::BTreeSet<&str> =
            left.iter().flat_map(|manifest| manifest.files().map(|file| file.sha256.as_str())).collect();
        self.files.retain(|sha256, _| named.contains(sha256.as_str()));
        before != (self.backups.len(), self.files.len())
    }

    /// Whether a file was damaged when it was last read.
    pub(super) fn is_damaged(&self, sha256: &str) -> bool {
        self.files.get(sha256).is_some_and(|seen| seen.wrong.is_some())
    }

    /// Stores the result of reading a file.
    pub(super) fn note(&mut self, sha256: &str, at: Timestamp, wrong: Option<String>) {
        self.files.insert(sha256.to_owned(), Seen { at, wrong });
    }

    /// Records that a file was rewritten.
    pub(super) fn written(&mut self, sha256: &str) {
        self.files.remove(sha256);
    }

    /// When a file was last read; a new file counts as read now, so that it is due within the week.
    pub(super) fn read_at(&mut self, sha256: &str, now: Timestamp) -> Timestamp {
        let seen = self.files.entry(sha256.to_owned()).or_insert(Seen { at: now, wrong: None });
        // After a clock was set back, no file may count as fresh for ever.
        seen.at = seen.at.min(now);
        seen.at
    }

    /// When files were last read.
    pub(super) fn examined(&self) -> Option<Timestamp> {
        self.examined
    }

    pub(super) fn set_examined(&mut self, at: Timestamp) {
        self.examined = Some(at);
    }

    /// Missing manifests, and manifests that differ from those that were made.
    pub(super) fn missing(&self, directory: &Path, listed: &[Listed]) -> Vec<Fault> {
        let mut found: BTreeMap<&str, String> = BTreeMap::new();
        let there = |id: &str| listed.iter().find(|one| one.id == id);
        for (id, known) in self.backups.iter().filter(|(_, known)| !known.forgotten) {
            match there(id) {
                None => _ = found.insert(id, "it is missing, and no rule removed it".to_owned()),
                Some(one) if one.manifest.is_ok() && one.sha256 != known.sha256 => {
                    found.insert(id, "it is not the manifest that was written here".to_owned());
                }
                Some(_) => {}
            }
        }
        for manifest in listed.iter().filter_map(|one| one.manifest.as_ref().ok()) {
            let Some(before) = &manifest.before else { continue };
            match there(&before.id) {
                None if !self.backups.contains_key(&before.id) => {
                    found.insert(&before.id, format!("it is missing, although {} follows it", manifest.id));
                }
                Some(one) if one.manifest.is_ok() && one.sha256 != before.sha256 => {
                    found.insert(&before.id, format!("it is not the backup that {} follows", manifest.id));
                }
                _ => {}
            }
        }
        let path = |id: &str| manifest_path(directory, id);
        found.into_iter().map(|(id, what)| Fault { path: path(id), what, backups: vec![id.to_owned()] }).collect()
    }

    /// The fault of a file when it was last read.
    pub(super) fn wrong(&self, sha256: &str) -> Option<&str> {
        self.files.get(sha256)?.wrong.as_deref()
    }

    /// When a file was last read, or first seen.
    pub(super) fn last_read(&self, sha256: &str) -> Option<Timestamp> {
        self.files.get(sha256).map(|seen| seen.at)
    }

    /// Writes the file under a temporary name, then replaces the old one.
    pub(super) fn write(&self, directory: &Path, watch: Watch<'_>) -> Result<(), BackupError> {
        let temporary = directory.join("health.new");
        let failed = |action| BackupError::io(&temporary, action);
        step(watch, &temporary, "health")?;
        let bytes = sealed(serde_json::to_vec(self).map_err(|e| failed("written")(io::Error::other(e)))?);
        // A leftover of root could not be overwritten.
        let _ = fs::remove_file(&temporary);
        let mut file = create_file(&temporary).map_err(failed("created"))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed("written"))?;
        // It contains no secrets, and the service must be able to read what root writes here.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.set_permissions(mode).map_err(failed("opened to others"))?;
        fs::rename(&temporary, directory.join(NAME)).map_err(failed("renamed"))?;
        sync_directory(directory)
    }
}
