//! The Unix socket: who may open it, and its start and stop.

use std::future::Future;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};

use super::extract::Caller;
use super::{Control, router};

/// Where the socket lies and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    /// The socket's path.
    pub path: PathBuf,
    /// The socket's permissions; whoever may write to it may do everything.
    pub mode: u32,
    /// The group that the socket is given to, by name; the daemon's own without it.
    pub group: Option<String>,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self { path: PathBuf::from("/run/depesch/control.sock"), mode: 0o660, group: None }
    }
}

/// Why the socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A daemon answers on it already.
    #[error("a daemon already answers on {0}; stop it first, or give this one another control.socket")]
    Taken(PathBuf),
    /// Something that is no socket lies there, and is left alone.
    #[error("{0} is there and is no socket; remove it, or choose another control.socket")]
    NoSocket(PathBuf),
    /// There is no such group.
    #[error("control.group: there is no group \u{201c}{0}\u{201d} on this machine")]
    NoGroup(String),
    /// The system refused.
    #[error("the control socket {path} cannot be {action}: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
}

/// An open control socket that does not answer yet.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Opens the socket with its permissions. What a dead daemon left is removed; a live one's socket never is.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn bind(settings: &SocketSettings) -> Result<Self, ServerError> {
        let path = settings.path.clone();
        let failed = |action: &'static str| {
            let path = path.clone();
            move |error| ServerError::Io { action, path, error }
        };
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty() && !d.exists()) {
            std::fs::create_dir_all(directory).map_err(failed("given a directory"))?;
            let closed = std::fs::Permissions::from_mode(0o750);
            std::fs::set_permissions(directory, closed).map_err(failed("given a closed directory"))?;
        }
        remove_stale(&path).await?;
        // Bound under a name of its own and renamed when its permissions are right, so that nobody connects before.
        let nascent = path.with_extension(format!("{}.new", std::process::id()));
        let listener = UnixListener::bind(&nascent).map_err(failed("opened"))?;
        let permissions = std::fs::Permissions::from_mode(settings.mode);
        std::fs::set_permissions(&nascent, permissions).map_err(failed("given its permissions"))?;
        if let Some(group) = &settings.group {
            let gid = group_id(group).ok_or_else(|| ServerError::NoGroup(group.clone()))?;
            std::os::unix::fs::chown(&nascent, None, Some(gid)).map_err(failed("given its group"))?;
        }
        std::fs::rename(&nascent, &path).map_err(failed("put in its place"))?;
        Ok(Self { listener, path })
    }

    /// Answers until `stop` completes, then ends the requests that run and removes the socket.
    pub async fn run(self, control: Arc<Control>, stop: impl Future<Output = ()> + Send + 'static) {
        let service = router(control).into_make_service_with_connect_info::<Caller>();
        if let Err(error) = axum::serve(self.listener, service).with_graceful_shutdown(stop).await {
            tracing::error!("the control socket failed: {error}");
        }
        // Whatever else happens, a stale socket is only a stale socket.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes a socket on which nobody answers.
async fn remove_stale(path: &Path) -> Result<(), ServerError> {
    let failed = |action, error| ServerError::Io { action, path: path.to_owned(), error };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("looked at", error)),
        Ok(found) if !found.file_type().is_socket() => return Err(ServerError::NoSocket(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(ServerError::Taken(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            tracing::info!("removed the control socket that a stopped daemon left");
            std::fs::remove_file(path).map_err(|error| failed("removed", error))
        }
        Err(error) => Err(failed("tried", error)),
    }
}

fn group_id(name: &str) -> Option<u32> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}
