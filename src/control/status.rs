//! `GET /v1/status`: whether the daemon is well.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;

use super::Control;
use super::error::ApiError;

/// How the daemon is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Its process.
    pub process: u32,
    /// When it started.
    pub started: Timestamp,
    /// What time it thinks it is.
    pub now: Timestamp,
    /// Where its store lies.
    pub state_directory: String,
    /// Where mail goes out, in words.
    pub transport: String,
}

/// The routes of this noun.
pub fn routes() -> Router<Arc<Control>> {
    Router::new().route("/v1/status", get(show))
}

async fn show(State(control): State<Arc<Control>>) -> Result<Json<Status>, ApiError> {
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        started: control.started,
        now: control.clock.now(),
        state_directory: control.state_directory.display().to_string(),
        transport: control.transport.clone(),
    }))
}
