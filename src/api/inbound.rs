//! Incoming mail: `GET /v1/inbound`, `GET /v1/inbound/{id}`, `GET /v1/inbound/{id}/raw`, `POST /v1/inbound/{id}/retry`.
//! Messages are piped in through [`super::inject`].

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::InboundId;
use crate::inbound::recipients::Ingest;
use crate::mailings::report::masked;
use crate::model::inbound::{Inbound, InboundState};
use crate::operations::listeners::Listeners;
use crate::runtime::notifier::Notifier;
use crate::store::engine::Batch;
use crate::store::inbound::put_waiting;
use crate::store::spool::{Spool, SpoolError};
use crate::store::{Attempt, Read};

use super::ApiState;
use super::error::ApiError;
use super::extract::{AddressParameters, Caller, PageBefore, Parameters, Segment};
use super::page;

/// Accepts and stores incoming mail.
#[derive(Clone)]
pub struct MailIn {
    /// Accepts messages.
    pub ingest: Arc<dyn Ingest>,
    /// The messages as received.
    pub spool: Spool,
    /// Notifies the workers that handle incoming messages.
    pub notifier: Notifier,
    /// The protocols whose sockets were passed in at earlier starts; `None` in tests that open none.
    pub listeners: Option<Arc<Listeners>>,
}

/// An incoming message for one of its recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundView {
    /// Its id.
    pub id: String,
    /// When it was received.
    pub at: Timestamp,
    /// `smtp`, `lmtp` or `file`.
    pub via: String,
    /// The sending host.
    pub peer: Option<String>,
    /// The host name given in EHLO, HELO or LHLO.
    pub helo: String,
    /// Whether it was received over TLS.
    pub encrypted: bool,
    /// The envelope sender; empty for `<>`. Masked unless requested in full.
    pub sender: String,
    /// The envelope recipient. Masked unless requested in full.
    pub recipient: String,
    /// Its length in bytes.
    pub bytes: u32,
    /// `waiting`, `handled` or `stuck`.
    pub state: String,
    /// What kind of message it is, once handled.
    pub kind: Option<String>,
    /// When it entered that state; `None` while it waits.
    pub since: Option<Timestamp>,
    /// What was done, or what failed.
    pub note: String,
    /// The spool segment that contains it.
    pub segment: u64,
    /// Its offset in the segment, in bytes.
    pub offset: u64,
}

/// A page of incoming messages.
#[derive(Debug, Serialize, Deserialize)]
pub struct InboundPage {
    /// The messages, newest first.
    pub messages: Vec<InboundView>,
    /// The `before` of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// The states by which messages can be filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateName {
    Waiting,
    Handled,
    Stuck,
}

/// The routes of incoming mail.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/inbound", get(list))
        .route("/v1/inbound/{id}", get(show))
        .route("/v1/listeners/{protocol}", delete(forget_listener))
        .route("/v1/inbound/{id}/raw", get(raw))
        .route("/v1/inbound/{id}/retry", post(retry))
}

/// Forgets a socket passed in at earlier starts that is no longer needed.
async fn forget_listener(
    State(control): State<Arc<ApiState>>,
    axum::extract::Path(protocol): axum::extract::Path<String>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let listeners = control.services.mail_in.listeners.clone();
    let listeners = listeners.ok_or_else(|| ApiError::not_found("this daemon does not receive mail"))?;
    let name = protocol.clone();
    let forgotten = tokio::task::spawn_blocking(move || listeners.forget(&name)).await;
    match forgotten.map_err(|error| ApiError::internal(error.to_string()))? {
        Ok(true) => Ok(Json(serde_json::json!({ "forgotten": protocol }))),
        Ok(false) => Err(ApiError::not_found(format!("no socket for {protocol} was passed in by systemd before"))),
        Err(error) => Err(ApiError::internal(format!("the listener could not be removed from the list: {error}"))),
    }
}

async fn list(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Parameters(asked): Parameters<PageBefore<StateName>>,
) -> Result<Json<InboundPage>, ApiError> {
    if asked.addresses {
        tracing::info!(by = %caller, "the addresses of incoming mail were shown");
    }
    let older = |before, limit| control.store.newest_inbound(before, limit);
    let wanted = |inbound: &Inbound| asked.state.is_none_or(|state| state == state_of(inbound));
    let view = |inbound: &Inbound| view(inbound, asked.addresses);
    let (messages, next) = page::newest(&asked, older, |inbound| inbound.id, wanted, view).await?;
    Ok(Json(InboundPage { messages, next }))
}

async fn show(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<InboundId>,
    Parameters(AddressParameters { addresses }): Parameters<AddressParameters>,
) -> Result<Json<InboundView>, ApiError> {
    let read = find(&control, id).await?;
    if addresses {
        tracing::info!(inbound = %id, by = %caller, "the addresses of an incoming message were shown");
    }
    Ok(Json(view(&read.value, addresses)))
}

async fn raw(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<InboundId>,
) -> Result<Response, ApiError> {
    let read = find(&control, id).await?;
    let bytes = control.services.mail_in.spool.read(read.value.place).await?;
    tracing::info!(inbound = %id, by = %caller, "an incoming message was shown");
    Ok(([(CONTENT_TYPE, "message/rfc822")], bytes).into_response())
}

async fn retry(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<InboundId>,
) -> Result<Json<InboundView>, ApiError> {
    let of = &control;
    let waits = of.store.attempt(|| async move {
        let read = find(of, id).await?;
        if !matches!(read.value.state, InboundState::Stuck { .. }) {
            let words = format!("{id} is {}; only stuck messages can be retried", word(state_of(&read.value)));
            return Err(ApiError::conflict(words));
        }
        let mut batch = Batch::new();
        put_waiting(&mut batch, &read);
        Ok(Attempt::Commit(batch, Inbound { state: InboundState::Waiting, ..read.value }))
    });
    let waiting = waits.await?;
    control.services.mail_in.notifier.notify();
    tracing::info!(inbound = %id, by = %caller, "a stuck message is retried");
    Ok(Json(view(&waiting, false)))
}

async fn find(control: &ApiState, id: InboundId) -> Result<Read<Inbound>, ApiError> {
    let found = control.store.inbound(id).await?;
    found.ok_or_else(|| ApiError::not_found(format!("there is no message {id}; old ones are dropped by age")))
}

fn state_of(inbound: &Inbound) -> StateName {
    match inbound.state {
        InboundState::Waiting => StateName::Waiting,
        InboundState::Handled { .. } => StateName::Handled,
        InboundState::Stuck { .. } => StateName::Stuck,
    }
}

fn word(state: StateName) -> &'static str {
    match state {
        StateName::Waiting => "waiting",
        StateName::Handled => "handled",
        StateName::Stuck => "stuck",
    }
}

/// The message in JSON.
pub(super) fn view(inbound: &Inbound, addresses: bool) -> InboundView {
    let shown = |text: &str| if addresses { text.to_owned() } else { masked(text) };
    let (since, kind, note) = match &inbound.state {
        InboundState::Waiting => (None, None, String::new()),
        InboundState::Handled { at, kind, note } => (Some(*at), Some(kind.word().to_owned()), note.clone()),
        InboundState::Stuck { at, what } => (Some(*at), None, shown(what)),
    };
    let (arrival, place) = (&inbound.arrival, inbound.place);
    InboundView {
        id: inbound.id.to_string(),
        at: arrival.at,
        via: arrival.via.word().to_owned(),
        peer: arrival.peer.map(|peer| peer.to_string()),
        helo: arrival.helo.clone(),
        encrypted: arrival.encrypted,
        sender: shown(arrival.sender.as_deref().unwrap_or_default()),
        recipient: shown(&inbound.recipient),
        bytes: place.length,
        state: word(state_of(inbound)).to_owned(),
        kind,
        since,
        note,
        segment: place.segment,
        offset: place.offset,
    }
}

impl From<SpoolError> for ApiError {
    fn from(error: SpoolError) -> Self {
        match &error {
            SpoolError::Dropped { .. } | SpoolError::Erased { .. } => Self::not_found(error.to_string()),
            SpoolError::Damaged { .. } | SpoolError::Newer { .. } => Self::new(500, "store", error.to_string()),
            SpoolError::Full(_) | SpoolError::Io { .. } | SpoolError::TooLarge(_) | SpoolError::Closed => {
                Self::new(503, "store", error.to_string())
            }
        }
    }
}
