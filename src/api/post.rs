//! Posts: mails written to lists, held or sent on.
//!
//! | path | does |
//! |---|---|
//! | `GET /v1/posts` | lists them, the newest first; `?state=held` the held ones, the first to expire first |
//! | `GET /v1/posts/{id}` | one |
//! | `GET /v1/posts/{id}/raw` | its bytes, as they came |
//! | `POST /v1/posts/{id}/approve`, `refuse` | decides about a held one |

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, PostId};
use crate::inbound::post::PostError;
use crate::model::post::{Post, PostState};
use crate::store::blobs::Blobs;

use super::ApiState;
use super::audit_trail::Trail;
use super::error::ApiError;
use super::extract::{Body, Caller, Parameters, Segment};

/// A post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostView {
    /// Its id.
    pub id: String,
    /// The list.
    pub list: ListName,
    /// The address in its From field.
    pub author: String,
    /// The name in its From field.
    pub author_name: Option<String>,
    /// Its subject.
    pub subject: String,
    /// Its Message-ID.
    pub message_id: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was received.
    pub received: Timestamp,
    /// The DMARC result for the author's domain: `pass`, `fail`, `none` or `unknown`.
    pub authentic: String,
    /// The SPF result for the sending host, with the same values.
    pub spf: String,
    /// The DKIM result for its signatures, with the same values.
    pub dkim: String,
    /// The DMARC policy of the author's domain: `none`, `quarantine`, `reject` or `unknown`.
    pub policy: String,
    /// `held`, `approved`, `refused` or `expired`.
    pub state: String,
    /// What a held post waits for: `confirmation`, `moderation` or `approval`.
    pub held_for: Option<String>,
    /// When a held post expires.
    pub until: Option<Timestamp>,
    /// Who was asked about a held post.
    #[serde(default)]
    pub asked: Vec<String>,
    /// When it was decided.
    pub decided: Option<Timestamp>,
    /// Who decided; absent if no decision by a person was needed.
    pub decided_by: Option<String>,
    /// Why it was refused.
    pub why: Option<String>,
    /// The mailing that sends it.
    pub mailing: Option<String>,
}

/// A refusal of a post.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefuseRequest {
    /// The reason, which is sent to the author.
    #[serde(default)]
    pub reason: String,
}

/// Maximum number of posts in a response.
const LIST_LIMIT: usize = 1000;
/// Posts read from the store at a time.
const PAGE: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    state: Option<String>,
    limit: Option<usize>,
}

/// The routes of posts.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/posts", get(list))
        .route("/v1/posts/{id}", get(show))
        .route("/v1/posts/{id}/raw", get(raw))
        .route("/v1/posts/{id}/approve", post(approve))
        .route("/v1/posts/{id}/refuse", post(refuse))
}

async fn list(
    State(control): State<Arc<ApiState>>,
    Parameters(ListParameters { state, limit }): Parameters<ListParameters>,
) -> Result<Json<Vec<PostView>>, ApiError> {
    let limit = limit.unwrap_or(50).min(LIST_LIMIT);
    let mut found = Vec::new();
    if state.as_deref() == Some("held") {
        for id in control.store.held_posts(None, limit).await? {
            found.extend(control.store.post(id).await?.map(|read| view(&read.value)));
        }
        return Ok(Json(found));
    }
    let mut after = PostId(0);
    let mut posts: Vec<Post> = Vec::new();
    loop {
        let page = control.store.posts(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.value.id;
        let page = page.into_iter().map(|read| read.value);
        posts.extend(page.filter(|post| state.as_deref().is_none_or(|state| post.state.word() == state)));
        // The newest are at the end.
        posts.drain(..posts.len().saturating_sub(limit));
    }
    Ok(Json(posts.iter().rev().map(view).collect()))
}

async fn show(State(control): State<Arc<ApiState>>, Segment(id): Segment<PostId>) -> Result<Json<PostView>, ApiError> {
    Ok(Json(view(&find(&control, id).await?)))
}

async fn raw(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<PostId>,
) -> Result<Response, ApiError> {
    let post = find(&control, id).await?;
    tracing::info!(post = %id, by = %caller, "a post was shown in its original form");
    let blobs = Blobs::in_state_directory(&control.state_directory);
    let bytes = blobs.read(&post.blob.sha256).await.map_err(|error| ApiError::not_found(error.to_string()))?;
    Ok(([(CONTENT_TYPE, "message/rfc822")], bytes).into_response())
}

async fn approve(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Segment(id): Segment<PostId>,
) -> Result<Json<PostView>, ApiError> {
    let post = control.services.posts.approve(id, &caller.name).await.map_err(refusal)?;
    if let PostState::Approved { mailing, .. } = &post.state {
        trail.detail(format!("made {mailing}"));
    }
    decided(&control, &post)
}

async fn refuse(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<PostId>,
    Body(RefuseRequest { reason }): Body<RefuseRequest>,
) -> Result<Json<PostView>, ApiError> {
    let post = control.services.posts.refuse(id, &caller.name, reason.trim()).await.map_err(refusal)?;
    decided(&control, &post)
}

fn decided(control: &ApiState, post: &Post) -> Result<Json<PostView>, ApiError> {
    control.notifier.notify();
    control.services.posts.notices.notify();
    Ok(Json(view(post)))
}

async fn find(control: &ApiState, id: PostId) -> Result<Post, ApiError> {
    Ok(control.store.post(id).await?.ok_or_else(|| missing(id))?.value)
}

fn missing(id: PostId) -> ApiError {
    ApiError::not_found(format!("there is no post {id}")).hint("\u{201c}depesch post list\u{201d} shows them all.")
}

fn refusal(error: PostError) -> ApiError {
    match error {
        PostError::NoPost(id) => missing(id),
        PostError::Decision(error) => ApiError::conflict(error.to_string()),
        PostError::Store(error) => error.into(),
        PostError::Broken(what) => ApiError::new(422, "broken", what),
    }
}

pub(super) fn view(post: &Post) -> PostView {
    let (decided, decided_by, why, mailing) = match &post.state {
        PostState::Held(_) => (None, None, None, None),
        PostState::Approved { at, by, mailing } => (Some(*at), by.clone(), None, Some(mailing.to_string())),
        PostState::Refused { at, by, why } => (Some(*at), Some(by.clone()), Some(why.clone()), None),
        PostState::Expired { at } => (Some(*at), None, None, None),
    };
    let hold = post.hold();
    PostView {
        id: post.id.to_string(),
        list: post.list.clone(),
        author: post.author.to_string(),
        author_name: post.author_name.clone(),
        subject: post.subject.clone(),
        message_id: post.message_id.clone(),
        size: post.blob.size,
        received: post.received,
        authentic: post.authentication.author.word().to_owned(),
        spf: post.authentication.spf.word().to_owned(),
        dkim: post.authentication.dkim.word().to_owned(),
        policy: post.authentication.policy.word().to_owned(),
        state: post.state.word().to_owned(),
        held_for: hold.map(|hold| hold.reason.word().to_owned()),
        until: hold.map(|hold| hold.until),
        asked: hold.map(|hold| hold.asked.iter().map(Address::to_string).collect()).unwrap_or_default(),
        decided,
        decided_by,
        why: why.filter(|why| !why.is_empty()),
        mailing,
    }
}
