//! The one form of an error answer: `{"error": {"code": "...", "message": "...", "hint": "..."}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;
use crate::store::engine::EngineError;

/// Why a request was not done. A handler returns it; the client reads it back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// For programs: lower-case words with hyphens, never changed once given.
    pub code: String,
    /// For people: what is wrong and where.
    pub message: String,
    /// For people: how to mend it.
    pub hint: Option<String>,
}

/// The error as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorFields,
}

/// What an error holds, as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub struct ErrorFields {
    /// For programs.
    pub code: String,
    /// For people: what is wrong and where.
    pub message: String,
    /// For people: how to mend it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl ApiError {
    /// Any error.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), hint: None }
    }

    /// Says how to mend it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// 400: the request itself is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "not-found", message)
    }

    /// 409: what is asked does not go with how things stand.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "conflict", message)
    }

    /// 507: there is no room on the disk.
    pub fn full(message: impl Into<String>) -> Self {
        Self::new(507, "full", message)
            .hint("Nothing was changed. Make room on the disk; the same request may then be sent again.")
    }

    /// 500: the daemon's own fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internal", message)
    }

    /// The body that travels.
    pub fn body(&self) -> ErrorBody {
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
                .hint("Look whether it was done before you send the same request again. See the daemon's log."),
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

/// The code of an error answer, for the log.
#[derive(Clone, Debug)]
pub(super) struct ErrorCode(pub String);
