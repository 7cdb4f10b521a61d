//! The consent that subscriptions rest on: `GET /v1/lists/{name}/consent` returns lines, see [`super::stream`]; `GET
//! /v1/subscribers/{who}/consent` is about one person.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::ListName;
use crate::model::consent::Proof;
use crate::store::blobs::Blobs;
use crate::subscribers::consent_report::{ConsentCounts, ConsentReport, ConsentReportError, ConsentRow, row};

use super::ApiState;
use super::error::ApiError;
use super::extract::{AddressParameters, Caller, Parameters, Segment};
use super::person_view::ConsentView;
use super::stream::{LineSender, lines};

/// One subscription and its consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentRowView {
    /// The list.
    pub list: ListName,
    /// The subscriber's number.
    pub subscriber: String,
    /// The address; masked unless requested in full.
    pub address: String,
    /// `pending`, `active`, `paused`, `suspended` or `ended`.
    pub state: String,
    /// When it entered that state.
    pub since: Option<Timestamp>,
    /// The proof: `own-mail-kept`, `own-form`, `own-mail`, `stated` or `none`.
    pub proof: String,
    /// The change that made it active; `None` if it never was.
    pub basis: Option<ConsentView>,
    /// Whether a mail that should be kept as evidence is missing.
    pub evidence_missing: bool,
}

/// The number of subscriptions of a list by state and proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentSummary {
    /// All subscriptions examined, including those filtered out.
    pub subscriptions: u64,
    /// By state and proof.
    pub counts: Vec<ConsentCount>,
    /// The number of mails that should be kept as evidence but are missing.
    pub evidence_missing: u64,
}

/// The number of subscriptions with the same state and proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentCount {
    /// Their state.
    pub state: String,
    /// Their proof.
    pub proof: String,
    /// The number.
    pub count: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportParameters {
    state: Option<String>,
    /// Only subscriptions without proof, or with only another person's statement.
    #[serde(default)]
    unproven: bool,
    #[serde(default)]
    addresses: bool,
    /// The maximum number of lines; all subscriptions are counted.
    limit: Option<u64>,
}

/// The routes of consent.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/lists/{name}/consent", get(of_list))
        .route("/v1/subscribers/{who}/consent", get(of_subscriber))
}

async fn of_list(
    State(control): State<Arc<ApiState>>,
    Segment(name): Segment<ListName>,
    Parameters(parameters): Parameters<ReportParameters>,
) -> Result<Response, ApiError> {
    if control.store.list(&name).await?.is_none() {
        return Err(ApiError::not_found(format!("there is no list \u{201c}{name}\u{201d}"))
            .hint("\u{201c}depesch list list\u{201d} shows them all."));
    }
    let blobs = Blobs::in_state_directory(&control.state_directory);
    let report = ConsentReport::begin(control.store.clone(), blobs, name);
    let (sender, response) = lines();
    tokio::spawn(write(report, parameters, sender));
    Ok(response)
}

async fn write(mut report: ConsentReport, parameters: ReportParameters, sender: LineSender) {
    let mut counts = ConsentCounts::default();
    let mut left = parameters.limit.unwrap_or(u64::MAX);
    loop {
        let rows = match report.next().await {
            Ok(Some(rows)) => rows,
            Ok(None) => return sender.finish(Ok(summary(&counts))).await,
            Err(error) => return sender.finish::<ConsentSummary>(Err(error.into())).await,
        };
        for row in &rows {
            counts.add(row);
            let wanted = parameters.state.as_deref().is_none_or(|state| state == row.state.word())
                && (!parameters.unproven || row.proof >= Proof::Stated);
            if wanted && left > 0 {
                left -= 1;
                if sender.progress(view(row, parameters.addresses)).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn of_subscriber(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Path(who): Path<String>,
    Parameters(AddressParameters { addresses }): Parameters<AddressParameters>,
) -> Result<Json<Vec<ConsentRowView>>, ApiError> {
    let subscriber = control.service(&caller).find(&who).await?.value;
    let blobs = Blobs::in_state_directory(&control.state_directory);
    let mut rows = Vec::new();
    for list in subscriber.subscriptions.keys() {
        rows.extend(row(&blobs, &subscriber, list).await?.map(|row| view(&row, addresses)));
    }
    Ok(Json(rows))
}

fn view(row: &ConsentRow, addresses: bool) -> ConsentRowView {
    ConsentRowView {
        list: row.list.clone(),
        subscriber: row.subscriber.to_string(),
        address: if addresses { row.address.to_string() } else { row.address.masked() },
        state: row.state.word().to_owned(),
        since: row.since,
        proof: row.proof.word().to_owned(),
        basis: row.basis.as_ref().map(ConsentView::from),
        evidence_missing: row.evidence_missing,
    }
}

fn summary(counts: &ConsentCounts) -> ConsentSummary {
    let each = counts.counts.iter().map(|((state, proof), count)| ConsentCount {
        state: state.word().to_owned(),
        proof: proof.word().to_owned(),
        count: *count,
    });
    ConsentSummary {
        subscriptions: counts.counts.values().sum(),
        counts: each.collect(),
        evidence_missing: counts.evidence_missing,
    }
}

impl From<ConsentReportError> for ApiError {
    fn from(error: ConsentReportError) -> Self {
        match error {
            ConsentReportError::Store(error) => error.into(),
            ConsentReportError::Blob(error) => error.into(),
        }
    }
}
