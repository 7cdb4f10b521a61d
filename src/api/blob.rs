//! Attachments: `PUT /v1/blobs/{sha256}` stores the body as it arrives, `GET /v1/blobs/{sha256}` reports whether it is
//! stored.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::put;
use axum::{Json, Router};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::base::token::to_hex;
use crate::store::blobs::{BlobError, Blobs, parse_sha256};
use crate::store::journal::disk::is_full;

use super::ApiState;
use super::error::ApiError;
use super::extract::Segment;

/// A stored file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobView {
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The routes of attachments. Files are streamed to disk, so the limit is [`crate::store::blobs::MAX_BLOB`].
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/blobs/{sha256}", put(keep).get(show)).layer(DefaultBodyLimit::disable())
}

/// A SHA-256 hash as a path segment.
pub(super) struct Hash(pub [u8; 32]);

impl std::str::FromStr for Hash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_sha256(text).map(Self).ok_or("a SHA-256 hash has 64 hexadecimal digits")
    }
}

async fn keep(
    State(control): State<Arc<ApiState>>,
    Segment(Hash(sha256)): Segment<Hash>,
    body: Body,
) -> Result<Json<BlobView>, ApiError> {
    let mut incoming = Blobs::in_state_directory(&control.state_directory).receive().await?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| BlobError::Source(std::io::Error::other(error)))?;
        incoming.write(&piece).await?;
    }
    let blob = incoming.finish(Some(sha256)).await?;
    Ok(Json(BlobView { sha256: to_hex(&blob.sha256), size: blob.size }))
}

async fn show(
    State(control): State<Arc<ApiState>>,
    Segment(Hash(sha256)): Segment<Hash>,
) -> Result<Json<BlobView>, ApiError> {
    let size = Blobs::in_state_directory(&control.state_directory).size(&sha256).await?;
    let sha256 = to_hex(&sha256);
    match size {
        Some(size) => Ok(Json(BlobView { sha256, size })),
        None => Err(BlobError::Missing(sha256).into()),
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        if let BlobError::Io { error: cause, .. } = &error
            && is_full(cause)
        {
            return Self::full(error.to_string());
        }
        let status = match &error {
            BlobError::Missing(_) => 404,
            BlobError::Different { .. } | BlobError::Source(_) => 400,
            BlobError::TooLarge(_) => 413,
            BlobError::Damaged { .. } => 500,
            BlobError::Io { .. } => 503,
        };
        let code = match status {
            404 => "not-found",
            413 => "too-large",
            400 => "invalid",
            _ => "store",
        };
        Self::new(status, code, error.to_string())
    }
}
