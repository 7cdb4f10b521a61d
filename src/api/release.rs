//! Releases: `GET|POST /v1/releases`, `GET /v1/releases/{id}`, `POST /v1/releases/check`, `GET
//! /v1/releases/{id}/preview`, `POST /v1/releases/{id}/test`.
//!
//! A release's files are uploaded before it, see [`super::blob`]; a release that names a file not stored is refused. A
//! release identical to a stored one (text, files, contacts, boilerplate) is not added again.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::base::language::Language;
use crate::base::token::to_hex;
use crate::composition::content::{CheckAgainst, Checked, Content};
use crate::composition::release::{read_record, record_of};
use crate::events::invitation;
use crate::model::contact::ContactBook;
use crate::model::release::{Blob, ReleaseRecord};
use crate::render::finding::Severity;
use crate::render::lint::FileState;
use crate::render::picture::ScaledPictures;
use crate::render::source::parse;
use crate::store::blobs::{Blobs, parse_sha256};

use super::ApiState;
use super::audit_trail::Trail;
use super::blob::BlobView;
use super::error::ApiError;
use super::extract::{Body, Caller, Parameters, Segment};
use super::finding_view::{FindingView, views};

pub mod sample;

/// A release file and the files it names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseFile {
    /// The file's text.
    pub source: String,
    /// Each file it names, by that name.
    #[serde(default)]
    pub files: BTreeMap<String, BlobView>,
    /// When it is to be sent, if known; used by checks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub send_at: Option<Timestamp>,
}

/// The result of a check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckResult {
    /// Whether the release could be added.
    pub good: bool,
    /// All findings, in order of line.
    pub findings: Vec<FindingView>,
}

/// A release in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseListed {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its language.
    pub language: Language,
    /// Its headline.
    pub headline: String,
    /// The issuing organisation.
    pub issuer: String,
    /// The number of its files.
    pub files: usize,
    /// When it was added.
    pub created: Timestamp,
    /// Who added it.
    pub created_by: String,
}

/// A complete release.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseView {
    /// The fields shown in lists.
    #[serde(flatten)]
    pub listed: ReleaseListed,
    /// Its files, by name.
    pub attached: BTreeMap<String, BlobView>,
    /// Ids of the contacts copied from the contact book when it was added.
    pub contacts: Vec<String>,
    /// The boilerplate revisions copied from the contact book: organisation and revision number.
    pub boilerplates: Vec<(String, u32)>,
    /// Its text as written.
    pub source: String,
}

/// The result of adding a release.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseAdded {
    /// Its id.
    pub id: String,
    /// Whether an identical release was already stored; then nothing was added.
    #[serde(default)]
    pub known: bool,
    /// Warnings.
    pub warnings: Vec<FindingView>,
}

#[derive(Deserialize)]
struct ListParameters {
    after: Option<String>,
    limit: Option<usize>,
}

/// The routes of releases.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/releases", get(list).post(add))
        .route("/v1/releases/check", post(check))
        .route("/v1/releases/{id}", get(show))
        .route("/v1/releases/{id}/preview", get(sample::preview))
        .route("/v1/releases/{id}/test", post(sample::test))
}

/// Maximum number of releases in a response.
const LIST_LIMIT: usize = 500;

async fn list(
    State(control): State<Arc<ApiState>>,
    Parameters(ListParameters { after, limit }): Parameters<ListParameters>,
) -> Result<Json<Vec<ReleaseListed>>, ApiError> {
    let limit = limit.unwrap_or(LIST_LIMIT).min(LIST_LIMIT);
    let after: Option<ReleaseId> =
        after.map(|id| id.parse()).transpose().map_err(|error| ApiError::invalid(format!("after: {error}")))?;
    let releases = control.store.releases(after.unwrap_or(ReleaseId(0)), limit).await?;
    Ok(Json(releases.iter().map(listed).collect()))
}

async fn show(
    State(control): State<Arc<ApiState>>,
    Segment(id): Segment<ReleaseId>,
) -> Result<Json<ReleaseView>, ApiError> {
    let Some(release) = control.store.release(id).await? else {
        return Err(ApiError::not_found(format!("there is no release {id}"))
            .hint("\u{201c}depesch release list\u{201d} shows them all."));
    };
    let release = release.value;
    let attached = release.files.iter().map(|(name, blob)| (name.clone(), blob_view(blob))).collect();
    Ok(Json(ReleaseView {
        listed: listed(&release),
        attached,
        contacts: release.book.contacts.keys().cloned().collect(),
        boilerplates: release.book.boilerplates.keys().cloned().collect(),
        source: release.source,
    }))
}

async fn check(
    State(control): State<Arc<ApiState>>,
    Body(file): Body<ReleaseFile>,
) -> Result<Json<CheckResult>, ApiError> {
    let (checked, ..) = check_file(&control, &control.content.get(), &file).await?;
    Ok(Json(CheckResult { good: checked.is_good(), findings: views(&checked.findings) }))
}

async fn add(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Body(file): Body<ReleaseFile>,
) -> Result<(StatusCode, Json<ReleaseAdded>), ApiError> {
    let content = control.content.get();
    let (checked, book, files) = check_file(&control, &content, &file).await?;
    let draft = match checked.draft.as_ref() {
        Some(draft) if checked.is_good() => draft,
        _ => return Err(refusal(&checked)),
    };
    let made = (control.clock.now(), caller.name.as_str());
    let record = record_of(&file.source, draft, &book, files, &content.source, made);
    let (release, known) = match control.store.same_release(&record).await? {
        Some(known) => (known, true),
        None => {
            let invitation = read_record(&record).ok().as_ref().and_then(invitation);
            (control.store.add_invitation(record, invitation.as_ref()).await?, false)
        }
    };
    if !known {
        tracing::info!(by = %caller, release = %release.id, "release added");
    }
    trail.detail(format!("{} {}", if known { "known" } else { "made" }, release.id));
    let status = if known { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(ReleaseAdded { id: release.id.to_string(), known, warnings: views(&checked.findings) })))
}

fn refusal(checked: &Checked) -> ApiError {
    let errors = checked.findings.iter().filter(|f| f.severity == Severity::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    ApiError::new(422, "release-errors", format!("the release has errors:\n{}", errors.join("\n")))
        .hint("Fix them and add it again; \u{201c}depesch release check FILE\u{201d} shows them too.")
}

/// Checks a release file against the stored data; also returns the contact book and the stored files it names.
async fn check_file(
    control: &ApiState,
    content: &Content,
    file: &ReleaseFile,
) -> Result<(Checked, ContactBook, BTreeMap<String, Blob>), ApiError> {
    let book = control.store.contact_book().await?;
    let draft = parse(&file.source, &content.source).draft;
    let names: Vec<String> = draft.iter().flat_map(|draft| draft.files()).map(str::to_owned).collect();
    let blobs = Blobs::in_state_directory(&control.state_directory);
    let (mut states, mut kept) = (BTreeMap::new(), BTreeMap::new());
    for name in names {
        let state = match file.files.get(&name).and_then(|view| parse_sha256(&view.sha256)) {
            None => FileState::Missing("it was not sent along".to_owned()),
            Some(sha256) => match blobs.size(&sha256).await? {
                None => FileState::Missing("its content was not sent".to_owned()),
                Some(size) => {
                    kept.insert(name.clone(), Blob { sha256, size });
                    FileState::Found(Blob { sha256, size })
                }
            },
        };
        states.insert(name, state);
    }
    let mut pictures = ScaledPictures::new();
    for name in draft.iter().flat_map(|draft| draft.pictures()) {
        if let Some(blob) = kept.get(name) {
            let scaled = content.pictures.scaled(blob.sha256, blobs.read(&blob.sha256)).await?;
            pictures.insert(name.to_owned(), scaled);
        }
    }
    let (files, now) = (&states, control.clock.now());
    let against = CheckAgainst { book: &book, files, pictures: &pictures, now, send_at: file.send_at };
    let checked = content.check(&file.source, &against);
    Ok((checked, book, kept))
}

fn blob_view(blob: &Blob) -> BlobView {
    BlobView { sha256: to_hex(&blob.sha256), size: blob.size }
}

fn listed(release: &ReleaseRecord) -> ReleaseListed {
    ReleaseListed {
        id: release.id.to_string(),
        kind: release.summary.kind.to_string(),
        language: release.summary.language.clone(),
        headline: release.summary.headline.clone(),
        issuer: release.summary.issuer.clone(),
        files: release.files.len(),
        created: release.created,
        created_by: release.created_by.clone(),
    }
}
