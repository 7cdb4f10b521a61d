//! Outgoing mail as a whole: `POST /v1/outbound/flush`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::id::MailingId;
use crate::outbound::flush::{Flush, Flushed, flush};

use super::ApiState;
use super::error::ApiError;
use super::extract::{Body, Caller};

/// The deferred deliveries and notices to retry now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlushRequest {
    /// Only deliveries of this mailing, e.g. `m7`; no notices.
    pub mailing: Option<String>,
    /// Only those to this domain.
    pub domain: Option<String>,
}

/// What will be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushAnswer {
    /// The number of deliveries.
    pub changed: u64,
    /// The number of notices.
    #[serde(default)]
    pub notices: u64,
}

/// The route for flushing.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/outbound/flush", post(flush_now))
}

async fn flush_now(
    State(control): State<Arc<ApiState>>,
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
    // After an error too: deliveries changed before it must be sent.
    control.services.dispatcher.try_relay_now();
    control.notifier.notify();
    control.services.notices.notice_worker.try_relay_now();
    control.services.notices.notices.notify();
    let Flushed { deliveries, notices } = done?;
    tracing::info!(by = %caller, deliveries, notices, "deferred mail was made due");
    Ok(Json(FlushAnswer { changed: deliveries, notices }))
}
