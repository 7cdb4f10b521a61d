//! Mailings: queueing, changing and reporting.
//!
//! | path | does |
//! |---|---|
//! | `GET /v1/mailings` | lists mailings, newest first |
//! | `POST /v1/mailings` | queues one; `?check=true` only checks it; takes an `Idempotency-Key` |
//! | `GET /v1/mailings/{id}` | returns one with its counts |
//! | `GET /v1/mailings/{id}/report` | returns counts and problems, grouped and one by one |
//! | `GET /v1/mailings/{id}/deliveries` | streams all deliveries, as lines |
//! | `GET /v1/mailings/{id}/deliveries/{subscriber}` | returns the delivery to one subscriber |
//! | `GET /v1/mailings/{id}/audience` | lists the people of its lists: who is in its audience, who is not, and why |
//! | `POST /v1/mailings/audience` | the same for an audience that is not queued |
//! | `GET /v1/mailings/{id}/preview` | shows it as a reader gets it |
//! | `POST /v1/mailings/{id}/edit` | changes what it sends |
//! | `GET /v1/mailings/{id}/diff` | shows what the last edit changed |
//! | `POST /v1/mailings/{id}/pause`, `resume`, `cancel`, `approve`, `reschedule` | changes it |
//! | `POST /v1/mailings/{id}/retry`, `resolve` | decides about settled deliveries |

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use crate::base::id::MailingId;
use crate::model::mailing::Mailing;
use crate::store::{Read, mailings};

use super::ApiState;
use super::error::ApiError;
use super::extract::{Parameters, Segment};

pub mod audience;
pub mod change;
pub mod edit;
mod preview;
pub mod queue;
pub mod report;
pub mod view;

use view::{MailingView, counted};

/// The routes of mailings.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/mailings", get(list).post(queue::queue))
        .route("/v1/mailings/{id}", get(show))
        .route("/v1/mailings/{id}/report", get(report::report))
        .route("/v1/mailings/{id}/deliveries", get(report::deliveries))
        .route("/v1/mailings/{id}/deliveries/{subscriber}", get(report::delivery))
        .route("/v1/mailings/audience", post(audience::of_query))
        .route("/v1/mailings/{id}/audience", get(audience::of_mailing))
        .route("/v1/mailings/{id}/preview", get(preview::preview))
        .route("/v1/mailings/{id}/edit", post(edit::edit))
        .route("/v1/mailings/{id}/diff", get(edit::diff))
        .route("/v1/mailings/{id}/pause", post(change::pause))
        .route("/v1/mailings/{id}/resume", post(change::resume))
        .route("/v1/mailings/{id}/cancel", post(change::cancel))
        .route("/v1/mailings/{id}/approve", post(change::approve))
        .route("/v1/mailings/{id}/reschedule", post(change::reschedule))
        .route("/v1/mailings/{id}/retry", post(change::retry))
        .route("/v1/mailings/{id}/resolve", post(change::resolve))
}

/// Maximum number of mailings in a response.
const LIST_LIMIT: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    stage: Option<String>,
    limit: Option<usize>,
}

async fn list(
    State(control): State<Arc<ApiState>>,
    Parameters(ListParameters { stage, limit }): Parameters<ListParameters>,
) -> Result<Json<Vec<MailingView>>, ApiError> {
    let limit = limit.unwrap_or(50).min(LIST_LIMIT);
    let wanted = |m: &Mailing| match stage.as_deref() {
        None => true,
        Some("paused") => m.pause.is_some(),
        Some(stage) => m.stage.word() == stage,
    };
    let (mut newest, mut views) = (control.store.pages(mailings::all().backward()), Vec::new());
    while views.len() < limit
        && let Some(read) = newest.next().await?
    {
        if wanted(&read.value) {
            views.push(counted(&control, &read.value).await?);
        }
    }
    Ok(Json(views))
}

async fn show(
    State(control): State<Arc<ApiState>>,
    Segment(id): Segment<MailingId>,
) -> Result<Json<MailingView>, ApiError> {
    let read = find(&control, id).await?;
    Ok(Json(counted(&control, &read.value).await?))
}

/// The mailing with this id.
async fn find(control: &ApiState, id: MailingId) -> Result<Read<Mailing>, ApiError> {
    control.store.mailing(id).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: MailingId) -> ApiError {
    ApiError::not_found(format!("there is no mailing {id}"))
        .hint("\u{201c}depesch mailing list\u{201d} shows them all.")
}
