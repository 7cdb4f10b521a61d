//! Which mail sockets systemd passed in: recorded in the state directory, so that one missing after a restart is
//! detected. A daemon without it runs well but receives no mail.
//!
//! Only inherited sockets are recorded: a configured one is opened, or the start fails.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file in the state directory: one protocol per line.
const FILE: &str = "listeners";

/// The protocols passed in at earlier starts, and those missing now.
#[derive(Debug)]
pub struct Listeners {
    file: PathBuf,
    known: Mutex<BTreeSet<String>>,
    here: BTreeSet<String>,
}

impl Listeners {
    /// Compares the present sockets with those of earlier starts, and records the `inherited` ones. `configured`
    /// protocols are available in another way, and so not missing.
    ///
    /// A file that cannot be read or written is logged: outgoing mail does not need it.
    pub fn at_start(state_directory: &Path, inherited: &[&str], configured: &[&str]) -> Self {
        let file = state_directory.join(FILE);
        let mut known: BTreeSet<String> = match std::fs::read_to_string(&file) {
            Ok(text) => text.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => {
                tracing::error!(%error, file = %file.display(), "the record of inherited sockets cannot be read");
                BTreeSet::new()
            }
        };
        let before = known.clone();
        known.extend(inherited.iter().map(|name| (*name).to_owned()));
        if known != before
            && let Err(error) = write(&file, &known)
        {
            tracing::error!(%error, file = %file.display(), "the record of inherited sockets cannot be written");
        }
        let here = inherited.iter().chain(configured).map(|name| (*name).to_owned()).collect();
        let listeners = Self { file, known: Mutex::new(known), here };
        for name in listeners.lost() {
            tracing::error!(listener = name, "an inherited socket is missing: no mail is received through it");
        }
        listeners
    }

    /// The missing protocols.
    pub(crate) fn lost(&self) -> Vec<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).difference(&self.here).cloned().collect()
    }

    /// Forgets a protocol that is no longer wanted; returns whether it was known.
    ///
    /// # Errors
    /// The file cannot be written; nothing was forgotten.
    pub fn forget(&self, name: &str) -> io::Result<bool> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = known.clone();
        if !left.remove(name) {
            return Ok(false);
        }
        write(&self.file, &left)?;
        *known = left;
        Ok(true)
    }
}

/// Replaces the whole file by one rename.
fn write(file: &Path, names: &BTreeSet<String>) -> io::Result<()> {
    let nascent = file.with_extension("new");
    let lines: Vec<String> = names.iter().map(|name| format!("{name}\n")).collect();
    std::fs::write(&nascent, lines.concat())?;
    std::fs::File::open(&nascent)?.sync_all()?;
    std::fs::rename(&nascent, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_was_there_is_missed_until_it_is_back_or_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let start =
            |inherited: &[&str], configured: &[&str]| Listeners::at_start(directory.path(), inherited, configured);
        assert!(start(&[], &["smtp"]).lost().is_empty(), "a socket that was never passed in is not missed");
        assert!(start(&["lmtp", "smtp"], &[]).lost().is_empty());
        assert_eq!(start(&["smtp"], &[]).lost(), ["lmtp"]);
        assert_eq!(start(&["smtp"], &[]).lost(), ["lmtp"], "also at the start after that");
        assert!(start(&["smtp"], &["lmtp"]).lost().is_empty(), "the configuration opens it now");
        assert!(start(&["lmtp", "smtp"], &[]).lost().is_empty());
        let listeners = start(&["smtp"], &[]);
        assert!(!listeners.forget("pigeon").unwrap() && listeners.forget("lmtp").unwrap());
        assert!(listeners.lost().is_empty() && start(&["smtp"], &[]).lost().is_empty());
    }
}
