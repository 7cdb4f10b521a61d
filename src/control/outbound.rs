//! Mail out as a whole: `POST /v1/outbound/flush`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::id::MailingId;
use crate::flow::flush::{Flush, flush};

use super::Control;
use super::error::ApiError;
use super::extract::{Body, Caller};

/// Which deferred deliveries are to be due now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlushRequest {
    /// Only of this mailing, e.g. `m7`.
    pub mailing: Option<String>,
    /// Only to this domain.
    pub domain: Option<String>,
}

/// What became due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushAnswer {
    /// So many deliveries.
    pub changed: u64,
}

/// The routes of this noun.
pub fn routes() -> Router<Arc<Control>> {
    Router::new().route("/v1/outbound/flush", post(flush_now))
}

async fn flush_now(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Body(request): Body<FlushRequest>,
) -> Result<Json<FlushAnswer>, ApiError> {
    let mailing = request.mailing.map(|id| id.parse::<MailingId>()).transpose();
    let mailing = mailing.map_err(|error| ApiError::invalid(format!("mailing: {error}")))?;
    if let Some(id) = mailing
        && control.store.mailing(id).await?.is_none()
    {
        return Err(ApiError::not_found(format!("there is no mailing {id}")));
    }
    let what = Flush { mailing, domain: request.domain };
    let done = flush(&control.store, control.clock.now(), &what).await;
    // Also after an error: what was changed before it is to be sent.
    control.wake.notify();
    let changed = done?;
    tracing::info!(by = %caller, deliveries = changed, "deferred deliveries were made due");
    Ok(Json(FlushAnswer { changed }))
}
