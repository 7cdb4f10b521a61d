//! The Unix socket: who may open it, and its start and stop.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::UnixListener;

use crate::socket;
pub use crate::socket::SocketError as ServerError;

use super::extract::Caller;
use super::{ApiState, router};

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
        let listener = socket::open(&settings.path, settings.mode, settings.group.as_deref()).await?;
        Ok(Self { listener, path: settings.path.clone() })
    }

    /// Answers until `stop` completes, then ends the requests that run and removes the socket.
    pub async fn run(self, control: Arc<ApiState>, stop: impl Future<Output = ()> + Send + 'static) {
        let service = router(control).into_make_service_with_connect_info::<Caller>();
        if let Err(error) = axum::serve(self.listener, service).with_graceful_shutdown(stop).await {
            tracing::error!("the control socket failed: {error}");
        }
        // Whatever else happens, a stale socket is only a stale socket.
        let _ = std::fs::remove_file(&self.path);
    }
}
