//! Suppressions: `GET|POST /v1/suppressions`, `GET|DELETE /v1/suppressions/{address}`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::token::to_hex;
use crate::model::suppression::{Suppression, SuppressionReason};
use crate::store::suppressions::AddressHash;

use super::ApiState;
use super::audit_trail::{Trail, person};
use super::error::ApiError;
use super::extract::{Body, Caller, Parameters, Segment};

/// A suppression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionView {
    /// The address; `None` after an erasure.
    pub address: Option<String>,
    /// `request`, `complaint`, `erased` or `operator`.
    pub reason: String,
    /// When it began.
    pub since: Timestamp,
    /// The reason given, or who entered it.
    pub note: String,
}

/// A page of suppressions.
#[derive(Debug, Serialize, Deserialize)]
pub struct SuppressionPage {
    /// The suppressions, in no meaningful order.
    pub suppressions: Vec<SuppressionView>,
    /// The parameter for the next page; `None` on the last page.
    pub next: Option<String>,
}

/// An address to suppress.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSuppression {
    /// The address.
    pub address: String,
    /// Why.
    #[serde(default)]
    pub reason: Reason,
    /// Details of the reason.
    #[serde(default)]
    pub note: String,
}

/// The reasons an operator can give; `erased` is reserved for erasures of subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The person asked not to be mailed again.
    Request,
    /// The person reported spam.
    Complaint,
    /// Another reason.
    #[default]
    Operator,
}

/// The result of adding a suppression.
#[derive(Debug, Serialize, Deserialize)]
pub struct Suppressed {
    /// `false` if the address was suppressed already.
    pub added: bool,
}

#[derive(Deserialize)]
struct PageParameters {
    after: Option<String>,
    limit: Option<usize>,
}

/// The routes of suppressions.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/suppressions", get(page).post(add))
        .route("/v1/suppressions/{address}", get(show).delete(remove))
}

async fn page(
    State(control): State<Arc<ApiState>>,
    Parameters(PageParameters { after, limit }): Parameters<PageParameters>,
) -> Result<Json<SuppressionPage>, ApiError> {
    let limit = limit.unwrap_or(500).clamp(1, 5000);
    let after = after.map(|text| from_hex(&text)).transpose()?;
    let found = control.store.scan_suppressions(after, limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|(hash, _)| to_hex(hash));
    Ok(Json(SuppressionPage { suppressions: found.iter().map(|(_, s)| view(s)).collect(), next }))
}

async fn add(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Body(new): Body<NewSuppression>,
) -> Result<Json<Suppressed>, ApiError> {
    let address: Address = new.address.parse().map_err(|e| ApiError::invalid(format!("{e}")))?;
    trail.detail(person(&control, &control.audit(), address.as_str()).await?.join(" "));
    let reason = match new.reason {
        Reason::Request => SuppressionReason::Request,
        Reason::Complaint => SuppressionReason::Complaint,
        Reason::Operator => SuppressionReason::Operator,
    };
    let note = match new.note.trim() {
        "" => format!("entered by {caller}"),
        note => format!("{note} (entered by {caller})"),
    };
    let added = control.service(&caller).suppress(&address, reason, &note).await?;
    tracing::info!(address = %address.masked(), by = %caller, added, "address suppressed");
    Ok(Json(Suppressed { added }))
}

async fn show(
    State(control): State<Arc<ApiState>>,
    Segment(address): Segment<Address>,
) -> Result<Json<SuppressionView>, ApiError> {
    let found = control.store.suppression(&control.key.hash_address(&address)).await?;
    found.map(|read| Json(view(&read.value))).ok_or_else(|| not_suppressed(&address))
}

async fn remove(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(address): Segment<Address>,
) -> Result<Json<SuppressionView>, ApiError> {
    let lifted = control.service(&caller).unsuppress(&address).await?.ok_or_else(|| not_suppressed(&address))?;
    tracing::info!(address = %address.masked(), by = %caller, was = lifted.reason.word(), "suppression lifted");
    Ok(Json(view(&lifted)))
}

fn not_suppressed(address: &Address) -> ApiError {
    ApiError::not_found(format!("{address} is not suppressed"))
}

fn from_hex(text: &str) -> Result<AddressHash, ApiError> {
    let wrong = || ApiError::invalid("after: 64 hexadecimal digits were expected");
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}

/// The suppression in JSON.
pub(super) fn view(suppression: &Suppression) -> SuppressionView {
    SuppressionView {
        address: suppression.address.as_ref().map(Address::to_string),
        reason: suppression.reason.word().to_owned(),
        since: suppression.since,
        note: suppression.note.clone(),
    }
}
