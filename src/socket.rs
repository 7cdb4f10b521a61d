//! Unix sockets: opened with their permissions before anybody can connect; what a stopped daemon left is removed, what a
//! live one uses never is.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A daemon answers on it already.
    #[error("a daemon already answers on {0}; stop it first, or give this one another path for its socket")]
    Taken(PathBuf),
    /// Something that is no socket lies there, and is left alone.
    #[error("{0} exists and is not a socket; remove it, or choose another path for the socket")]
    NoSocket(PathBuf),
    /// There is no such group.
    #[error("there is no group \u{201c}{0}\u{201d} on this machine to give the socket to")]
    NoGroup(String),
    /// The system refused.
    #[error("the socket {path} cannot be {action}: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
}

/// Checks what can be wrong with a socket's settings: its path and its group. Opens nothing.
///
/// # Errors
/// [`SocketError::NoSocket`], [`SocketError::NoGroup`]; [`open`] refuses the same in the same words.
pub(crate) fn examine(path: &Path, group: Option<&str>) -> Result<(), SocketError> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(SocketError::NoSocket(path.to_owned()));
    }
    group.map_or(Ok(()), |group| group_of(group).map(|_| ()))
}

/// Opens a socket at `path` with the permissions `mode`, given to `group` if there is one.
///
/// # Errors
/// [`SocketError`].
pub(crate) async fn open(path: &Path, mode: u32, group: Option<&str>) -> Result<UnixListener, SocketError> {
    let failed = |action: &'static str| {
        let path = path.to_owned();
        move |error| SocketError::Io { action, path, error }
    };
    if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty() && !d.exists()) {
        std::fs::create_dir_all(directory).map_err(failed("given a directory"))?;
        let closed = std::fs::Permissions::from_mode(0o750);
        std::fs::set_permissions(directory, closed).map_err(failed("given a closed directory"))?;
    }
    remove_stale(path).await?;
    // Bound under a temporary name and renamed once its permissions are set, so that no client connects before.
    let nascent = path.with_extension(format!("{}.new", std::process::id()));
    let listener = UnixListener::bind(&nascent).map_err(failed("opened"))?;
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&nascent, permissions).map_err(failed("given its permissions"))?;
    if let Some(group) = group {
        let gid = group_of(group)?;
        std::os::unix::fs::chown(&nascent, None, Some(gid)).map_err(failed("given its group"))?;
    }
    std::fs::rename(&nascent, path).map_err(failed("put in its place"))?;
    Ok(listener)
}

/// Removes a socket that no process listens on.
async fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let failed = |action, error| SocketError::Io { action, path: path.to_owned(), error };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("looked at", error)),
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NoSocket(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(SocketError::Taken(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            tracing::info!(path = %path.display(), "removed the socket left by a stopped daemon");
            std::fs::remove_file(path).map_err(|error| failed("removed", error))
        }
        Err(error) => Err(failed("tried", error)),
    }
}

fn group_of(name: &str) -> Result<u32, SocketError> {
    group_id(name).ok_or_else(|| SocketError::NoGroup(name.to_owned()))
}

fn group_id(name: &str) -> Option<u32> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}
