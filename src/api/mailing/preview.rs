//! A mailing as one of its readers gets it, from the store: for who queued it and for who approves it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::base::id::MailingId;
use crate::mailings::sample::show_mailing;

use super::super::ApiState;
use super::super::error::ApiError;
use super::super::extract::{Caller, Parameters, Segment};
use super::super::release::sample::{PreviewParameters, PreviewView, reader_of, refusal, view};

pub(super) async fn preview(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<MailingId>,
    Parameters(wanted): Parameters<PreviewParameters>,
) -> Result<Json<PreviewView>, ApiError> {
    let mailing = super::find(&control, id).await?.value;
    let reader = reader_of(&control, &caller, &wanted).await?;
    let sample = show_mailing(control.messages.as_ref(), &mailing, &reader).await.map_err(refusal)?;
    Ok(Json(view(sample, wanted.message)))
}
