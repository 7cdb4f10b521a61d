//! The audit entries of requests: one before the request is carried out and one with its outcome, so that the log shows
//! what a daemon that crashed in between was about to do. Reads that show addresses write a single entry.
//!
//! A request whose entry cannot be written is not carried out (invariant 1). [`RULES`] has the audited requests; a test
//! requires a rule for each route that changes something.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRequestParts, MatchedPath, Query, RawPathParams, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::audit::{AuditLog, AuditNote};
use crate::base::address::Address;
use crate::base::id::{InboundId, MailingId, NoticeId, PostId, ReleaseId, SubscriberId};
use crate::model::audit::AuditOutcome;
use crate::store::StoreError;
use crate::store::engine::EngineError;

use super::ApiState;
use super::error::{ApiError, ErrorCode};
use super::extract::Caller;

/// What is recorded about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// An entry before it and one with its outcome.
    Change,
    /// One entry: addresses are shown.
    Shows,
    /// One entry if addresses are requested (`addresses=true`), or what one person gets (`as`).
    ShowsIfAsked,
    /// No entry: it changes nothing, or has records of its own.
    Nothing,
}

/// What is recorded for one route.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The method and path, as in the router.
    pub route: (&'static str, &'static str),
    /// The name of the action: a noun and a verb.
    pub what: &'static str,
    /// What is recorded.
    pub noted: Noted,
}

const fn rule(method: &'static str, path: &'static str, what: &'static str, noted: Noted) -> Rule {
    Rule { route: (method, path), what, noted }
}

/// Every route that changes something or shows addresses. Any other GET is not recorded.
pub const RULES: &[Rule] = &[
    rule("GET", "/v1/audit/export", "audit export", Noted::Shows),
    rule("POST", "/v1/backups", "backup create", Noted::Change),
    rule("PUT", "/v1/blobs/{sha256}", "attachment keep", Noted::Change),
    rule("POST", "/v1/bounces/{who}/reset", "bounce reset", Noted::Change),
    rule("GET", "/v1/bounces", "bounce list", Noted::ShowsIfAsked),
    rule("GET", "/v1/bounces/{who}", "bounce show", Noted::ShowsIfAsked),
    rule("POST", "/v1/mailings/{id}/forgive", "bounce reset", Noted::Change),
    rule("POST", "/v1/configuration/reload", "reload", Noted::Change),
    rule("POST", "/v1/contacts/import", "contact import", Noted::Change),
    rule("POST", "/v1/organisations/{id}/boilerplates", "organisation add-boilerplate", Noted::Change),
    rule("POST", "/v1/subscribers/import", "subscriber import", Noted::Change),
    rule("GET", "/v1/subscribers/export", "subscriber export", Noted::Shows),
    rule("GET", "/v1/inbound", "inbound list", Noted::ShowsIfAsked),
    rule("GET", "/v1/inbound/{id}", "inbound show", Noted::ShowsIfAsked),
    rule("GET", "/v1/inbound/{id}/raw", "inbound raw", Noted::Shows),
    rule("POST", "/v1/inbound/{id}/retry", "inbound retry", Noted::Change),
    // Each incoming message has a record of its own.
    rule("POST", "/v1/inbound", "inject", Noted::Nothing),
    rule("DELETE", "/v1/listeners/{protocol}", "inbound forget-listener", Noted::Change),
    rule("GET", "/v1/notices", "notice list", Noted::ShowsIfAsked),
    rule("GET", "/v1/notices/{id}", "notice show", Noted::ShowsIfAsked),
    rule("POST", "/v1/notices/{id}/retry", "notice retry", Noted::Change),
    rule("PUT", "/v1/lists/{name}", "list set", Noted::Change),
    rule("PATCH", "/v1/lists/{name}", "list edit", Noted::Change),
    rule("GET", "/v1/lists/{name}/consent", "list consent", Noted::ShowsIfAsked),
    rule("POST", "/v1/mailings", "mailing queue", Noted::Change),
    rule("GET", "/v1/deliveries", "delivery find", Noted::ShowsIfAsked),
    rule("GET", "/v1/mailings/{id}/report", "mailing report", Noted::ShowsIfAsked),
    rule("GET", "/v1/mailings/{id}/deliveries", "mailing report", Noted::ShowsIfAsked),
    rule("GET", "/v1/mailings/{id}/deliveries/{subscriber}", "mailing report", Noted::ShowsIfAsked),
    rule("POST", "/v1/mailings/{id}/pause", "mailing pause", Noted::Change),
    rule("POST", "/v1/mailings/{id}/resume", "mailing resume", Noted::Change),
    rule("POST", "/v1/mailings/{id}/cancel", "mailing cancel", Noted::Change),
    rule("POST", "/v1/mailings/{id}/approve", "mailing approve", Noted::Change),
    rule("POST", "/v1/mailings/{id}/reschedule", "mailing reschedule", Noted::Change),
    rule("POST", "/v1/mailings/audience", "mailing audience", Noted::ShowsIfAsked),
    rule("GET", "/v1/mailings/{id}/audience", "mailing audience", Noted::ShowsIfAsked),
    rule("POST", "/v1/mailings/{id}/edit", "mailing edit", Noted::Change),
    rule("GET", "/v1/mailings/{id}/preview", "mailing preview", Noted::ShowsIfAsked),
    rule("POST", "/v1/mailings/{id}/retry", "mailing retry", Noted::Change),
    rule("POST", "/v1/mailings/{id}/resolve", "mailing resolve", Noted::Change),
    rule("POST", "/v1/outbound/flush", "outbound flush", Noted::Change),
    rule("GET", "/v1/posts", "post list", Noted::Shows),
    rule("GET", "/v1/posts/{id}", "post show", Noted::Shows),
    rule("GET", "/v1/posts/{id}/raw", "post raw", Noted::Shows),
    rule("POST", "/v1/posts/{id}/approve", "post approve", Noted::Change),
    rule("POST", "/v1/posts/{id}/refuse", "post refuse", Noted::Change),
    rule("POST", "/v1/releases", "release add", Noted::Change),
    rule("GET", "/v1/releases/{id}/preview", "release preview", Noted::ShowsIfAsked),
    rule("POST", "/v1/releases/{id}/test", "release test", Noted::Change),
    rule("POST", "/v1/releases/check", "release check", Noted::Nothing),
    rule("POST", "/v1/retention", "retention run", Noted::Change),
    rule("GET", "/v1/rsvps/{event}", "rsvp list", Noted::Shows),
    rule("GET", "/v1/rsvps/{event}/export", "rsvp export", Noted::Shows),
    rule("POST", "/v1/rsvps/{event}", "rsvp set", Noted::Change),
    rule("POST", "/v1/subscribers", "subscriber add", Noted::Change),
    rule("GET", "/v1/subscribers", "subscriber search", Noted::Shows),
    rule("GET", "/v1/subscribers/{who}", "subscriber show", Noted::Shows),
    rule("PATCH", "/v1/subscribers/{who}", "subscriber edit", Noted::Change),
    rule("DELETE", "/v1/subscribers/{who}", "subscriber erase", Noted::Change),
    rule("GET", "/v1/subscribers/{who}/consent", "subscriber consent", Noted::ShowsIfAsked),
    rule("GET", "/v1/subscribers/{who}/record", "subscriber record", Noted::Shows),
    rule("POST", "/v1/subscribers/{who}/subscriptions/{list}", "subscriber subscription", Noted::Change),
    rule("GET", "/v1/suppressions", "suppression list", Noted::Shows),
    rule("POST", "/v1/suppressions", "suppression add", Noted::Change),
    rule("DELETE", "/v1/suppressions/{address}", "suppression remove", Noted::Change),
];

/// The audit entry of a request in progress; a handler takes it from the request to add details.
#[derive(Clone)]
pub(crate) struct Trail {
    inner: Arc<Inner>,
}

struct Inner {
    log: AuditLog,
    note: AuditNote,
    detail: std::sync::Mutex<String>,
    goes_on: AtomicBool,
}

impl Trail {
    /// Sets the details of the outcome, in machine-readable form, e.g. the id of what was created.
    pub(crate) fn detail(&self, detail: impl Into<String>) {
        *self.inner.detail.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = detail.into();
    }

    /// Declares that the work continues after the handler has returned; [`Trail::ended`] will record the outcome.
    pub(crate) fn goes_on(&self) {
        self.inner.goes_on.store(true, Ordering::SeqCst);
    }

    /// Records the outcome of work that continued.
    pub(crate) async fn ended(&self, outcome: AuditOutcome, detail: impl Into<String>) {
        let note = AuditNote { outcome, detail: detail.into(), ..self.inner.note.clone() };
        if let Err(error) = self.inner.log.append(&note).await {
            // The work is done and its start is in the log, so the response stands.
            let (request, what) = (note.request, &note.what);
            tracing::error!(%error, request, what, "the outcome of a request could not be recorded in the audit log");
        }
    }

    /// The outcome that a response indicates; `None` if the work continues.
    fn answer(&self, response: &Response) -> Option<(AuditOutcome, String)> {
        if self.inner.goes_on.load(Ordering::SeqCst) {
            return None;
        }
        let status = response.status();
        let code = response.extensions().get::<ErrorCode>().map_or("", |code| &code.0);
        let detail = match status.is_client_error() || status.is_server_error() {
            true => format!("{} {code}", status.as_u16()),
            false => self.inner.detail.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone(),
        };
        let outcome = match status {
            status if status.is_client_error() => AuditOutcome::Refused,
            status if status.is_server_error() => AuditOutcome::Failed,
            _ => AuditOutcome::Done,
        };
        Some((outcome, detail.trim().to_owned()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Trail {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let missing = || ApiError::internal("this route has no rule for the audit log");
        parts.extensions.get::<Trail>().cloned().ok_or_else(missing)
    }
}

/// Records the start of a request, carries it out, and records its outcome.
pub(super) async fn record(State(control): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let (what, noted) = rule_of(&parts.method, &path);
    let query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri).map(|Query(query)| query);
    let query = query.unwrap_or_default();
    let shows = match noted {
        Noted::Nothing => return next.run(Request::from_parts(parts, body)).await,
        Noted::ShowsIfAsked if !asks_for_people(&query) => {
            return next.run(Request::from_parts(parts, body)).await;
        }
        Noted::Shows | Noted::ShowsIfAsked => true,
        Noted::Change => false,
    };
    let caller = match Caller::from_request_parts(&mut parts, &()).await {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    let params = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let log = control.audit();
    let about = match about(&control, &log, &path, params.as_ref(), &query).await {
        Ok(about) => about,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let outcome = if shows { AuditOutcome::Noted } else { AuditOutcome::Begun };
    let Caller { name: who, uid } = caller;
    let mut note = AuditNote { who, uid, request: None, what, about, outcome, detail: String::new() };
    match log.append(&note).await {
        Ok(number) => note.request = Some(number),
        Err(error) => return not_noted(&error).into_response(),
    }
    if shows {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let trail = Trail { inner: Arc::new(Inner { log, note, detail: Default::default(), goes_on: false.into() }) };
    parts.extensions.insert(trail.clone());
    // In a task of its own: if the client disconnects, the request is still completed and its outcome recorded.
    let doing = tokio::spawn(async move {
        let response = next.run(Request::from_parts(parts, body)).await;
        if let Some((outcome, detail)) = trail.answer(&response) {
            trail.ended(outcome, detail).await;
        }
        response
    });
    match doing.await {
        Ok(response) => response,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => ApiError::internal("the daemon stops").into_response(),
    }
}

fn asks_for_people(query: &HashMap<String, String>) -> bool {
    query.get("addresses").is_some_and(|asked| asked == "true") || query.contains_key("as")
}

fn rule_of(method: &Method, path: &str) -> (String, Noted) {
    match RULES.iter().find(|rule| rule.route == (method.as_str(), path)) {
        Some(rule) => (rule.what.to_owned(), rule.noted),
        None if method.is_safe() => (String::new(), Noted::Nothing),
        // A route without a rule is recorded as well.
        None => (format!("{method} {path}"), Noted::Change),
    }
}

fn not_noted(error: &StoreError) -> ApiError {
    if let StoreError::Engine(EngineError::Full(_)) = error {
        return ApiError::full(error.to_string());
    }
    // Even if the entry may have been written: the request is carried out only after that succeeded.
    ApiError::new(503, "audit", format!("the request could not be recorded in the audit log: {error}"))
        .hint("Nothing was done. See the daemon's log; try again when the store works.")
}

/// The ids that a request concerns: numbers of people and keyed hashes of lists, never an address or a list's name.
async fn about(
    control: &ApiState,
    log: &AuditLog,
    path: &str,
    params: Option<&RawPathParams>,
    query: &HashMap<String, String>,
) -> Result<String, StoreError> {
    let mut ids = Vec::new();
    let noun = path.split('/').nth(2).unwrap_or_default();
    for (name, value) in params.into_iter().flatten() {
        ids.extend(match name {
            "who" | "subscriber" | "address" => person(control, log, value).await?,
            "list" | "name" => vec![log.list_id(value)],
            _ => id_of(noun, name, value).into_iter().collect(),
        });
    }
    if let Some(who) = query.get("as") {
        ids.extend(person(control, log, who).await?);
    }
    let lists = ["list", "lists"].iter().filter_map(|name| query.get(*name)).flat_map(|lists| lists.split(','));
    ids.extend(lists.filter(|name| !name.is_empty()).map(|name| log.list_id(name)));
    Ok(ids.join(" "))
}

/// The number of the person with this number or address; the address's keyed hash if there is no such subscriber.
pub(super) async fn person(control: &ApiState, log: &AuditLog, who: &str) -> Result<Vec<String>, StoreError> {
    if let Ok(id) = who.parse::<SubscriberId>() {
        return Ok(vec![id.to_string()]);
    }
    let Ok(address) = who.parse::<Address>() else { return Ok(Vec::new()) };
    let found = control.store.subscriber_by_address(&address).await?;
    Ok(match found {
        Some(read) => vec![read.value.id.to_string()],
        None => vec![log.address_id(&address)],
    })
}

/// The id of a resource in the form used everywhere; `None` if the value is not a valid id.
fn id_of(noun: &str, name: &str, value: &str) -> Option<String> {
    let is_simple =
        |text: &str| text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    match (noun, name) {
        ("mailings", _) => value.parse::<MailingId>().ok().map(|id| id.to_string()),
        ("posts", _) => value.parse::<PostId>().ok().map(|id| id.to_string()),
        ("notices", _) => value.parse::<NoticeId>().ok().map(|id| id.to_string()),
        ("inbound", _) => value.parse::<InboundId>().ok().map(|id| id.to_string()),
        ("rsvps", _) if value.starts_with('m') => value.parse::<MailingId>().ok().map(|id| id.to_string()),
        ("releases" | "rsvps", _) => value.parse::<ReleaseId>().ok().map(|id| id.to_string()),
        ("blobs", _) => Some(format!("sha256:{value}")).filter(|_| is_simple(value)),
        ("organisations", _) => Some(format!("organisation:{value}")).filter(|_| is_simple(value)),
        _ => None,
    }
}
