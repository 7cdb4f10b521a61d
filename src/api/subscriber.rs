//! Subscribers: `POST /v1/subscribers`, `GET /v1/subscribers` (with `search=`, or filters), `GET|PATCH|DELETE /v1/subscribers/{who}`, `POST
//! /v1/subscribers/{who}/subscriptions/{list}`, `GET /v1/subscribers/{who}/record`, where `who` is a number such as
//! `s17` or an address.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::id::{ListName, SubscriberId};
use crate::base::language::Language;
use crate::model::subscriber::SubscriptionState;
use crate::privacy::erasure::Eraser;
use crate::store::search::{Search, SearchCursor};
use crate::subscribers::listing;
use crate::subscribers::profile::{PersonError, PersonFields, SubscriptionChange};

use super::ApiState;
use super::audit_trail::Trail;
use super::error::ApiError;
use super::extract::{Body, Caller, Parameters};
use super::person_view::{RecordView, SubscriberView};

/// The fields of a subscriber in a request. An absent field is left unchanged, an empty text clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubscriberFields {
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A language tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The newsroom or organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// All beats, separated by `,`, `;` or `|`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beats: Option<String>,
    /// All regions, separated in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions: Option<String>,
    /// Attributes by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// A change of one subscription.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeSubscription {
    /// The change.
    pub change: Change,
    /// The exact words agreed to, or the reason.
    #[serde(default)]
    pub words: String,
}

/// What to do with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Add the person to the list.
    Subscribe,
    /// Remove the person from the list permanently.
    Unsubscribe,
    /// Suspend delivery until it is resumed.
    Pause,
    /// Resume delivery.
    Resume,
}

/// The immediate result of an erasure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedView {
    /// What still identifies the person, and why; empty when everything is erased.
    pub open: Vec<String>,
}

/// The routes of subscribers.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/subscribers", post(add).get(find_people))
        .route("/v1/subscribers/{who}", get(show).patch(edit).delete(erase))
        .route("/v1/subscribers/{who}/record", get(record))
        .route("/v1/subscribers/{who}/subscriptions/{list}", post(change_subscription))
}

async fn add(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Body(fields): Body<SubscriberFields>,
) -> Result<Json<SubscriberView>, ApiError> {
    let added = control.service(&caller).add(&fields.into()).await?;
    trail.detail(format!("made {}", added.id));
    Ok(Json(SubscriberView::from(&added)))
}

/// Maximum and default number of people in a response.
const FOUND_LIMIT: usize = 500;
const FOUND: usize = 50;

/// Parameters of a search for people, or of a list of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeopleParameters {
    /// Parts of the name, organisation and address, in any order; not with filters.
    search: Option<String>,
    /// The `next` of the previous response.
    after: Option<String>,
    limit: Option<usize>,
    list: Option<ListName>,
    /// The state of the subscription to the list, or to any list.
    state: Option<String>,
    language: Option<Language>,
    beat: Option<String>,
    region: Option<String>,
    /// Part of the organisation's name.
    organisation: Option<String>,
}

impl PeopleParameters {
    fn is_filtered(&self) -> bool {
        let texts = [&self.state, &self.beat, &self.region, &self.organisation];
        self.list.is_some() || self.language.is_some() || texts.into_iter().any(Option::is_some)
    }
}

/// The people found by a search.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FoundPeopleView {
    /// The people, in order of id.
    pub people: Vec<SubscriberView>,
    /// The `after` that continues the search; absent at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

async fn find_people(
    State(control): State<Arc<ApiState>>,
    Parameters(wanted): Parameters<PeopleParameters>,
) -> Result<Json<FoundPeopleView>, ApiError> {
    let Some(search) = &wanted.search else { return list_people(&control, wanted).await };
    if wanted.is_filtered() {
        return Err(ApiError::invalid("a search has no filters: give either \u{201c}search\u{201d} or filters"));
    }
    let search = Search::new(search).ok_or_else(|| {
        ApiError::invalid("the search has no letter or digit; give a part of a name, an organisation or an address")
    })?;
    let after = match &wanted.after {
        Some(text) => Some(SearchCursor::from_text(text).ok_or_else(|| {
            ApiError::invalid("\u{201c}after\u{201d} is not what an answer gave as \u{201c}next\u{201d}")
        })?),
        None => None,
    };
    let limit = wanted.limit.unwrap_or(FOUND).clamp(1, FOUND_LIMIT);
    let found = control.store.search_people(&search, after.as_ref(), limit).await?;
    let people = found.people.iter().map(|read| SubscriberView::from(&read.value)).collect();
    Ok(Json(FoundPeopleView { people, next: found.next.map(|next| next.to_text()) }))
}

async fn list_people(control: &ApiState, wanted: PeopleParameters) -> Result<Json<FoundPeopleView>, ApiError> {
    let invalid = |field: &str, what: String| ApiError::invalid(format!("{field}: {what}"));
    let after = wanted.after.as_deref().map(str::parse).transpose().map_err(|e| invalid("after", format!("{e}")))?;
    let state = wanted.state.as_deref().map(|word| {
        let found = SubscriptionState::ALL.into_iter().find(|state| state.word() == word);
        found.ok_or_else(|| invalid("state", format!("\u{201c}{word}\u{201d} is no state of a subscription")))
    });
    if let Some(list) = &wanted.list
        && control.store.list(list).await?.is_none()
    {
        return Err(ApiError::not_found(format!("there is no list {list}"))
            .hint("\u{201c}depesch list list\u{201d} shows them all."));
    }
    let limit = wanted.limit.unwrap_or(FOUND).clamp(1, FOUND_LIMIT);
    let filter = listing::Wanted {
        list: wanted.list,
        state: state.transpose()?,
        language: wanted.language,
        beat: wanted.beat,
        region: wanted.region,
        organisation: wanted.organisation,
    };
    let (found, next) = listing::list(&control.store, &filter, after.unwrap_or(SubscriberId(0)), limit).await?;
    let people = found.iter().map(|read| SubscriberView::from(&read.value)).collect();
    Ok(Json(FoundPeopleView { people, next: next.map(|next| next.to_string()) }))
}

async fn show(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Path(who): Path<String>,
) -> Result<Json<SubscriberView>, ApiError> {
    let found = control.service(&caller).find(&who).await?;
    Ok(Json(SubscriberView::from(&found.value)))
}

async fn edit(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Path(who): Path<String>,
    Body(fields): Body<SubscriberFields>,
) -> Result<Json<SubscriberView>, ApiError> {
    let service = control.service(&caller);
    let id = service.find(&who).await?.value.id;
    Ok(Json(SubscriberView::from(&service.edit(id, &fields.into()).await?)))
}

async fn erase(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Path(who): Path<String>,
) -> Result<Json<ErasedView>, ApiError> {
    let hash = control.service(&caller).erase(&who, Some(&control.services.files)).await?;
    let (store, key, files) = (control.store.clone(), control.key.clone(), Some(control.services.files.clone()));
    // From here on the erasure proceeds even if this attempt fails: a periodic job retries it.
    let open = match (Eraser { store, key, files }).work(control.clock.now()).await {
        Ok(worked) => worked.open.into_iter().find(|(open, _)| *open == hash).map(|(_, holds)| holds),
        Err(error) => {
            tracing::error!(%error, "an erasure has begun and continues later");
            Some([error.to_string()].into())
        }
    };
    tracing::info!(by = %caller, through = open.is_none(), "a person was erased");
    Ok(Json(ErasedView { open: open.unwrap_or_default().into_iter().collect() }))
}

async fn record(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Path(who): Path<String>,
) -> Result<Json<RecordView>, ApiError> {
    let record = control.service(&caller).record(&who, Some(&control.services.files)).await?;
    Ok(Json(RecordView::from(&record)))
}

async fn change_subscription(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Path((who, list)): Path<(String, String)>,
    Body(change): Body<ChangeSubscription>,
) -> Result<Json<SubscriberView>, ApiError> {
    let list: ListName = list.parse().map_err(|e| ApiError::invalid(format!("{e}")))?;
    let service = control.service(&caller);
    let id = service.find(&who).await?.value.id;
    trail.detail(match change.change {
        Change::Subscribe => "subscribe",
        Change::Unsubscribe => "unsubscribe",
        Change::Pause => "pause",
        Change::Resume => "resume",
    });
    let to = match change.change {
        Change::Subscribe => SubscriptionChange::Subscribe,
        Change::Unsubscribe => SubscriptionChange::Unsubscribe,
        Change::Pause => SubscriptionChange::Pause,
        Change::Resume => SubscriptionChange::Resume,
    };
    let subscriber = service.change_subscription(id, &list, to, &change.words).await?;
    Ok(Json(SubscriberView::from(&subscriber)))
}

impl From<SubscriberFields> for PersonFields {
    fn from(fields: SubscriberFields) -> Self {
        let SubscriberFields { address, name, language, organisation, beats, regions, attributes } = fields;
        Self { address, name, language, organisation, beats, regions, attributes }
    }
}

impl From<PersonError> for ApiError {
    fn from(error: PersonError) -> Self {
        let text = error.to_string();
        match error {
            PersonError::NotFound(_) | PersonError::NoList(_) => ApiError::not_found(text),
            PersonError::Wrong(_) => ApiError::invalid(text),
            PersonError::Taken { .. } | PersonError::Subscription(_) => ApiError::conflict(text),
            PersonError::Suppressed(_) => ApiError::conflict(text)
                .hint("Only if the person asks for mail again: \u{201c}depesch suppression remove\u{201d}."),
            PersonError::Store(error) => error.into(),
            PersonError::Incomplete(_) => ApiError::new(500, "store", text),
        }
    }
}
