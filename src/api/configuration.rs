//! The configuration in force: `GET /v1/configuration`, and reloading it: `POST /v1/configuration/reload`, which
//! answers once all changes are applied, or with the reason why none was.

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::ApiState;
use super::error::ApiError;

/// One key and its value in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyView {
    /// The key with its section, e.g. `relay.port`.
    pub key: String,
    /// The value in force, in TOML; secrets are not shown.
    pub value: String,
    /// Whether the file sets it.
    pub set: bool,
}

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InForce {
    /// The absolute path of the configuration file; `None` if the daemon runs with the defaults.
    pub file: Option<String>,
    /// Every key, in order.
    pub keys: Vec<KeyView>,
}

/// The result of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reloaded {
    /// Changed keys that come into force only at the next start.
    pub waiting_for_restart: Vec<String>,
}

/// A request to reload; the result is sent back, or the reason why nothing was applied.
pub(crate) type ReloadRequest = oneshot::Sender<Result<Reloaded, String>>;

/// The configuration that the API shows. Empty in a daemon that was not started by `serve`.
#[derive(Default)]
pub struct Configuration {
    in_force: RwLock<Option<InForce>>,
    reloads: RwLock<Option<mpsc::Sender<ReloadRequest>>>,
}

impl Configuration {
    /// Sets the configuration in force.
    pub(crate) fn is_in_force(&self, shown: InForce) {
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Some(shown);
    }

    /// The configuration in force.
    pub(crate) fn in_force(&self) -> Option<InForce> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A receiver for reload requests from now on.
    pub(crate) fn reloads(&self) -> mpsc::Receiver<ReloadRequest> {
        let (sender, receiver) = mpsc::channel(1);
        *self.reloads.write().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    fn sender(&self) -> Option<mpsc::Sender<ReloadRequest>> {
        self.reloads.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The routes of the configuration.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/configuration", get(show)).route("/v1/configuration/reload", post(reload))
}

async fn show(State(control): State<Arc<ApiState>>) -> Result<Json<InForce>, ApiError> {
    let shown = control.configuration.in_force();
    shown.map(Json).ok_or_else(|| ApiError::not_found("this daemon was not started from a configuration file"))
}

async fn reload(State(control): State<Arc<ApiState>>) -> Result<Json<Reloaded>, ApiError> {
    let stopping = || ApiError::conflict("the daemon is stopping, so nothing was reloaded");
    let sender = control.configuration.sender();
    let sender = sender.ok_or_else(|| ApiError::not_found("this daemon was not started from a configuration file"))?;
    let (answer, answered) = oneshot::channel();
    sender.send(answer).await.map_err(|_| stopping())?;
    match answered.await {
        Ok(Ok(reloaded)) => Ok(Json(reloaded)),
        Ok(Err(why)) => {
            Err(ApiError::conflict(format!("nothing was applied, the old configuration stays in force: {why}")))
        }
        Err(_) => Err(stopping()),
    }
}
