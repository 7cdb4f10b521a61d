//! The form of every error response: `{"error": {"code": "...", "message": "...", "hint": "..."}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;
use crate::store::engine::EngineError;

/// Why a request failed. A handler returns it; the client reads it back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// For programs: lower-case words with hyphens; a published code never changes.
    pub code: String,
    /// For people: what is wrong and where.
    pub message: String,
    /// For people: how to fix it.
    pub hint: Option<String>,
}

/// The error as a JSON body.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorBody {
    /// The error.
    pub error: ErrorFields,
}

/// The fields of an error in JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorFields {
    /// For programs.
    pub code: String,
    /// For people: what is wrong and where.
    pub message: String,
    /// For people: how to fix it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl ApiError {
    /// An error with any status and code, without a hint.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), hint: None }
    }

    /// Adds how to fix it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// 400: the request itself is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    /// 404: not found.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "not-found", message)
    }

    /// 409: the request conflicts with the current state.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "conflict", message)
    }

    /// 507: the disk is full.
    pub(crate) fn full(message: impl Into<String>) -> Self {
        Self::new(507, "full", message).hint("Nothing was changed. Free disk space, then send the same request again.")
    }

    /// 500: a fault in the daemon.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internal", message)
    }

    /// The JSON body.
    pub(crate) fn body(&self) -> ErrorBody {
        let (code, message, hint) = (self.code.clone(), self.message.clone(), self.hint.clone());
        ErrorBody { error: ErrorFields { code, message, hint } }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Contended(_) => {
                Self::new(503, "contended", error.to_string()).hint("The same request may be sent again.")
            }
            StoreError::Engine(EngineError::Full(_)) => Self::full(error.to_string()),
            StoreError::Engine(EngineError::Ambiguous { .. }) => Self::new(503, "unknown", error.to_string())
                .hint("Check whether it was done before you send the same request again. See the daemon's log."),
            StoreError::Engine(_) => Self::new(503, "store", error.to_string())
                .hint("Nothing was changed. See the daemon's log; try again when the store works."),
            StoreError::Record(_) => Self::new(500, "store", error.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status >= 500 {
            tracing::error!(code = %self.code, status = self.status, "request failed: {}", self.message);
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.body())).into_response();
        response.extensions_mut().insert(ErrorCode(self.code.clone()));
        response
    }
}

/// The code of an error response, for the log.
#[derive(Clone, Debug)]
pub(super) struct ErrorCode(pub String);
