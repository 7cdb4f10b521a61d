//! Letters, the mails of our own that belong to no mailing: `GET /v1/letters`, `GET /v1/letters/{id}`,
//! `POST /v1/letters/{id}/retry`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::LetterId;
use crate::composition::notices::Letters;
use crate::mailings::report::{Account, masked};
use crate::model::letter::{Letter, LetterBody, LetterState};
use crate::outbound::notices::worker::Postman;
use crate::store::engine::Batch;
use crate::store::letters::put_over;
use crate::store::{Attempt, Read};

use super::Control;
use super::error::ApiError;
use super::extract::{AddressParameters, Caller, PageBefore, Parameters, Segment};

/// Letters read at a time.
const PAGE: usize = 500;

/// What writes letters, and what sends them.
#[derive(Clone)]
pub struct LettersOut {
    /// Writes them; told when one is to be tried again.
    pub letters: Letters,
    /// Sends them.
    pub postman: Arc<Postman>,
}

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterView {
    /// Its id.
    pub id: String,
    /// Its template, or `passed-on` for a message that came in and was passed on.
    pub about: String,
    /// To whom. Masked unless asked for.
    pub to: String,
    /// The envelope sender; empty for `<>`. Masked unless asked for.
    pub sender: String,
    /// When it was written.
    pub written: Timestamp,
    /// `waiting`, `deferred`, `in-doubt`, `accepted` or `failed`.
    pub state: String,
    /// When the last thing happened to it; for a waiting or deferred one when it is due.
    pub at: Timestamp,
    /// How many times it was tried.
    pub attempts: u16,
    /// How many of those ended in doubt: so many copies more may have arrived.
    pub resent: u16,
    /// To which SMTP command the answer was, or `connection`, `content`; empty where nothing was said.
    pub stage: String,
    /// The SMTP code.
    pub code: Option<u16>,
    /// What was said, or went wrong. Addresses in it are masked unless asked for.
    pub reply: String,
    /// The spool's segment and octet that hold the message, where it was passed on.
    pub spool: Option<(u64, u64)>,
}

/// Some letters.
#[derive(Debug, Serialize, Deserialize)]
pub struct LetterPage {
    /// The newest first.
    pub letters: Vec<LetterView>,
    /// What to ask the next page with; nothing after the last.
    pub next: Option<String>,
}

/// The routes of this noun.
pub fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/v1/letters", get(page))
        .route("/v1/letters/{id}", get(show))
        .route("/v1/letters/{id}/retry", post(retry))
}

async fn page(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Parameters(PageBefore { before, limit, state, addresses }): Parameters<PageBefore<String>>,
) -> Result<Json<LetterPage>, ApiError> {
    if addresses {
        tracing::info!(by = %caller, "the addresses of letters were shown");
    }
    let limit = limit.unwrap_or(50).clamp(1, 5000);
    let wanted = |letter: &Letter| state.as_deref().is_none_or(|state| state == letter.state.word());
    let before =
        before.map(|id| id.parse().map_err(|error| ApiError::invalid(format!("before: {error}")))).transpose()?;
    let (mut letters, mut before): (_, Option<LetterId>) = (Vec::new(), before);
    loop {
        let found = control.store.letters(before, PAGE.min(limit)).await?;
        let Some(oldest) = found.last() else { return Ok(Json(LetterPage { letters, next: None })) };
        before = Some(oldest.value.id);
        for read in found.iter().filter(|read| wanted(&read.value)) {
            letters.push(view(&read.value, addresses));
            if letters.len() == limit {
                return Ok(Json(LetterPage { letters, next: Some(read.value.id.to_string()) }));
            }
        }
    }
}

async fn show(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Segment(id): Segment<LetterId>,
    Parameters(AddressParameters { addresses }): Parameters<AddressParameters>,
) -> Result<Json<LetterView>, ApiError> {
    let read = find(&control, id).await?;
    if addresses {
        tracing::info!(letter = %id, by = %caller, "the addresses of a letter were shown");
    }
    Ok(Json(view(&read.value, addresses)))
}

async fn retry(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Segment(id): Segment<LetterId>,
) -> Result<Json<LetterView>, ApiError> {
    let of = &control;
    let opened = of.store.attempt(|| async move {
        let read = find(of, id).await?;
        let Some(open) = read.value.reopen(of.clock.now()) else {
            let words = format!("{id} is {}; only what failed is tried again by hand", read.value.state.word());
            return Err(ApiError::conflict(words));
        };
        let mut batch = Batch::new();
        put_over(&mut batch, &read, &open);
        Ok(Attempt::Commit(batch, open))
    });
    let open = opened.await?;
    if let Some(out) = &control.letters {
        out.letters.notify();
    }
    tracing::info!(letter = %id, by = %caller, "a failed letter is tried again");
    Ok(Json(view(&open, false)))
}

async fn find(control: &Control, id: LetterId) -> Result<Read<Letter>, ApiError> {
    let found = control.store.letter(id).await?;
    found.ok_or_else(|| ApiError::not_found(format!("there is no letter {id}; old ones are dropped by age")))
}

/// The letter as it travels.
pub(super) fn view(letter: &Letter, addresses: bool) -> LetterView {
    let shown = |address: &Address| if addresses { address.to_string() } else { address.masked() };
    let account = Account::of_letter(letter);
    let at = match &letter.state {
        LetterState::Waiting { due, .. } => *due,
        LetterState::InDoubt { since } => *since,
        LetterState::Accepted { at, .. } | LetterState::Failed { at, .. } => *at,
    };
    LetterView {
        id: letter.id.to_string(),
        about: letter.about.clone(),
        to: shown(&letter.recipient),
        sender: letter.sender.as_ref().map(shown).unwrap_or_default(),
        written: letter.created,
        state: letter.state.word().to_owned(),
        at,
        attempts: letter.attempts,
        resent: letter.resent,
        stage: account.stage.to_owned(),
        code: account.code,
        reply: if addresses { account.text } else { masked(&account.text) },
        spool: match &letter.body {
            LetterBody::Kept => None,
            LetterBody::PassedOn { place, .. } => Some((place.segment, place.offset)),
        },
    }
}
