//! The audit log: `GET /v1/audit`, `GET /v1/audit/verify`, `GET /v1/audit/export`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::audit::AuditLog;
use crate::base::clock::Timestamp;
use crate::base::token::to_hex;
use crate::composition::list_identity;
use crate::model::audit::{AuditEntry, AuditOutcome, ChainLink, instant};
use crate::model::list::Privacy;
use crate::store::audit::KeptEntry;
use crate::store::{Store, StoreError};

use super::ApiState;
use super::audit_trail::person;
use super::error::ApiError;
use super::extract::Parameters;

/// Entries read from the store at a time.
const PAGE: usize = 500;

/// An entry as a line of the export, with every field that its hash covers, in that order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// The hash of the previous entry, in hexadecimal.
    pub previous: String,
    /// Its position in the chain.
    pub number: u64,
    /// The time, to the millisecond.
    pub at: String,
    /// The user's name.
    pub who: String,
    /// The user id, in digits; empty if absent.
    pub uid: String,
    /// The number of the request's first entry.
    pub request: u64,
    /// The action: a noun and a verb.
    pub what: String,
    /// The ids it concerns, separated by spaces.
    pub about: String,
    /// `begun`, `done`, `refused`, `failed` or `noted`.
    pub outcome: String,
    /// Details.
    pub detail: String,
    /// Its hash, in hexadecimal.
    pub hash: String,
}

impl AuditLine {
    /// Exports an entry; `previous` is the hash of the entry before it.
    pub fn new(previous: &[u8; 32], kept: &KeptEntry) -> Self {
        let AuditEntry { number, at, who, uid, request, what, about, outcome, detail } = kept.entry.clone();
        Self {
            previous: to_hex(previous),
            number,
            at: instant(at),
            who,
            uid: uid.map(|uid| uid.to_string()).unwrap_or_default(),
            request,
            what,
            about,
            outcome: outcome.word().to_owned(),
            detail,
            hash: to_hex(&kept.hash),
        }
    }

    /// Parses the line into the entry and its hash.
    ///
    /// # Errors
    /// A description of the field that cannot be parsed.
    pub fn read(&self) -> Result<(AuditEntry, [u8; 32]), String> {
        let entry = AuditEntry {
            number: self.number,
            at: self.at.parse().map_err(|_| format!("\u{201c}{}\u{201d} is no time", self.at))?,
            who: self.who.clone(),
            uid: match self.uid.as_str() {
                "" => None,
                uid => Some(uid.parse().map_err(|_| format!("\u{201c}{uid}\u{201d} is not a user's number"))?),
            },
            request: self.request,
            what: self.what.clone(),
            about: self.about.clone(),
            outcome: AuditOutcome::from_word(&self.outcome)
                .ok_or_else(|| format!("\u{201c}{}\u{201d} is not an outcome", self.outcome))?,
            detail: self.detail.clone(),
        };
        Ok((entry, read_hash(&self.hash).ok_or("its hash is not hexadecimal")?))
    }
}

/// Parses a SHA-256 hash in hexadecimal.
pub(crate) fn read_hash(text: &str) -> Option<[u8; 32]> {
    crate::store::blobs::parse_sha256(text)
}

/// An entry in readable form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditView {
    /// Its position in the chain.
    pub number: u64,
    /// The time.
    pub at: Timestamp,
    /// The user's name.
    pub who: String,
    /// The user id.
    pub uid: Option<u32>,
    /// The number of the request's first entry.
    pub request: u64,
    /// The action: a noun and a verb.
    pub what: String,
    /// The ids it concerns; ordinary lists by name, sensitive ones by the label used in their mail.
    pub about: String,
    /// `begun`, `done`, `refused`, `failed` or `noted`.
    pub outcome: String,
    /// Details.
    pub detail: String,
}

/// A page of entries.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuditPage {
    /// The entries, oldest first.
    pub entries: Vec<AuditView>,
    /// The `after` of the next page; `None` on the last page.
    pub next: Option<u64>,
}

/// The result of verifying the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditVerified {
    /// Where and how the chain is broken; `None` if it is intact.
    pub broken: Option<String>,
    /// The number of entries verified; 0 if the chain is broken.
    pub entries: u64,
    /// The last entry removed because of its age, as `number:hash`; number 0 if none was removed.
    pub anchor: String,
    /// The end of the chain, `number:hash`: keep a copy outside the daemon.
    pub head: String,
    /// Requests without a known outcome: in progress, or cut off by a crash.
    pub open: Vec<u64>,
    /// What recoveries of the store lost, possibly including entries of the log.
    #[serde(default)]
    pub lost: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageParameters {
    after: Option<u64>,
    limit: Option<usize>,
    since: Option<Timestamp>,
    who: Option<String>,
    about: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportParameters {
    since: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyParameters {
    /// A `number:hash` noted earlier, to compare with.
    head: Option<String>,
}

/// The routes of the audit log.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/audit", get(page))
        .route("/v1/audit/verify", get(verify))
        .route("/v1/audit/export", get(export))
}

async fn page(
    State(control): State<Arc<ApiState>>,
    Parameters(PageParameters { after, limit, since, who, about }): Parameters<PageParameters>,
) -> Result<Json<AuditPage>, ApiError> {
    let (log, limit) = (control.audit(), limit.unwrap_or(PAGE).clamp(1, 5000));
    let wanted_ids = match &about {
        Some(about) => Some(ids(&control, &log, about).await?),
        None => None,
    };
    let names = list_names(&control, &log).await?;
    let is_wanted = |entry: &AuditEntry| {
        since.is_none_or(|since| entry.at >= since)
            && who.as_ref().is_none_or(|who| entry.who == *who)
            && wanted_ids.as_ref().is_none_or(|ids| ids.iter().any(|id| entry.mentions(id)))
    };
    let (mut entries, mut after) = (Vec::new(), after.unwrap_or(0));
    loop {
        let found = control.store.audit_entries(after, PAGE).await?;
        for KeptEntry { entry, .. } in &found {
            after = entry.number;
            if is_wanted(entry) {
                entries.push(view(entry, &names));
                if entries.len() == limit {
                    return Ok(Json(AuditPage { entries, next: Some(after) }));
                }
            }
        }
        if found.len() < PAGE {
            return Ok(Json(AuditPage { entries, next: None }));
        }
    }
}

/// The ids under which entries may mention `about`: for a list its keyed hash, for a person the number or keyed hash.
async fn ids(control: &ApiState, log: &AuditLog, about: &str) -> Result<Vec<String>, ApiError> {
    let mut ids = vec![about.to_owned(), log.list_id(about)];
    if let Ok(address) = about.parse() {
        ids.push(log.address_id(&address));
        ids.extend(person(control, log, about).await?);
    }
    Ok(ids)
}

/// Readable names by the keyed hash of the list: the list's name, or for a sensitive list the label used in its mail.
async fn list_names(control: &ApiState, log: &AuditLog) -> Result<HashMap<String, String>, ApiError> {
    let lists = control.store.lists().await?;
    let shown = lists.iter().map(|read| {
        let list = &read.value;
        let name = match list.privacy {
            Privacy::Ordinary => list.name.to_string(),
            Privacy::Sensitive => list_identity::label(&control.key, list),
        };
        (log.list_id(list.name.as_str()), name)
    });
    Ok(shown.collect())
}

fn view(entry: &AuditEntry, names: &HashMap<String, String>) -> AuditView {
    let AuditEntry { number, at, who, uid, request, what, about, outcome, detail } = entry.clone();
    let about: Vec<&str> = about.split(' ').map(|id| names.get(id).map_or(id, String::as_str)).collect();
    let (about, outcome) = (about.join(" "), outcome.word().to_owned());
    AuditView { number, at, who, uid, request, what, about, outcome, detail }
}

async fn verify(
    State(control): State<Arc<ApiState>>,
    Parameters(VerifyParameters { head }): Parameters<VerifyParameters>,
) -> Result<Json<AuditVerified>, ApiError> {
    let noted = head.map(|head| read_link(&head)).transpose().map_err(ApiError::invalid)?;
    let verified = control.audit().verify(noted).await?;
    let anchor = verified.anchor.to_string();
    Ok(Json(match verified.chain {
        Ok(whole) => AuditVerified {
            broken: None,
            entries: whole.entries,
            anchor,
            head: whole.head.to_string(),
            open: whole.open,
            lost: whole.lost,
        },
        Err(broken) => {
            tracing::error!("the chain of the audit log is broken: {broken}");
            let head = control.store.audit_head().await?.link.to_string();
            AuditVerified {
                broken: Some(broken.to_string()),
                entries: 0,
                anchor,
                head,
                open: Vec::new(),
                lost: Vec::new(),
            }
        }
    }))
}

/// Parses a position in the chain, written `number:hash`.
///
/// # Errors
/// A description of the expected form.
pub(crate) fn read_link(text: &str) -> Result<ChainLink, String> {
    let link = text.split_once(':').and_then(|(number, hash)| {
        Some(ChainLink { number: number.trim().parse().ok()?, hash: read_hash(hash.trim())? })
    });
    link.ok_or_else(|| {
        format!("\u{201c}{text}\u{201d} is not a place in the chain; write a number, a colon and 64 hexadecimal digits")
    })
}

async fn export(
    State(control): State<Arc<ApiState>>,
    Parameters(ExportParameters { since }): Parameters<ExportParameters>,
) -> Result<Response, ApiError> {
    let begin = Exporting { store: control.store.clone(), since, at: control.store.audit_anchor().await? };
    // An error cuts the response off, so that a partial export is never mistaken for a complete one.
    let bytes = futures_util::stream::try_unfold(begin, async |mut exporting| {
        Ok::<_, StoreError>(exporting.next().await?.map(|bytes| (bytes, exporting)))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(bytes)).into_response())
}

struct Exporting {
    store: Store,
    since: Option<Timestamp>,
    at: ChainLink,
}

impl Exporting {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        loop {
            let found = self.store.audit_entries(self.at.number, PAGE).await?;
            if found.is_empty() {
                return Ok(None);
            }
            let mut bytes = Vec::new();
            for kept in &found {
                // All entries after the first one are exported too, so that the chain has no gap.
                if self.since.is_none_or(|since| kept.entry.at >= since) {
                    self.since = None;
                    let line = serde_json::to_vec(&AuditLine::new(&self.at.hash, kept)).unwrap_or_default();
                    bytes.extend_from_slice(&line);
                    bytes.push(b'\n');
                }
                self.at = ChainLink { number: kept.entry.number, hash: kept.hash };
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }
}
