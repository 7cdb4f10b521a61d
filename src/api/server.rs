//! The Unix socket: its permissions, start and stop.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::UnixListener;

use crate::socket;
pub use crate::socket::SocketError as ServerError;

use super::extract::Caller;
use super::{ApiState, router};

/// The path and permissions of the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    /// The socket's path.
    pub path: PathBuf,
    /// The socket's mode; a user who may write to it has full control of the daemon.
    pub mode: u32,
    /// The name of the group that owns the socket; `None`: the daemon's own group.
    pub group: Option<String>,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self { path: PathBuf::from("/run/depesch/control.sock"), mode: 0o660, group: None }
    }
}

/// A bound control socket that does not serve requests yet.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Creates the socket with its permissions. Replaces the socket of a daemon that has died, never that of a running
    /// one.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn bind(settings: &SocketSettings) -> Result<Self, ServerError> {
        let listener = socket::open(&settings.path, settings.mode, settings.group.as_deref()).await?;
        Ok(Self { listener, path: settings.path.clone() })
    }

    /// Serves requests until `stop` completes, then finishes the requests in progress and removes the socket.
    pub async fn run(self, control: Arc<ApiState>, stop: impl Future<Output = ()> + Send + 'static) {
        let service = router(control).into_make_service_with_connect_info::<Caller>();
        if let Err(error) = axum::serve(self.listener, service).with_graceful_shutdown(stop).await {
            tracing::error!("the control socket failed: {error}");
        }
        // Failing to remove it is harmless: the next start replaces a stale socket.
        let _ = std::fs::remove_file(&self.path);
    }
}
