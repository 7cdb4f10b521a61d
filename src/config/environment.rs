//! The few settings that are only available from the environment. The only place that reads environment variables.
#![allow(clippy::disallowed_methods)]

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use listenfd::ListenFd;

/// The directory of the service's credentials (systemd.exec(5), `LoadCredential=`).
pub(crate) fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// The file by which a test moves the daemon's clock ([`crate::app::test_clock`]).
pub(crate) fn test_clock() -> Option<PathBuf> {
    std::env::var_os("DEPESCH_TEST_CLOCK").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The zone of the person who runs a command (IEEE Std 1003.1, §8.3, `TZ`).
pub(crate) fn time_zone() -> Option<String> {
    std::env::var("TZ").ok()
}

/// Whether standard error is connected to journald (systemd.exec(5), `$JOURNAL_STREAM`), which adds times itself.
/// Child processes inherit the variable even if their standard error is redirected; so the file itself is compared.
pub(crate) fn is_under_journald() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|file| stream == format!("{}:{}", file.dev(), file.ino()))
}

/// Sockets that the parent process opened for us.
pub(crate) struct InheritedSockets {
    /// The sockets.
    pub sockets: ListenFd,
    /// Their names (systemd.socket(5), `FileDescriptorName=`), in the same order.
    pub names: Vec<String>,
}

impl Default for InheritedSockets {
    fn default() -> Self {
        Self { sockets: ListenFd::empty(), names: Vec::new() }
    }
}

impl fmt::Debug for InheritedSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InheritedSockets").field(&self.names).finish()
    }
}

/// Takes the sockets that systemd passed in (sd_listen_fds(3)); a second call finds none. Call it before there are
/// threads that read the environment, because it removes the variables.
pub(crate) fn inherited_sockets() -> InheritedSockets {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.split(':').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    InheritedSockets { sockets: ListenFd::from_env(), names }
}
