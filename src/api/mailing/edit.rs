//! Changing what a waiting mailing sends, and showing what changed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, ReleaseId};
use crate::mailings::edit as rules;
use crate::mailings::edit::{EditError, EditOrder};

use super::super::ApiState;
use super::super::audit_trail::Trail;
use super::super::error::ApiError;
use super::super::extract::{Body, Caller, Segment};
use super::change::refusal as transition_refusal;
use super::queue::refusal as queue_refusal;
use super::view::{MailingView, counted};

/// What a mailing sends from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditRequest {
    /// The release's id.
    pub release: String,
    /// Whether it may repeat what another mailing sends.
    #[serde(default)]
    pub again: bool,
}

/// The result of an edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditAnswer {
    /// The mailing after the edit.
    pub mailing: MailingView,
    /// The release that it would have sent before.
    pub before: String,
    /// The present number of subscribers in its audience.
    pub audience: u64,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// What the last edit of a mailing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffView {
    /// The release that it would have sent before.
    pub before: String,
    /// The release that it sends now.
    pub after: String,
    /// When it was edited.
    pub at: Timestamp,
    /// Who edited it.
    pub by: String,
    /// Both files as a unified diff; empty if only attached files, contacts or boilerplate differ.
    pub diff: String,
}

pub(super) async fn edit(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Segment(id): Segment<MailingId>,
    Body(request): Body<EditRequest>,
) -> Result<Json<EditAnswer>, ApiError> {
    let release: ReleaseId = request.release.parse().map_err(|e| ApiError::invalid(format!("release: {e}")))?;
    let order = EditOrder { release, by: caller.operator(), again: request.again };
    let (store, messages) = (&control.store, control.messages.as_ref());
    let edited = rules::edit(store, messages, control.clock.now(), id, &order).await.map_err(refusal)?;
    control.notifier.notify();
    trail.detail(format!("{} to {}", edited.before, order.release));
    Ok(Json(EditAnswer {
        mailing: counted(&control, &edited.mailing).await?,
        before: edited.before.to_string(),
        audience: edited.audience,
        warnings: edited.warnings,
    }))
}

pub(super) async fn diff(
    State(control): State<Arc<ApiState>>,
    Segment(id): Segment<MailingId>,
) -> Result<Json<DiffView>, ApiError> {
    let mailing = super::find(&control, id).await?.value;
    let found = rules::difference(&control.store, &mailing).await?;
    let found = found.ok_or_else(|| {
        ApiError::not_found(format!("mailing {id} was not edited"))
            .hint("\u{201c}depesch mailing preview\u{201d} shows what it sends.")
    })?;
    let (edit, after) = (found.edit, found.after);
    let (before, after) = (edit.before.to_string(), after.to_string());
    Ok(Json(DiffView { before, after, at: edit.at, by: edit.by.name, diff: found.text }))
}

fn refusal(error: EditError) -> ApiError {
    let message = error.to_string();
    match error {
        EditError::NoMailing(id) => super::unknown(id),
        EditError::Post(_) => ApiError::new(409, "post", message),
        EditError::Unchanged { .. } => ApiError::new(409, "unchanged", message),
        EditError::Transition(error) => transition_refusal(error),
        EditError::Queue(error) => queue_refusal(error),
    }
}
