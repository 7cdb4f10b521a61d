//! The configuration in force: `GET /v1/configuration`, and reading it again: `POST /v1/configuration/reload`, which answers
//! when all was taken over, or says why nothing was.

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::ApiState;
use super::error::ApiError;

/// One key with its value in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// The key with its section, e.g. `relay.port`.
    pub key: String,
    /// The value in force, as it is written in TOML; never a secret.
    pub value: String,
    /// Whether the file sets it.
    pub set: bool,
}

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// The file that the daemon reads, an absolute path; `None` where it runs with the defaults.
    pub file: Option<String>,
    /// Every key, in order.
    pub keys: Vec<KeyView>,
}

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Keys that have another value in the file and come into force at the next start only.
    pub waiting_for_restart: Vec<String>,
}

/// A reload that was asked for: what came of it is sent back, or in one text why nothing was taken over.
pub type ReloadRequest = oneshot::Sender<Result<Reloaded, String>>;

/// What the service tells of its configuration. Empty in a daemon that was not started by `serve`.
#[derive(Default)]
pub struct Configuration {
    in_force: RwLock<Option<InForce>>,
    reloads: RwLock<Option<mpsc::Sender<ReloadRequest>>>,
}

impl Configuration {
    /// Says what is in force from now on.
    pub fn is_in_force(&self, shown: InForce) {
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Some(shown);
    }

    /// What is in force.
    pub fn in_force(&self) -> Option<InForce> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where reloads that are asked for arrive from now on.
    pub fn reloads(&self) -> mpsc::Receiver<ReloadRequest> {
        let (sender, receiver) = mpsc::channel(1);
        *self.reloads.write().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    fn sender(&self) -> Option<mpsc::Sender<ReloadRequest>> {
        self.reloads.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The routes of this noun.
pub fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/configuration", get(show)).route("/v1/configuration/reload", post(reload))
}

async fn show(State(control): State<Arc<ApiState>>) -> Result<Json<InForce>, ApiError> {
    let shown = control.configuration.in_force();
    shown.map(Json).ok_or_else(|| ApiError::not_found("this daemon was not started from a configuration file"))
}

async fn reload(State(control): State<Arc<ApiState>>) -> Result<Json<Reloaded>, ApiError> {
    let stopping = || ApiError::conflict("the daemon is stopping: nothing was read again");
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
