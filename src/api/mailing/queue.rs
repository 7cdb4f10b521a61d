//! Queueing a mailing: `POST /v1/mailings`.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::token::content_hash;
use crate::base::unicode;
use crate::mailings::queue as rules;
use crate::mailings::queue::{Once, Order, QueueError};
use crate::model::mailing::{AudienceQuery, MailingContent, MissedPolicy, Schedule, UncertainPolicy};
use crate::model::zone::{self, Meeting};
use crate::store::idempotency;

use super::super::ApiState;
use super::super::audit_trail::Trail;
use super::super::error::ApiError;
use super::super::extract::{Body, Caller, Parameters};
use super::super::import::read_language;
use super::view::{AudienceView, MailingView, headline, local_time};

/// Defaults for fields that a request leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDefaults {
    /// What to do if the daemon was not running at the scheduled time.
    pub missed: MissedPolicy,
    /// The delay that still counts as on time, in seconds.
    pub grace_seconds: u32,
    /// Seconds between "send now" and the first message, in which it can be cancelled or edited.
    pub undo_seconds: u32,
}

impl Default for QueueDefaults {
    /// Ask, if more than a quarter of an hour late; send at once.
    fn default() -> Self {
        Self { missed: MissedPolicy::Ask, grace_seconds: 900, undo_seconds: 0 }
    }
}

/// The mailing to queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueRequest {
    /// The release's id.
    pub release: String,
    /// The audience.
    pub audience: AudienceView,
    /// `now`, a local time in `zone`, or an instant with a UTC offset.
    pub at: String,
    /// An IANA time zone; the installation's own if absent.
    #[serde(default)]
    pub zone: Option<String>,
    /// What to do with deliveries left in doubt by a crash.
    #[serde(default)]
    pub uncertain: Uncertain,
    /// What to do if the daemon was not running at that time; as configured if absent.
    #[serde(default)]
    pub missed: Option<Missed>,
    /// The delay that still counts as on time, in seconds; as configured if absent.
    #[serde(default)]
    pub grace_seconds: Option<u32>,
    /// Whether it may repeat what was queued before for the same list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// What to do with deliveries left in doubt by a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uncertain {
    /// Send them again, with the same Message-ID.
    #[default]
    Resend,
    /// Hold them for a person to decide.
    Hold,
}

/// What to do if the daemon was not running at the scheduled time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// Send it late.
    Send,
    /// Pause it and ask.
    Ask,
    /// Let it expire.
    Expire,
}

/// The result of queueing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueAnswer {
    /// The mailing; with `?check=true` as it would be queued, with the id m0.
    pub mailing: MailingView,
    /// The present number of subscribers in its audience; absent for a repetition.
    pub audience: Option<u64>,
    /// Whether it had been queued before with the same idempotency key.
    pub repeated: bool,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// Parameters of the request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueParameters {
    #[serde(default)]
    check: bool,
}

pub(super) async fn queue(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Parameters(QueueParameters { check }): Parameters<QueueParameters>,
    headers: HeaderMap,
    Body(request): Body<QueueRequest>,
) -> Result<(StatusCode, Json<QueueAnswer>), ApiError> {
    let now = control.clock.now();
    let (order, meeting) = order(&control, &request, &caller, now)?;
    let (store, messages) = (&control.store, control.messages.as_ref());
    let (mailing, checked, status) = if check {
        trail.detail("check only");
        let checked = rules::check(store, messages, now, &order).await.map_err(refusal)?;
        (checked.mailing.clone(), Some(checked), StatusCode::OK)
    } else {
        let once = once(&headers, &request)?;
        let queued = rules::queue(store, messages, now, &order, once.as_ref()).await.map_err(refusal)?;
        control.notifier.notify();
        let (status, how) = match queued.checked.is_some() {
            true => (StatusCode::CREATED, "made"),
            false => (StatusCode::OK, "known"),
        };
        trail.detail(format!("{how} {} of {}", queued.mailing.id, request.release));
        (queued.mailing, queued.checked, status)
    };
    let headline = headline(store, mailing.content).await?;
    let mut warnings = checked.as_ref().map(|checked| checked.warnings.clone()).unwrap_or_default();
    warnings.extend(met(meeting, &request.at, &order.schedule));
    let answer = QueueAnswer {
        mailing: MailingView::new(&mailing, headline, None),
        audience: checked.as_ref().map(|checked| checked.audience),
        repeated: !check && checked.is_none(),
        warnings,
    };
    Ok((status, Json(answer)))
}

fn order(
    control: &ApiState,
    request: &QueueRequest,
    caller: &Caller,
    now: Timestamp,
) -> Result<(Order, Meeting), ApiError> {
    let own_zone = control.content.get().source.zone;
    let zone = request.zone.as_deref().unwrap_or(own_zone.name());
    let (at, meeting) = instant(&request.at, zone, now)?;
    let defaults = control.queue_defaults;
    let order = Order {
        content: MailingContent::Release(parsed("release", &request.release)?),
        audience: audience_query(&request.audience)?,
        schedule: Schedule {
            at,
            zone: zone.to_owned(),
            missed: request.missed.map_or(defaults.missed, missed_policy),
            grace_seconds: request.grace_seconds.unwrap_or(defaults.grace_seconds),
        },
        uncertain: match request.uncertain {
            Uncertain::Resend => UncertainPolicy::Resend,
            Uncertain::Hold => UncertainPolicy::Hold,
        },
        by: caller.operator(),
        undo_seconds: defaults.undo_seconds,
        again: request.again,
    };
    Ok((order, meeting))
}

/// The audience of a request.
pub(super) fn audience_query(audience: &AudienceView) -> Result<AudienceQuery, ApiError> {
    Ok(AudienceQuery {
        lists: all_parsed("lists", &audience.lists)?,
        beats: keys(&audience.beats),
        regions: keys(&audience.regions),
        languages: audience.languages.iter().map(|text| read_language(text)).collect::<Result<_, _>>()?,
        reached_by: audience.reached_by.as_deref().map(|id| parsed("reached_by", id)).transpose()?,
    })
}

/// Beats or regions in the form in which they are stored and compared.
fn keys(words: &[String]) -> BTreeSet<String> {
    words.iter().map(|word| unicode::key(word).into_owned()).collect()
}

/// Parses a time as a person writes it.
pub(super) fn instant(at: &str, zone: &str, now: Timestamp) -> Result<(Timestamp, Meeting), ApiError> {
    let invalid = |error: zone::TimeError| ApiError::invalid(error.to_string());
    zone::zone(zone).and_then(|zone| zone::parse(at, zone, now)).map_err(invalid)
}

/// The model's policy for a missed time.
pub(super) fn missed_policy(missed: Missed) -> MissedPolicy {
    match missed {
        Missed::Send => MissedPolicy::Send,
        Missed::Ask => MissedPolicy::Ask,
        Missed::Expire => MissedPolicy::Expire,
    }
}

/// A warning if the given time falls into a change of daylight saving time.
pub(super) fn met(meeting: Meeting, given: &str, schedule: &Schedule) -> Option<String> {
    let meant = local_time(schedule.at, &schedule.zone);
    match meeting {
        Meeting::Once => None,
        Meeting::Gap => Some(format!("{given} does not exist: the clocks go forward; {meant} is meant")),
        Meeting::Fold => Some(format!("{given} comes twice: the clocks go back; the first is meant, {meant}")),
    }
}

fn parsed<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error| ApiError::invalid(format!("{field}: {error}")))
}

fn all_parsed<T: FromStr<Err: Display> + Ord>(field: &str, texts: &[String]) -> Result<BTreeSet<T>, ApiError> {
    texts.iter().map(|text| parsed(field, text)).collect()
}

fn once(headers: &HeaderMap, request: &QueueRequest) -> Result<Option<Once>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=idempotency::LONGEST).contains(&key.len())).ok_or_else(|| {
        ApiError::invalid(format!("Idempotency-Key: 1 to {} printable ASCII characters", idempotency::LONGEST))
    })?;
    let bytes = serde_json::to_vec(request).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(Some(Once { key: key.to_owned(), request: content_hash(&bytes) }))
}

/// Why a mailing is not queued.
pub(super) fn refusal(error: QueueError) -> ApiError {
    let message = error.to_string();
    match error {
        QueueError::Store(error) => error.into(),
        QueueError::NoLists => ApiError::invalid(message).hint("Name one with --list."),
        QueueError::NoList(_) => ApiError::not_found(message).hint("\u{201c}depesch list list\u{201d} shows them all."),
        QueueError::NoRelease(_) => {
            ApiError::not_found(message).hint("\u{201c}depesch release list\u{201d} shows them all.")
        }
        QueueError::NoPost(_) => ApiError::not_found(message).hint("\u{201c}depesch post list\u{201d} shows them all."),
        QueueError::NotReached { .. } => ApiError::conflict(message),
        QueueError::Past(_) => ApiError::new(422, "past", message).hint("Give a future time, or --at now."),
        QueueError::EmptyAudience => ApiError::new(422, "empty-audience", message)
            .hint("\u{201c}depesch subscriber export --list LIST\u{201d} shows who is there; look at --beat, --region, --language."),
        QueueError::Broken(_) => ApiError::new(422, "broken", message)
            .hint("Nothing was changed. \u{201c}depesch release check\u{201d} lists everything that is wrong with a file."),
        QueueError::Unmakeable(_) => ApiError::new(422, "unmakeable", message)
            .hint("Nothing was changed. Give these subscribers the field, or take it out of the template."),
        QueueError::Untested { release, .. } => ApiError::new(422, "untested", message).hint(format!(
            "Nothing was changed. Send one with \u{201c}depesch release test {release} --to YOUR-ADDRESS\u{201d}, read it, and try again."
        )),
        QueueError::Again { .. } => ApiError::new(409, "again", message)
            .hint("Nothing was changed: who is on the list would get it twice; --again allows that."),
        QueueError::OtherVersion { mailing, .. } => ApiError::new(409, "other-version", message).hint(format!(
            "Nothing was changed. \u{201c}depesch mailing edit {mailing} FILE\u{201d} replaces it, \u{201c}depesch mailing cancel \
             {mailing}\u{201d} withdraws it; --again sends both."
        )),
        QueueError::OtherOrder(_) => ApiError::new(422, "key-used", message)
            .hint("A key belongs to one order. Choose another key for another order."),
    }
}
