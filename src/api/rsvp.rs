//! Answers to invitations: `GET|POST /v1/rsvps/{release or mailing}`, `GET /v1/rsvps/{release or mailing}/export`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, ReleaseId};
use crate::composition::release::LoadError;
use crate::events::RsvpError;
use crate::events::answer::set;
use crate::events::export::{csv, known};
use crate::events::overview::{Answered, Overview};
use crate::model::rsvp::{Detail, Rsvp, RsvpAnswer, RsvpSource};

use super::ApiState;
use super::audit_trail::{Trail, person};
use super::error::ApiError;
use super::extract::{Body, Caller, Parameters, Segment};

/// An event and the answers to its invitation.
#[derive(Debug, Serialize, Deserialize)]
pub struct OverviewView {
    /// The requested release, e.g. `r12`.
    pub release: String,
    /// The release that first announced the event; later releases about it share the answers.
    pub event: String,
    /// The release's headline.
    pub headline: String,
    /// When it begins.
    pub start: Option<Timestamp>,
    /// The IANA zone of the event's times, e.g. `Europe/Stockholm`; absent from an older daemon.
    pub zone: Option<String>,
    /// The first instant at which an answer is late.
    pub deadline: Option<Timestamp>,
    /// The maximum number of participants.
    pub capacity: Option<u32>,
    /// The number of addresses that answered yes.
    pub yes: usize,
    /// The number of addresses that answered no.
    pub no: usize,
    /// The number of addresses that answered maybe.
    pub maybe: usize,
    /// The number of addresses with an unclear answer only.
    pub unclear: usize,
    /// The number of participants: the sum of the people in all answers of yes.
    pub people: u32,
    /// The number of answers a person must check: the last reply was unclear, even if an earlier one counts.
    pub to_be_seen: usize,
    /// Whether there are more answers than shown.
    pub cut: bool,
    /// The answers: yes first, in the order in which they were given.
    pub answers: Vec<RsvpView>,
}

/// The answer of one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RsvpView {
    /// The release that first announced the event.
    pub event: String,
    /// The address.
    pub address: String,
    /// The subscriber's number, if the address is a subscriber's.
    pub subscriber: Option<String>,
    /// `yes`, `no`, `maybe` or `unclear`: the last certain answer.
    pub answer: String,
    /// When it was received.
    pub at: Option<Timestamp>,
    /// The name.
    pub name: Option<String>,
    /// The newsroom or organisation.
    pub newsroom: Option<String>,
    /// The function.
    pub function: Option<String>,
    /// The number of the press card.
    pub press_card: Option<String>,
    /// The number of people, if given.
    pub people: Option<u32>,
    /// Which of name and newsroom come not from an answer but from the subscriber or the mail's From field.
    pub known: Vec<String>,
    /// The comment.
    pub comment: String,
    /// Whether it was received after the deadline.
    pub late: bool,
    /// Whether this yes exceeds the capacity, counting earlier ones.
    pub over_capacity: bool,
    /// Whether the last reply was unclear, so that a person must check it.
    pub to_be_seen: bool,
    /// All replies, oldest first.
    pub changes: Vec<ChangeView>,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    /// When it was received.
    pub at: Timestamp,
    /// The answer it contains.
    pub answer: String,
    /// The channel: `calendar`, `words`, `operator`, `web` or `api`.
    pub way: String,
    /// The source: the mail's number, the operator, the network of a form or the program with access to the API.
    pub from: String,
    /// The release it replies to.
    pub release: String,
    /// The comment.
    pub comment: String,
    /// Why it is unclear.
    pub why: String,
    /// Whether it was received after the deadline.
    pub late: bool,
}

/// An answer entered by an operator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAnswer {
    /// The address of the person who answers.
    pub address: String,
    /// The answer.
    pub answer: AnswerWord,
    /// A comment, e.g. how the answer was given.
    #[serde(default)]
    pub comment: String,
}

/// The answers an operator can enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerWord {
    /// The person comes.
    Yes,
    /// The person does not come.
    No,
    /// The person may come.
    Maybe,
}

#[derive(Deserialize)]
struct ExportParameters {
    #[serde(default)]
    excel: bool,
}

/// The routes of answers.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/rsvps/{event}", get(show).post(enter)).route("/v1/rsvps/{event}/export", get(export))
}

async fn show(
    State(control): State<Arc<ApiState>>,
    Segment(named): Segment<String>,
) -> Result<Json<OverviewView>, ApiError> {
    let release = release_of(&control, &named).await?;
    Ok(Json(OverviewView::from(&Overview::of(&control.store, release).await?)))
}

async fn export(
    State(control): State<Arc<ApiState>>,
    Segment(named): Segment<String>,
    Parameters(ExportParameters { excel }): Parameters<ExportParameters>,
) -> Result<Response, ApiError> {
    let release = release_of(&control, &named).await?;
    let bytes = csv(&Overview::of(&control.store, release).await?, excel);
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], bytes).into_response())
}

async fn enter(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Segment(named): Segment<String>,
    Body(new): Body<NewAnswer>,
) -> Result<Json<RsvpView>, ApiError> {
    let release = release_of(&control, &named).await?;
    let address: Address = new.address.parse().map_err(|e| ApiError::invalid(format!("{e}")))?;
    let who = person(&control, &control.audit(), address.as_str()).await?.join(" ");
    let answer = match new.answer {
        AnswerWord::Yes => RsvpAnswer::Yes,
        AnswerWord::No => RsvpAnswer::No,
        AnswerWord::Maybe => RsvpAnswer::Maybe,
    };
    let told = (control.clock.now(), caller.name.as_str(), new.comment.as_str());
    let rsvp = set(&control.store, &control.key, release, &address, answer, told).await?;
    trail.detail(format!("{} for {who}", answer.word()));
    tracing::info!(address = %address.masked(), by = %caller, %release, answer = answer.word(), "answer entered");
    Ok(Json(RsvpView::from(&rsvp)))
}

/// The release named by `r12` or sent by mailing `m7`.
async fn release_of(control: &ApiState, named: &str) -> Result<ReleaseId, ApiError> {
    if named.starts_with('m') {
        let mailing: MailingId = named.parse().map_err(|e| ApiError::invalid(format!("{e}")))?;
        let found = control.store.mailing(mailing).await?;
        let found = found.ok_or_else(|| ApiError::not_found(format!("there is no mailing {mailing}")))?;
        let no_release = || ApiError::new(409, "no-event", format!("mailing {mailing} carries a post, and no release"));
        return found.value.content.release().ok_or_else(no_release);
    }
    named.parse().map_err(|e| ApiError::invalid(format!("{e}")))
}

impl From<RsvpError> for ApiError {
    fn from(error: RsvpError) -> Self {
        match error {
            RsvpError::NoRelease(_) => Self::not_found(error.to_string()),
            RsvpError::NoEvent(_) => Self::new(409, "no-event", error.to_string())
                .hint("Answers are kept for releases with an [event]; \u{201c}depesch release list\u{201d} shows all."),
            RsvpError::Store(error) | RsvpError::Load(LoadError::Store(error)) => error.into(),
            RsvpError::Load(error @ LoadError::Unreadable { .. }) => Self::new(500, "release", error.to_string()),
        }
    }
}

impl From<&Overview> for OverviewView {
    fn from(overview: &Overview) -> Self {
        let counts = overview.counts();
        let count = |answer| counts.get(&answer).copied().unwrap_or(0);
        Self {
            release: overview.release.to_string(),
            event: overview.event.to_string(),
            headline: overview.headline.clone(),
            start: overview.start,
            zone: overview.zone.map(|zone| zone.name().to_owned()),
            deadline: overview.deadline,
            capacity: overview.capacity,
            yes: count(RsvpAnswer::Yes),
            no: count(RsvpAnswer::No),
            maybe: count(RsvpAnswer::Maybe),
            unclear: count(RsvpAnswer::Unclear),
            people: overview.heads(),
            to_be_seen: overview.to_be_seen(),
            cut: overview.cut,
            answers: overview.answers.iter().map(RsvpView::from).collect(),
        }
    }
}

impl From<&Answered> for RsvpView {
    fn from(answered: &Answered) -> Self {
        Self { over_capacity: answered.over_capacity, ..Self::from(&answered.rsvp) }
    }
}

impl From<&Rsvp> for RsvpView {
    fn from(rsvp: &Rsvp) -> Self {
        let text = |detail: &Option<Detail>| detail.as_ref().map(|detail| detail.text.clone());
        let current = rsvp.current();
        let changes = rsvp.changes.iter().map(|change| ChangeView {
            at: change.at,
            answer: change.answer.word().to_owned(),
            way: change.source.word().to_owned(),
            from: match &change.source {
                RsvpSource::Calendar { inbound } | RsvpSource::Words { inbound } => inbound.to_string(),
                RsvpSource::Operator { who } => who.clone(),
                RsvpSource::Web { network } => network.to_string(),
                RsvpSource::Api { client } => client.clone(),
            },
            release: change.release.to_string(),
            comment: change.comment.clone(),
            why: change.why.clone(),
            late: change.late,
        });
        Self {
            event: rsvp.event.to_string(),
            address: rsvp.address.to_string(),
            subscriber: rsvp.subscriber.map(|id| id.to_string()),
            answer: rsvp.answer().word().to_owned(),
            at: current.map(|change| change.at),
            name: text(&rsvp.person.name),
            newsroom: text(&rsvp.person.newsroom),
            function: text(&rsvp.person.function),
            press_card: text(&rsvp.person.press_card),
            people: rsvp.person.people,
            known: known(rsvp).into_iter().map(str::to_owned).collect(),
            comment: current.map(|change| change.comment.clone()).unwrap_or_default(),
            late: current.is_some_and(|change| change.late),
            over_capacity: false,
            to_be_seen: rsvp.to_be_seen(),
            changes: changes.collect(),
        }
    }
}
