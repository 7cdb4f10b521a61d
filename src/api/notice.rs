//! Notices, the daemon's own mails that belong to no mailing: `GET /v1/notices`, `GET /v1/notices/{id}`, `POST
//! /v1/notices/{id}/retry`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::NoticeId;
use crate::composition::notices::Notices;
use crate::mailings::report::{Account, masked};
use crate::model::notice::{Notice, NoticeBody, NoticeState};
use crate::outbound::notices::worker::NoticeWorker;
use crate::store::engine::Batch;
use crate::store::notices::put_over;
use crate::store::{Attempt, Read};

use super::ApiState;
use super::error::ApiError;
use super::extract::{AddressParameters, Caller, PageBefore, Parameters, Segment};
use super::page;

/// Writes and sends notices.
#[derive(Clone)]
pub struct NoticesOut {
    /// Writes notices; notified when one is to be retried.
    pub notices: Notices,
    /// Sends notices.
    pub notice_worker: Arc<NoticeWorker>,
}

/// A notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeView {
    /// Its id.
    pub id: String,
    /// Its template, or `passed-on` for an incoming message that is forwarded.
    pub about: String,
    /// The recipient. Masked unless requested in full.
    pub to: String,
    /// The envelope sender; empty for `<>`. Masked unless requested in full.
    pub sender: String,
    /// When it was written.
    pub written: Timestamp,
    /// `waiting`, `deferred`, `in-doubt`, `accepted` or `failed`.
    pub state: String,
    /// When its state last changed; for a waiting or deferred one, when it is due.
    pub at: Timestamp,
    /// The number of attempts.
    pub attempts: u16,
    /// The number of attempts with an uncertain outcome; each may have delivered an additional copy.
    pub resent: u16,
    /// The SMTP command that the reply was for, or `connection`, `content`; empty if there was no reply.
    pub stage: String,
    /// The SMTP code.
    pub code: Option<u16>,
    /// The reply, or what failed. Addresses in it are masked unless requested in full.
    pub reply: String,
    /// The spool segment and the byte offset of the message, if it is forwarded.
    pub spool: Option<(u64, u64)>,
}

/// A page of notices.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoticePage {
    /// The notices, newest first.
    pub notices: Vec<NoticeView>,
    /// The `before` of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// The routes of notices.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/notices", get(list))
        .route("/v1/notices/{id}", get(show))
        .route("/v1/notices/{id}/retry", post(retry))
}

async fn list(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Parameters(asked): Parameters<PageBefore<String>>,
) -> Result<Json<NoticePage>, ApiError> {
    if asked.addresses {
        tracing::info!(by = %caller, "the addresses of notices were shown");
    }
    let older = |before, limit| control.store.notices(before, limit);
    let wanted = |notice: &Notice| asked.state.as_deref().is_none_or(|state| state == notice.state.word());
    let view = |notice: &Notice| view(notice, asked.addresses);
    let (notices, next) = page::newest(&asked, older, |notice| notice.id, wanted, view).await?;
    Ok(Json(NoticePage { notices, next }))
}

async fn show(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<NoticeId>,
    Parameters(AddressParameters { addresses }): Parameters<AddressParameters>,
) -> Result<Json<NoticeView>, ApiError> {
    let read = find(&control, id).await?;
    if addresses {
        tracing::info!(notice = %id, by = %caller, "the addresses of a notice were shown");
    }
    Ok(Json(view(&read.value, addresses)))
}

async fn retry(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<NoticeId>,
) -> Result<Json<NoticeView>, ApiError> {
    let of = &control;
    let opened = of.store.attempt(|| async move {
        let read = find(of, id).await?;
        let Some(open) = read.value.reopen(of.clock.now()) else {
            let words = format!("{id} is {}; only failed notices can be retried", read.value.state.word());
            return Err(ApiError::conflict(words));
        };
        let mut batch = Batch::new();
        put_over(&mut batch, &read, &open);
        Ok(Attempt::Commit(batch, open))
    });
    let open = opened.await?;
    control.services.notices.notices.notify();
    tracing::info!(notice = %id, by = %caller, "a failed notice is retried");
    Ok(Json(view(&open, false)))
}

async fn find(control: &ApiState, id: NoticeId) -> Result<Read<Notice>, ApiError> {
    let found = control.store.notice(id).await?;
    found.ok_or_else(|| ApiError::not_found(format!("there is no notice {id}; old ones are dropped by age")))
}

/// The notice in JSON.
pub(super) fn view(notice: &Notice, addresses: bool) -> NoticeView {
    let shown = |address: &Address| if addresses { address.to_string() } else { address.masked() };
    let account = Account::of_notice(notice);
    let at = match &notice.state {
        NoticeState::Waiting { due, .. } => *due,
        NoticeState::InDoubt { since } => *since,
        NoticeState::Accepted { at, .. } | NoticeState::Failed { at, .. } => *at,
    };
    NoticeView {
        id: notice.id.to_string(),
        about: notice.about.clone(),
        to: shown(&notice.recipient),
        sender: notice.sender.as_ref().map(shown).unwrap_or_default(),
        written: notice.created,
        state: notice.state.word().to_owned(),
        at,
        attempts: notice.attempts,
        resent: notice.resent,
        stage: account.stage.to_owned(),
        code: account.code,
        reply: if addresses { account.text } else { masked(&account.text) },
        spool: match &notice.body {
            NoticeBody::Kept | NoticeBody::KeptWithEnd(_) => None,
            NoticeBody::Forwarded { place, .. } => Some((place.segment, place.offset)),
        },
    }
}
