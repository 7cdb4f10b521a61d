//! The few things that the environment tells in no other way. The only place that reads environment variables.
#![allow(clippy::disallowed_methods)]

use std::path::PathBuf;

/// Where systemd puts the service's credentials (systemd.exec(5), `LoadCredential=`).
pub fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// Whether standard error goes to journald (systemd.exec(5), `$JOURNAL_STREAM`), which stamps each line itself.
pub fn is_under_journald() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}
