//! Lists: `GET /v1/lists`, `GET|PUT|PATCH /v1/lists/{name}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use chrono::Duration;
use serde::Deserialize;

use crate::base::id::ListName;
use crate::model::list::List;
use crate::store::{Store, members as on_lists};

use super::ApiState;
use super::error::ApiError;
use super::extract::{Body, Caller, Parameters, Segment};

mod fields;
mod fill;

use fields::view;
pub use fields::{Joining, Kind, ListFields, ListSet, ListView, Privacy};
use fill::{begin, fill};

/// Time in which a second person must confirm that a list no longer requires approval.
const CONFIRM_WITHIN: Duration = Duration::hours(24);

#[derive(Deserialize)]
struct SetParameters {
    /// Fail if the list exists already.
    #[serde(default)]
    new: bool,
}

/// The routes of lists.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/lists", get(all)).route("/v1/lists/{name}", get(show).put(set).patch(edit))
}

async fn all(State(control): State<Arc<ApiState>>) -> Result<Json<Vec<ListView>>, ApiError> {
    let lists = control.store.lists().await?;
    Ok(Json(lists.iter().map(|list| view(&list.value)).collect()))
}

async fn show(
    State(control): State<Arc<ApiState>>,
    Segment(name): Segment<ListName>,
) -> Result<Json<ListView>, ApiError> {
    let list = control.store.list(&name).await?.ok_or_else(|| missing(&name))?;
    let subscriptions = Some(count(&control.store, &name).await?);
    Ok(Json(ListView { subscriptions, ..view(&list.value) }))
}

/// Creates a list, or changes the given fields of an existing one.
async fn set(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(name): Segment<ListName>,
    Parameters(SetParameters { new }): Parameters<SetParameters>,
    Body(fields): Body<ListFields>,
) -> Result<Json<ListSet>, ApiError> {
    let Some(before) = control.store.list(&name).await? else {
        let list = begin(&name, &fields, control.clock.now())?;
        if !control.store.create_list(&list).await? {
            return Err(taken(&name));
        }
        return Ok(Json(ListSet { outcome: "created".to_owned(), list: view(&list) }));
    };
    if new {
        return Err(taken(&name));
    }
    let list = change(&control, &caller, &name, &fields).await?;
    let outcome = if list == before.value { "unchanged" } else { "changed" };
    Ok(Json(ListSet { outcome: outcome.to_owned(), list: view(&list) }))
}

async fn edit(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(name): Segment<ListName>,
    Body(fields): Body<ListFields>,
) -> Result<Json<ListView>, ApiError> {
    Ok(Json(view(&change(&control, &caller, &name, &fields).await?)))
}

async fn change(control: &ApiState, caller: &Caller, name: &ListName, fields: &ListFields) -> Result<List, ApiError> {
    // Fewer approvals are as good as none for a user who wants to send something alone.
    let weakens = |list: &List| {
        fields.approval == Some(false) || fields.approvals.is_some_and(|approvals| approvals < list.approvals)
    };
    let read = control.store.list(name).await?.ok_or_else(|| missing(name))?;
    let ends_approval = weakens(&read.value);
    if ends_approval {
        // Errors in the other fields are reported before a second person is asked to confirm.
        fill(&mut read.value.clone(), fields)?;
    }
    let confirmed = ends_approval && must_be_confirmed(control, caller, name).await?;
    let mut refusal = None;
    let change = |list: &mut List| {
        refusal = match list.approval && weakens(list) && !confirmed {
            true => Some(ApiError::conflict("the list was changed by another user at this moment; try again")),
            false => fill(list, fields).err(),
        }
    };
    let changed = control.store.change_list(name, change).await?;
    let list = match (refusal, changed) {
        (Some(refusal), _) => return Err(refusal),
        (None, Some(list)) => list,
        (None, None) => return Err(missing(name)),
    };
    if fields.approval.is_some() || fields.approvals.is_some() {
        control.store.note_request_to_end_approval(name, None).await?;
    }
    Ok(list)
}

/// Whether another user made the same request within [`CONFIRM_WITHIN`], so that approval may end. Otherwise the
/// request is recorded and refused: a user who needs a second person's approval must not be able to end that rule
/// alone. `false` if the list requires no approval.
async fn must_be_confirmed(control: &ApiState, caller: &Caller, name: &ListName) -> Result<bool, ApiError> {
    let list = control.store.list(name).await?.ok_or_else(|| missing(name))?;
    if !list.value.approval {
        return Ok(false);
    }
    let (by, now) = (caller.operator(), control.clock.now());
    let asked = control.store.request_to_end_approval(name).await?;
    let present = control.store.present(now).await?;
    let asked = asked.filter(|(_, at)| !present.has_lasted(*at, CONFIRM_WITHIN));
    let at = match asked {
        Some((first, _)) if by.is_surely_another(&first) => return Ok(true),
        Some((_, at)) => at,
        None => now,
    };
    control.store.note_request_to_end_approval(name, Some((&by, at))).await?;
    let until = present.end(at, at + CONFIRM_WITHIN).format("%Y-%m-%d %H:%M UTC");
    let what =
        format!("list \u{201c}{name}\u{201d} requires a second person, also to end this rule; nothing was changed");
    let hint = format!(
        "The request of {by} is recorded: another user of this machine must run the same command before {until}.",
        by = by.name
    );
    Err(ApiError::new(403, "second-person", what).hint(hint))
}

fn missing(name: &ListName) -> ApiError {
    ApiError::not_found(format!("there is no list \u{201c}{name}\u{201d}"))
        .hint("\u{201c}depesch list list\u{201d} shows them all.")
}

fn taken(name: &ListName) -> ApiError {
    ApiError::conflict(format!("the list \u{201c}{name}\u{201d} already exists"))
        .hint("\u{201c}depesch list edit\u{201d} changes it.")
}

async fn count(store: &Store, name: &ListName) -> Result<BTreeMap<String, u64>, ApiError> {
    let (mut counts, mut members) = (BTreeMap::new(), store.pages(on_lists::of_list(name)));
    while let Some((_, state)) = members.next().await? {
        *counts.entry(state.word().to_owned()).or_default() += 1;
    }
    Ok(counts)
}
