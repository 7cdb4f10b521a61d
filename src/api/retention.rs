//! Retention rules and erasures: `GET|POST /v1/retention`, `GET /v1/erasures`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::token::to_hex;
use crate::model::erasure::{Erasure, ErasureState};
use crate::privacy::erasure::Eraser;
use crate::privacy::retention::RetentionError;
use crate::privacy::retention::rules::Ruled;
use crate::store::suppressions::AddressHash;

use super::ApiState;
use super::error::ApiError;

/// Records read from the store at a time.
const PAGE: usize = 500;

/// A retention rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleView {
    /// The configuration key, or `fixed`.
    pub rule: String,
    /// What is removed.
    pub what: String,
    /// The age in seconds at which it is removed; `None`: never.
    pub after_seconds: Option<u64>,
    /// The number of items removed, or that would be removed now.
    pub dropped: u64,
}

/// An erasure. It does not identify the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErasureView {
    /// The keyed hash of the address, in hexadecimal.
    pub hash: String,
    /// When it was requested.
    pub at: Timestamp,
    /// When the last record and file that identify the person were removed; `None` while something remains.
    pub done: Option<Timestamp>,
    /// When the journal and checkpoints no longer contained the data.
    pub journal: Option<Timestamp>,
    /// When the free space of the index no longer contained the data.
    pub index: Option<Timestamp>,
}

/// The routes of retention and erasures.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/retention", get(show).post(run)).route("/v1/erasures", get(erasures))
}

async fn show(State(control): State<Arc<ApiState>>) -> Result<Json<Vec<RuleView>>, ApiError> {
    let ruled = control.services.rules.apply(control.clock.now(), true).await?;
    Ok(Json(ruled.iter().map(RuleView::from).collect()))
}

async fn run(State(control): State<Arc<ApiState>>) -> Result<Json<Vec<RuleView>>, ApiError> {
    let ruled = control.services.rules.apply(control.clock.now(), false).await?;
    let (store, key, files) = (control.store.clone(), control.key.clone(), Some(control.services.files.clone()));
    if let Err(error) = (Eraser { store, key, files }).work(control.clock.now()).await {
        tracing::error!(%error, "erasures have begun and continue later");
    }
    Ok(Json(ruled.iter().map(RuleView::from).collect()))
}

async fn erasures(State(control): State<Arc<ApiState>>) -> Result<Json<Vec<ErasureView>>, ApiError> {
    let (mut views, mut after) = (Vec::new(), None);
    loop {
        let page = control.store.scan_erasures(after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        views.extend(page.iter().map(|(hash, read)| view(hash, &read.value)));
    }
    views.sort_by_key(|view| view.at);
    Ok(Json(views))
}

fn view(hash: &AddressHash, erasure: &Erasure) -> ErasureView {
    let (journal, index) = match erasure.state {
        ErasureState::Done { journal, index, .. } => (journal, index),
        ErasureState::Open(_) => (None, None),
    };
    ErasureView { hash: to_hex(hash), at: erasure.at, done: erasure.done(), journal, index }
}

impl From<&Ruled> for RuleView {
    fn from(ruled: &Ruled) -> Self {
        Self {
            rule: ruled.rule.to_owned(),
            what: ruled.what.to_owned(),
            after_seconds: ruled.after.map(|after| after.as_secs()),
            dropped: ruled.dropped,
        }
    }
}

impl From<RetentionError> for ApiError {
    fn from(error: RetentionError) -> Self {
        match error {
            RetentionError::Store(error) => error.into(),
            other => ApiError::new(500, "store", other.to_string()),
        }
    }
}
