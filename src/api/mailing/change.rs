//! Changing a mailing. Each change is one conditional commit; then dispatcher and scheduler are notified.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::base::id::MailingId;
use crate::mailings::decide::{MailingDecided, approve_mailing, refuse_mailing};
use crate::mailings::reopen;
use crate::mailings::reopen::{Choice, Decision, ReopenError};
use crate::model::decision::Resolution;
use crate::model::mailing::{Mailing, PauseReason, Schedule};
use crate::model::mailing_transitions::TransitionError;
use crate::store::StoreError;

use super::super::ApiState;
use super::super::error::ApiError;
use super::super::extract::{Body, Caller, Segment};
use super::queue::{Missed, instant, met, missed_policy};
use super::unknown;
use super::view::{MailingView, counted};

/// The approval of a mailing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    /// The content hash, or at least its first eight digits: refused if the content has changed since. If absent, the
    /// current content is approved.
    #[serde(default)]
    pub content_hash: Option<String>,
}

/// A new time for a mailing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RescheduleRequest {
    /// `now`, a local time in `zone`, or an instant with a UTC offset.
    pub at: String,
    /// An IANA time zone; the mailing's own if absent.
    #[serde(default)]
    pub zone: Option<String>,
    /// What to do if the time is missed; unchanged if absent.
    #[serde(default)]
    pub missed: Option<Missed>,
}

/// A selection of deliveries. Empty fields do not restrict it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceRequest {
    /// Deliveries to these subscribers.
    #[serde(default)]
    pub subscribers: Vec<String>,
    /// Deliveries whose last reply had one of these SMTP codes.
    #[serde(default)]
    pub codes: Vec<u16>,
    /// Deliveries whose last reply had one of these enhanced status codes.
    #[serde(default)]
    pub statuses: Vec<String>,
}

/// A decision about uncertain deliveries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResolveRequest {
    /// The deliveries.
    #[serde(default)]
    pub choice: ChoiceRequest,
    /// The decision.
    pub resolution: ResolutionWord,
}

/// How to settle an uncertain delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResolutionWord {
    /// Send it again.
    Again,
    /// It was delivered.
    Accepted,
    /// It was not delivered.
    Failed,
}

/// The result of a change of deliveries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReopenAnswer {
    /// The number of deliveries changed.
    pub changed: u64,
    /// The number of selected deliveries that were not changed because they are in progress: try again later.
    pub busy: u64,
    /// The mailing after the change.
    pub mailing: MailingView,
}

/// The result of a change of a mailing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeAnswer {
    /// The mailing after the change.
    pub mailing: MailingView,
    /// Warnings.
    pub warnings: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
enum ChangeError {
    #[error(transparent)]
    Transition(#[from] TransitionError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a mailing cannot be changed in this way.
pub(super) fn refusal(error: TransitionError) -> ApiError {
    let code = match error {
        TransitionError::Stage { .. } => "stage",
        TransitionError::AlreadyPaused { .. } => "paused",
        TransitionError::NotPaused(_) => "not-paused",
        TransitionError::Unapproved(_) => "unapproved",
        TransitionError::NoApprovalNeeded(_) => "no-approval-needed",
        TransitionError::AlreadyApproved { .. } => "approved",
        TransitionError::OwnApproval { .. } => {
            return ApiError::new(403, "own-approval", error.to_string())
                .hint("The list requires a second person: another user of this machine must run the command.");
        }
        TransitionError::SameApprover { .. } => {
            return ApiError::new(403, "same-approver", error.to_string())
                .hint("A third user of this machine, who neither queued nor edited it, must run the command.");
        }
        TransitionError::Changed { .. } => "changed",
    };
    ApiError::new(409, code, error.to_string())
}

async fn change(
    control: &ApiState,
    id: MailingId,
    mut how: impl FnMut(&mut Mailing) -> Result<(), TransitionError> + Send,
) -> Result<Json<ChangeAnswer>, ApiError> {
    let changed = control.store.update_mailing(id, |mailing, _| how(mailing).map_err(ChangeError::from)).await;
    let read = match changed {
        Ok(read) => read.ok_or_else(|| unknown(id))?,
        Err(ChangeError::Transition(error)) => return Err(refusal(error)),
        Err(ChangeError::Store(error)) => return Err(error.into()),
    };
    control.notifier.notify();
    Ok(Json(ChangeAnswer { mailing: counted(control, &read.value).await?, warnings: Vec::new() }))
}

async fn decided(control: &ApiState, id: MailingId, decided: MailingDecided) -> Result<Json<ChangeAnswer>, ApiError> {
    let mailing = match decided {
        MailingDecided::Now(mailing) => mailing,
        MailingDecided::Not(error) => return Err(refusal(error)),
        MailingDecided::NoMailing => return Err(unknown(id)),
    };
    control.notifier.notify();
    Ok(Json(ChangeAnswer { mailing: counted(control, &mailing).await?, warnings: Vec::new() }))
}

pub(super) async fn pause(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<MailingId>,
) -> Result<Json<ChangeAnswer>, ApiError> {
    let now = control.clock.now();
    change(&control, id, |mailing| mailing.hold(PauseReason::Person { by: caller.name.clone() }, now)).await
}

pub(super) async fn resume(
    State(control): State<Arc<ApiState>>,
    Segment(id): Segment<MailingId>,
) -> Result<Json<ChangeAnswer>, ApiError> {
    let now = control.clock.now();
    change(&control, id, |mailing| mailing.resume(now)).await
}

pub(super) async fn cancel(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<MailingId>,
) -> Result<Json<ChangeAnswer>, ApiError> {
    let now = control.clock.now();
    let by = caller.operator();
    decided(&control, id, control.store.carry_out(|| refuse_mailing(&control.store, id, &by, now)).await?).await
}

pub(super) async fn approve(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<MailingId>,
    Body(request): Body<ApproveRequest>,
) -> Result<Json<ChangeAnswer>, ApiError> {
    let now = control.clock.now();
    let (by, seen) = (caller.operator(), request.content_hash.as_deref());
    decided(&control, id, control.store.carry_out(|| approve_mailing(&control.store, id, &by, seen, now)).await?).await
}

pub(super) async fn reschedule(
    State(control): State<Arc<ApiState>>,
    Segment(id): Segment<MailingId>,
    Body(request): Body<RescheduleRequest>,
) -> Result<Json<ChangeAnswer>, ApiError> {
    let now = control.clock.now();
    let before = super::find(&control, id).await?.value.schedule;
    let zone = request.zone.clone().unwrap_or(before.zone);
    let (at, meeting) = instant(&request.at, &zone, now)?;
    if at < now {
        return Err(ApiError::new(422, "past", format!("{} is past", request.at)).hint("Give a future time, or now."));
    }
    let missed = request.missed.map_or(before.missed, missed_policy);
    let schedule = Schedule { at, zone, missed, grace_seconds: before.grace_seconds };
    let warning = met(meeting, &request.at, &schedule);
    let (at_once, undo_seconds) = (at <= now, control.queue_defaults.undo_seconds);
    let reschedule = |mailing: &mut Mailing| {
        mailing.reschedule(schedule.clone())?;
        if at_once && undo_seconds > 0 {
            mailing.send_now(now, undo_seconds);
        }
        Ok(())
    };
    let mut answer = change(&control, id, reschedule).await?;
    answer.warnings.extend(warning);
    Ok(answer)
}

pub(super) async fn retry(
    State(control): State<Arc<ApiState>>,
    Segment(id): Segment<MailingId>,
    Body(request): Body<ChoiceRequest>,
) -> Result<Json<ReopenAnswer>, ApiError> {
    decide(&control, id, request, Decision::Retry).await
}

pub(super) async fn resolve(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<MailingId>,
    Body(request): Body<ResolveRequest>,
) -> Result<Json<ReopenAnswer>, ApiError> {
    let resolution = match request.resolution {
        ResolutionWord::Again => Resolution::Again,
        ResolutionWord::Accepted => Resolution::Accepted,
        ResolutionWord::Failed => Resolution::Failed,
    };
    let decision = Decision::Resolve { resolution, by: caller.name, at: control.clock.now() };
    decide(&control, id, request.choice, decision).await
}

async fn decide(
    control: &ApiState,
    id: MailingId,
    request: ChoiceRequest,
    decision: Decision,
) -> Result<Json<ReopenAnswer>, ApiError> {
    let subscriber = |text: &String| text.parse().map_err(|e| ApiError::invalid(format!("subscribers: {e}")));
    let choice = Choice {
        subscribers: request.subscribers.iter().map(subscriber).collect::<Result<_, _>>()?,
        codes: request.codes.into_iter().collect(),
        statuses: request.statuses.into_iter().collect(),
    };
    let done = reopen::decide(&control.store, id, &choice, &decision).await;
    // After an error too: deliveries changed before it must be sent.
    control.notifier.notify();
    let done = done.map_err(|error| match error {
        ReopenError::NoMailing(id) => unknown(id),
        ReopenError::Transition(error) => refusal(error),
        ReopenError::Store(error) => error.into(),
    })?;
    let read = super::find(control, id).await?;
    let mailing = counted(control, &read.value).await?;
    Ok(Json(ReopenAnswer { changed: done.changed, busy: done.busy, mailing }))
}
