//! Extractors for handlers; their errors have the API's own form.

use std::borrow::Cow;
use std::fmt;

use axum::Json;
use axum::body::Bytes;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::serve::IncomingStream;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;

use crate::base::unicode;
use crate::model::operator::{self, Operator};

use super::error::ApiError;

/// The caller: the user at the other end of the socket, as reported by the kernel. Recorded as the author of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user's name, or e.g. `uid 1000` if it has none.
    pub name: String,
    /// The user id.
    pub uid: Option<u32>,
}

impl Caller {
    /// The caller in the form used in records.
    pub(crate) fn operator(&self) -> Operator {
        Operator { name: self.name.clone(), uid: self.uid }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        match stream.io().peer_cred() {
            Ok(peer) => Self { name: user_name(peer.uid()), uid: Some(peer.uid()) },
            Err(_) => Self { name: operator::UNKNOWN.to_owned(), uid: None },
        }
    }
}

/// The name of a user id in `/etc/passwd`.
pub fn user_name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&users, uid).unwrap_or_else(|| format!("uid {uid}"))
}

fn name_in(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let info = ConnectInfo::<Caller>::from_request_parts(parts, state).await;
        info.map(|ConnectInfo(caller)| caller)
            .map_err(|_| ApiError::internal("the caller is unknown: the connection has no peer credentials"))
    }
}

/// A JSON body, normalised to Unicode NFC. Unlike with axum's `Json`, an invalid body is answered in the API's error
/// form, with line and column.
pub(crate) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(composed(request, state).await?, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => {
                let code = if rejection.status().as_u16() == 413 { "too-large" } else { "invalid" };
                Err(ApiError::new(rejection.status().as_u16(), code, rejection.body_text()))
            }
        }
    }
}

/// The request with its body normalised to NFC. This keeps JSON valid: none of its syntax characters composes with
/// another.
async fn composed<S: Send + Sync>(request: Request, state: &S) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let bytes = Bytes::from_request(whole, state).await.map_err(|rejection| {
        let code = if rejection.status().as_u16() == 413 { "too-large" } else { "invalid" };
        ApiError::new(rejection.status().as_u16(), code, rejection.body_text())
    })?;
    let bytes = match std::str::from_utf8(&bytes).map(unicode::nfc) {
        Ok(Cow::Owned(composed)) => Bytes::from(composed),
        _ => bytes,
    };
    Ok(Request::from_parts(parts, axum::body::Body::from(bytes)))
}

/// The query parameters.
pub(crate) struct Parameters<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::invalid(rejection.body_text())),
        }
    }
}

/// Parameters for a page of records, newest first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageBefore<S> {
    /// Only records older than this one.
    pub before: Option<String>,
    /// The maximum number of records.
    pub limit: Option<usize>,
    /// Only records in this state.
    pub state: Option<S>,
    /// Whether to show addresses in full; masked by default.
    #[serde(default)]
    pub addresses: bool,
}

/// The parameter that shows addresses in full.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressParameters {
    /// Whether to show addresses in full; masked by default.
    #[serde(default)]
    pub addresses: bool,
}

/// A path segment parsed with [`std::str::FromStr`], e.g. `Segment<MailingId>`.
pub(crate) struct Segment<T>(pub T);

impl<S, T> FromRequestParts<S> for Segment<T>
where
    S: Send + Sync,
    T: std::str::FromStr<Err: fmt::Display>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Path(text) = axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|e| ApiError::invalid(e.body_text()))?;
        text.parse().map(Self).map_err(|e: T::Err| ApiError::invalid(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_user_id_is_named_by_the_list_of_users() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\nbroken\npress:x:1000:1000::/home/press:/bin/sh\n";
        assert_eq!(super::name_in(users, 1000).as_deref(), Some("press"));
        assert_eq!(super::name_in(users, 7), None);
    }
}
