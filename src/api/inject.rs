//! Injecting a message from a file or from another mail system's pipe: `POST /v1/inbound` with its bytes.
//!
//! The envelope is taken from the parameters, or else from the message. The message is processed like any other
//! incoming mail; it is durable when the response reports success.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::inbound::recipients::{Ingest, Recipient, Refusal};
use crate::mail::incoming::Incoming;
use crate::mail::piped_in::{EnvelopeHints, PipedIn};
use crate::model::inbound::{Arrival, Via};

use super::ApiState;
use super::error::ApiError;
use super::extract::{Caller, Parameters};

/// Maximum size of a message, in bytes.
pub const LARGEST: usize = 25 * 1024 * 1024;
/// Maximum length of an address in characters (RFC 5321 §4.5.3.1: 64 + 1 + 255); longer ones are invalid.
const LONGEST_ADDRESS: usize = 320;

/// Error code: the message has no recipient here, or not every given recipient is one.
pub(crate) const NO_SUCH_RECIPIENT: &str = "no-such-recipient";

/// Error code: the message itself cannot be used.
pub(crate) const UNUSABLE: &str = "unusable-message";

/// The result of injecting a message.
#[derive(Debug, Serialize, Deserialize)]
pub struct Injected {
    /// Its ids, one per recipient.
    pub ids: Vec<String>,
    /// The recipients.
    pub recipients: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InjectParameters {
    /// The envelope sender; empty or `<>` for the null reverse-path.
    sender: Option<String>,
    /// The envelope recipients, separated by commas.
    recipients: Option<String>,
}

/// The route for injecting. The handler reads the body itself, so the limit is [`LARGEST`].
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/inbound", post(inject)).layer(DefaultBodyLimit::disable())
}

async fn inject(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Parameters(InjectParameters { sender, recipients }): Parameters<InjectParameters>,
    body: Body,
) -> Result<Json<Injected>, ApiError> {
    let ingest = control.services.mail_in.ingest.clone();
    let handed = PipedIn::new(&whole(body).await?);
    if handed.bytes.is_empty() {
        return Err(unusable("the message is empty"));
    }
    let named: Option<Vec<String>> =
        recipients.map(|all| all.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect());
    let hints = match (&sender, &named) {
        (Some(_), Some(_)) => EnvelopeHints::default(),
        _ => {
            let unreadable = |_| unusable("the message cannot be read; name its sender and its recipients");
            handed.hints(&Incoming::parse_headers(&handed.bytes).map_err(unreadable)?)
        }
    };
    let recipients = match named {
        Some(named) => all_ours(ingest.as_ref(), named).await?,
        None => find_ours(ingest.as_ref(), &hints).await?,
    };
    let sender = sender.or(hints.sender).map(|sender| clean(&sender)).filter(|sender| !sender.is_empty());
    let arrival =
        Arrival { at: control.clock.now(), via: Via::File, peer: None, helo: String::new(), encrypted: false, sender };
    let ids = ingest.take(arrival, recipients.clone(), handed.bytes).await.map_err(refused)?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    tracing::info!(inbound = ids.join(" "), by = %caller, "a message was injected");
    Ok(Json(Injected { ids, recipients }))
}

/// The whole body. A body that is too long is read to its end: a client that is still sending would not see the
/// response.
async fn whole(body: Body) -> Result<Vec<u8>, ApiError> {
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            ApiError::new(400, "broken-off", format!("the message was not received completely: {error}"))
        })?;
        length = length.saturating_add(piece.len());
        match length > LARGEST {
            true => bytes = Vec::new(),
            false => bytes.extend_from_slice(&piece),
        }
    }
    match length > LARGEST {
        true => Err(ApiError::new(413, "too-large", format!("a message of {length} bytes, more than {LARGEST}"))),
        false => Ok(bytes),
    }
}

fn clean(sender: &str) -> String {
    let sender = sender.trim();
    let bare = sender.strip_prefix('<').and_then(|sender| sender.strip_suffix('>')).unwrap_or(sender);
    bare.chars().filter(|c| !c.is_control()).take(LONGEST_ADDRESS).collect()
}

/// The given recipients; an error unless mail to all of them is accepted.
async fn all_ours(ingest: &dyn Ingest, named: Vec<String>) -> Result<Vec<String>, ApiError> {
    let mut ours: Vec<String> = Vec::new();
    for recipient in named {
        match ingest.recipient(&recipient).await {
            Recipient::Welcome => push_new(&mut ours, &recipient),
            Recipient::Later(reason) => return Err(later(&reason)),
            Recipient::Unknown | Recipient::Forged | Recipient::Foreign => {
                return Err(no_such(format!("mail to {recipient} is not accepted here")));
            }
        }
    }
    match ours.is_empty() {
        true => Err(no_such("no recipient was named".to_owned())),
        false => Ok(ours),
    }
}

/// The recipients found in the message: the address for which another mail system accepted it, or else all of our
/// addresses that it is addressed to.
async fn find_ours(ingest: &dyn Ingest, hints: &EnvelopeHints) -> Result<Vec<String>, ApiError> {
    let fits = |address: &&String| address.chars().count() <= LONGEST_ADDRESS;
    for address in hints.delivered_to.iter().filter(fits) {
        match ingest.recipient(address).await {
            Recipient::Welcome => return Ok(vec![address.clone()]),
            Recipient::Later(reason) => return Err(later(&reason)),
            Recipient::Unknown | Recipient::Forged | Recipient::Foreign => {}
        }
    }
    let mut ours = Vec::new();
    for address in hints.addressed_to.iter().filter(fits) {
        match ingest.recipient(address).await {
            Recipient::Welcome => push_new(&mut ours, address),
            Recipient::Later(reason) => return Err(later(&reason)),
            Recipient::Unknown | Recipient::Forged | Recipient::Foreign => {}
        }
    }
    match ours.is_empty() {
        true => Err(no_such("the message is not addressed to any of our addresses".to_owned())),
        false => Ok(ours),
    }
}

fn push_new(all: &mut Vec<String>, address: &str) {
    if !all.iter().any(|known| known.eq_ignore_ascii_case(address)) {
        all.push(address.to_owned());
    }
}

fn no_such(words: String) -> ApiError {
    ApiError::new(422, NO_SUCH_RECIPIENT, words)
        .hint("Name one with --recipient; see \u{201c}depesch list list\u{201d}.")
}

fn unusable(words: &str) -> ApiError {
    ApiError::new(422, UNUSABLE, words)
}

fn later(reason: &str) -> ApiError {
    ApiError::new(503, "later", reason).hint("Nothing was stored; the same message may be sent again.")
}

fn refused(refusal: Refusal) -> ApiError {
    match &refusal {
        Refusal::Full => {
            ApiError::new(507, "full", refusal.to_string()).hint("It is accepted when there is disk space.")
        }
        Refusal::Later(reason) => later(reason),
        Refusal::Loop => unusable(&refusal.to_string()),
    }
}
