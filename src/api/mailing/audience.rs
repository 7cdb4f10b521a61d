//! The people of an audience: of a mailing, or of one that could be queued.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::base::id::{MailingId, SubscriberId};
use crate::mailings::people::{Of, Standing, Who, people};
use crate::mailings::queue::whole_audience;

use super::super::ApiState;
use super::super::error::ApiError;
use super::super::extract::{Body, Caller, Parameters, Segment};
use super::queue::{audience_query, refusal};
use super::view::AudienceView;

/// Default and maximum number of people in a response.
const USUAL: usize = 50;
const MOST: usize = 5000;

/// Which people are listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeopleParameters {
    /// `in` or `out`; all if absent.
    who: Option<String>,
    /// The `next` of the previous response.
    after: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    addresses: bool,
}

/// People of the lists of an audience.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudiencePage {
    /// The people, in order of id.
    pub people: Vec<StandingView>,
    /// The `after` that continues; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// Whether one person is in an audience, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingView {
    /// The subscriber.
    pub subscriber: String,
    /// The address, masked unless requested in full.
    pub address: String,
    /// The name; only if addresses are requested in full.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The newsroom or organisation.
    pub organisation: Option<String>,
    /// Whether they are in the audience.
    #[serde(rename = "in")]
    pub is_in: bool,
    /// Why, or what became of the mail.
    pub why: String,
}

pub(super) async fn of_mailing(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<MailingId>,
    Parameters(parameters): Parameters<PeopleParameters>,
) -> Result<Json<AudiencePage>, ApiError> {
    let mailing = super::find(&control, id).await?.value;
    super::report::note_addresses(&caller, id, parameters.addresses);
    page(&control, Of::Mailing(&mailing), &parameters).await
}

pub(super) async fn of_query(
    State(control): State<Arc<ApiState>>,
    Parameters(parameters): Parameters<PeopleParameters>,
    Body(audience): Body<AudienceView>,
) -> Result<Json<AudiencePage>, ApiError> {
    let query = whole_audience(&control.store, &audience_query(&audience)?).await.map_err(refusal)?;
    for name in &query.lists {
        if control.store.list(name).await?.is_none() {
            return Err(ApiError::not_found(format!("there is no list {name}"))
                .hint("\u{201c}depesch list list\u{201d} shows them all."));
        }
    }
    page(&control, Of::Query(&query), &parameters).await
}

async fn page(control: &ApiState, of: Of<'_>, parameters: &PeopleParameters) -> Result<Json<AudiencePage>, ApiError> {
    let who = match parameters.who.as_deref() {
        None => Who::All,
        Some("in") => Who::In,
        Some("out") => Who::Out,
        Some(other) => return Err(ApiError::invalid(format!("who: \u{201c}{other}\u{201d}: in or out"))),
    };
    let limit = parameters.limit.unwrap_or(USUAL).clamp(1, MOST);
    let after = parameters.after.as_deref().map(str::parse::<SubscriberId>).transpose();
    let after = after.map_err(|e| ApiError::invalid(format!("after: {e}")))?.unwrap_or(SubscriberId(0));
    let (found, next) = people(&control.store, &control.key, of, who, (after, limit)).await?;
    let people = found.into_iter().map(|one| view(one, parameters.addresses)).collect();
    Ok(Json(AudiencePage { people, next: next.map(|id| id.to_string()) }))
}

fn view(standing: Standing, addresses: bool) -> StandingView {
    let Standing { subscriber, is_in, why } = standing;
    StandingView {
        subscriber: subscriber.id.to_string(),
        address: if addresses { subscriber.address.to_string() } else { subscriber.address.masked() },
        name: subscriber.name.filter(|_| addresses),
        organisation: subscriber.organisation,
        is_in,
        why,
    }
}
