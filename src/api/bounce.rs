//! Bounces: `GET /v1/bounces?mailing=…&subscriber=…`, `GET /v1/bounces/{who}`, `POST /v1/bounces/{who}/reset`, where
//! `who` is a number such as `s17` or an address, and `POST /v1/mailings/{id}/forgive`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, ListName, MailingId, SubscriberId};
use crate::mailings::report::masked;
use crate::model::bounce::{Bounce, BounceSource, Score};
use crate::model::subscriber::SubscriptionState;
use crate::store::mailings;

use super::ApiState;
use super::error::ApiError;
use super::extract::{Caller, Parameters, Segment};

/// Bounces listed by default.
const LISTED: usize = 50;
/// Maximum number of bounces listed.
const LISTED_LIMIT: usize = 10_000;

/// A bounce: what was reported about one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BounceView {
    /// The mailing.
    pub mailing: MailingId,
    /// The recipient.
    pub subscriber: SubscriberId,
    /// The recipient's present address, masked unless requested in full; `erased` if the person was erased.
    pub address: String,
    /// When this report arrived.
    pub at: Timestamp,
    /// `permanent`, `temporary`, `delayed`, `complaint` or `none`.
    pub verdict: String,
    /// The cause: `address`, `mailbox`, `content`, `policy`, `network`, `complaint`, `auto-reply`, `notice` or `other`.
    pub class: String,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The text of the report.
    pub evidence: String,
    /// `session` (an SMTP reply) or `mail`.
    pub source: String,
    /// The incoming message with the report.
    pub inbound: Option<InboundId>,
    /// The effect: `nothing`, `scored`, `suspended`, `former-address` or `ended`.
    pub effect: String,
    /// The number of reports about this delivery.
    pub reports: u32,
}

/// A page of bounces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BouncePage {
    /// The bounces, latest mailing first.
    pub bounces: Vec<BounceView>,
    /// Whether there are more.
    pub more: bool,
}

/// One person's bounces and their effects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonBouncesView {
    /// The subscriber.
    pub subscriber: SubscriberId,
    /// The address.
    pub address: String,
    /// When the address last changed; `None` if it never did.
    pub address_since: Option<Timestamp>,
    /// Failed mailings that still count, because no later delivery succeeded.
    pub counted: Vec<CountedView>,
    /// The suspension in force.
    pub suspension: Option<SuspensionView>,
    /// The bounces, oldest mailing first.
    pub bounces: Vec<BounceView>,
}

/// A mailing that counts against an address.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct CountedView {
    /// The mailing.
    pub mailing: MailingId,
    /// When its failure was reported.
    pub at: Timestamp,
}

/// A suspension because of bounces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SuspensionView {
    /// When it began.
    pub at: Timestamp,
    /// The reason.
    pub why: String,
    /// The suspended lists.
    pub lists: Vec<ListName>,
    /// The number of probe notices sent since.
    pub probes: u32,
    /// When the last probe was sent.
    pub probed: Option<Timestamp>,
}

/// The result of a reset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reset {
    /// The lists whose subscriptions are active again.
    pub lists: Vec<ListName>,
}

/// The result of forgiving all bounces of a mailing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Forgiven {
    /// The number of subscribers who receive mail again.
    pub subscribers: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    mailing: Option<String>,
    subscriber: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    addresses: bool,
}

/// The routes of bounces.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/bounces", get(list))
        .route("/v1/bounces/{who}", get(show))
        .route("/v1/bounces/{who}/reset", post(reset))
        .route("/v1/mailings/{id}/forgive", post(forgive))
}

async fn list(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<BouncePage>, ApiError> {
    let limit = parameters.limit.unwrap_or(LISTED).clamp(1, LISTED_LIMIT);
    let mailing = parameters.mailing.as_deref().map(str::parse::<MailingId>).transpose();
    let mailing = mailing.map_err(|error| ApiError::invalid(error.to_string()))?;
    let mut bounces = match (&parameters.subscriber, mailing) {
        (Some(who), mailing) => {
            let mut bounces = control.service(&caller).bounces(who).await?.bounces;
            bounces.retain(|bounce| mailing.is_none_or(|mailing| mailing == bounce.mailing));
            bounces.reverse();
            bounces
        }
        (None, Some(mailing)) => control.store.bounces_of_mailing(mailing, SubscriberId(0), limit + 1).await?,
        (None, None) => latest(&control, limit + 1).await?,
    };
    let more = bounces.len() > limit;
    bounces.truncate(limit);
    if parameters.addresses {
        tracing::info!(by = %caller, "the addresses of bounces were shown");
    }
    let mut views = Vec::with_capacity(bounces.len());
    for bounce in bounces {
        views.push(view(&control, &bounce, parameters.addresses).await?);
    }
    Ok(Json(BouncePage { bounces: views, more }))
}

/// The bounces of the latest mailings.
async fn latest(control: &ApiState, limit: usize) -> Result<Vec<Bounce>, ApiError> {
    let mut bounces = Vec::new();
    let mut newest = control.store.pages(mailings::all().backward());
    while bounces.len() < limit
        && let Some(mailing) = newest.next().await?
    {
        let room = limit - bounces.len();
        bounces.extend(control.store.bounces_of_mailing(mailing.value.id, SubscriberId(0), room).await?);
    }
    Ok(bounces)
}

async fn show(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Path(who): Path<String>,
) -> Result<Json<PersonBouncesView>, ApiError> {
    let found = control.service(&caller).bounces(&who).await?;
    let (subscriber, score) = (found.subscriber, found.score);
    let address = subscriber.address.to_string();
    let bounces = found.bounces.iter().map(|bounce| BounceView::new(bounce, address.clone(), true)).collect();
    let lists = subscriber.subscriptions.iter().filter(|(_, s)| s.state == SubscriptionState::Suspended);
    let lists: Vec<ListName> = lists.map(|(list, _)| list.clone()).collect();
    Ok(Json(PersonBouncesView {
        subscriber: subscriber.id,
        address,
        address_since: score.address_since,
        counted: score.hits.iter().map(|hit| CountedView { mailing: hit.mailing, at: hit.at }).collect(),
        suspension: suspension(&score, lists),
        bounces,
    }))
}

/// The suspension in force; `None` if an operator or the person has ended it.
fn suspension(score: &Score, lists: Vec<ListName>) -> Option<SuspensionView> {
    let suspension = score.suspension.as_ref().filter(|_| !lists.is_empty())?;
    Some(SuspensionView {
        at: suspension.at,
        why: suspension.evidence.clone(),
        lists,
        probes: suspension.probes,
        probed: suspension.probe.map(|probe| probe.at),
    })
}

async fn reset(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Path(who): Path<String>,
) -> Result<Json<Reset>, ApiError> {
    let lists = control.service(&caller).reset_bounces(&who).await?;
    tracing::info!(by = %caller, lists = lists.len(), "the bounce score of a subscriber was reset");
    Ok(Json(Reset { lists }))
}

async fn forgive(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<MailingId>,
) -> Result<Json<Forgiven>, ApiError> {
    if control.store.mailing(id).await?.is_none() {
        return Err(ApiError::not_found(format!("there is no mailing {id}")));
    }
    let subscribers = control.service(&caller).reset_bounces_of(id).await?;
    tracing::info!(by = %caller, mailing = %id, subscribers, "the bounce scores of a mailing were reset");
    Ok(Json(Forgiven { subscribers }))
}

/// A bounce with its subscriber's present address.
pub(super) async fn view(control: &ApiState, bounce: &Bounce, addresses: bool) -> Result<BounceView, ApiError> {
    let address = control.store.subscriber(bounce.subscriber).await?.map(|read| match addresses {
        true => read.value.address.to_string(),
        false => read.value.address.masked(),
    });
    Ok(BounceView::new(bounce, address.unwrap_or_else(|| "erased".to_owned()), addresses))
}

impl BounceView {
    /// A bounce in JSON. Without `addresses`, addresses in the report's text are masked.
    pub(crate) fn new(bounce: &Bounce, address: String, addresses: bool) -> Self {
        let (source, inbound) = match bounce.source {
            BounceSource::Session => ("session", None),
            BounceSource::Mail(id) => ("mail", Some(id)),
        };
        Self {
            mailing: bounce.mailing,
            subscriber: bounce.subscriber,
            address,
            at: bounce.at,
            verdict: bounce.verdict.word().to_owned(),
            class: bounce.class.word().to_owned(),
            status: bounce.status.clone(),
            evidence: if addresses { bounce.evidence.clone() } else { masked(&bounce.evidence) },
            source: source.to_owned(),
            inbound,
            effect: bounce.effect.word().to_owned(),
            reports: bounce.reports,
        }
    }
}
