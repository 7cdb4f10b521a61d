//! Backups: `GET|POST /v1/backups`. A new one is made while the daemon works; the answer is lines, see
//! [`super::stream`].

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::base::clock::Timestamp;
use crate::model::audit::AuditOutcome;
use crate::operations::backups::{BackupReport, Backups};
use crate::store::backup::manifest::Manifest;
use crate::store::backup::prune::is_whole;
use crate::store::backup::repository::Repository;
use crate::store::backup::verify::Fault;
use crate::store::backup::{BackupError, Event};

use super::audit_trail::Trail;
use super::error::ApiError;
use super::extract::Caller;
use super::{ApiState, stream};

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupView {
    /// Its name.
    pub id: String,
    /// When it was made; unknown when it cannot be read.
    pub created: Option<Timestamp>,
    /// On which machine.
    pub host: String,
    /// How many records it holds.
    pub records: u64,
    /// The last group of commits in it.
    pub group: u64,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes that had to be written for it.
    pub new_bytes: u64,
    /// Whether all its files are there, with their lengths; `backup verify` reads them.
    pub whole: bool,
    /// What is wrong, if it cannot be read.
    pub problem: Option<String>,
    /// Attachments that were damaged where they lie, so that they are not in it.
    pub left_out: Vec<String>,
}

/// What making a backup did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The new one.
    pub backup: BackupView,
    /// Where it lies.
    pub directory: String,
    /// Which old ones were forgotten.
    pub forgotten: Vec<String>,
    /// Bytes that this freed.
    pub freed_bytes: u64,
    /// Files of backups that were damaged and are whole again.
    #[serde(default)]
    pub rewritten: Vec<String>,
    /// Files of backups that are damaged or missing.
    #[serde(default)]
    pub faults: Vec<FaultView>,
}

/// A file of the backups that is damaged or missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    /// Which file.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// Which backups cannot be restored whole because of it.
    pub backups: Vec<String>,
}

impl From<&Fault> for FaultView {
    fn from(fault: &Fault) -> Self {
        let Fault { path, what, backups } = fault;
        Self { file: path.display().to_string(), what: what.clone(), backups: backups.clone() }
    }
}

impl std::fmt::Display for FaultView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.what)?;
        match self.backups.is_empty() {
            true => Ok(()),
            false => write!(f, " (of {})", self.backups.join(", ")),
        }
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Bytes looked at.
    pub bytes: u64,
    /// Of so many, as far as is known.
    pub total: u64,
}

impl From<&Manifest> for BackupView {
    fn from(manifest: &Manifest) -> Self {
        Self {
            id: manifest.id.clone(),
            created: Some(manifest.created),
            host: manifest.host.clone(),
            records: manifest.mark.records,
            group: manifest.mark.group,
            bytes: manifest.bytes,
            new_bytes: manifest.new_bytes,
            whole: true,
            problem: None,
            left_out: manifest.left_out.clone(),
        }
    }
}

impl Made {
    /// What a report says.
    pub fn of(report: &BackupReport, directory: &std::path::Path) -> Self {
        Self {
            backup: (&report.manifest).into(),
            directory: directory.display().to_string(),
            forgotten: report.pruned.backups.clone(),
            freed_bytes: report.pruned.bytes,
            rewritten: report.upkeep.rewritten.iter().map(|path| path.display().to_string()).collect(),
            faults: report.condition.faults.iter().map(FaultView::from).collect(),
        }
    }
}

/// All backups of a repository, oldest first.
///
/// # Errors
/// [`BackupError`].
pub fn list(repository: &Repository) -> Result<Vec<BackupView>, BackupError> {
    let listed = repository.list()?;
    let broken = |id: &str, problem: String| BackupView {
        id: id.to_owned(),
        created: None,
        host: String::new(),
        records: 0,
        group: 0,
        bytes: 0,
        new_bytes: 0,
        whole: false,
        problem: Some(problem),
        left_out: Vec::new(),
    };
    let mut all = Vec::new();
    let there: BTreeSet<&str> = listed.iter().map(|one| one.id.as_str()).collect();
    for fault in repository.faults(&listed) {
        let missing = fault.backups.iter().filter(|id| !there.contains(id.as_str()));
        all.extend(missing.map(|id| broken(id, fault.what.clone())));
    }
    for one in &listed {
        all.push(match &one.manifest {
            Ok(manifest) => {
                let whole = is_whole(repository, manifest)?;
                let problem = (!whole).then(|| "files of it are damaged or missing".to_owned());
                BackupView { whole, problem, ..manifest.into() }
            }
            Err(error) => broken(&one.id, error.to_string()),
        });
    }
    all.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(all)
}

/// The routes of this noun.
pub fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/backups", get(all).post(make))
}

fn backups(control: &ApiState) -> Result<Arc<Backups>, ApiError> {
    control.backups.clone().ok_or_else(|| ApiError::not_found("this daemon makes no backups"))
}

async fn all(State(control): State<Arc<ApiState>>) -> Result<Json<Vec<BackupView>>, ApiError> {
    let backups = backups(&control)?;
    let read = move || list(&Repository::open_to_read(&backups.directory)?);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(all)) => Ok(Json(all)),
        Ok(Err(BackupError::NoRepository(_))) => Ok(Json(Vec::new())),
        Ok(Err(error)) => Err(refusal(&error)),
        Err(panic) => Err(ApiError::new(500, "internal", panic.to_string())),
    }
}

async fn make(State(control): State<Arc<ApiState>>, caller: Caller, trail: Trail) -> Result<Response, ApiError> {
    let backups = backups(&control)?;
    trail.goes_on();
    let (lines, response) = stream::lines();
    let (events, mut told) = mpsc::unbounded_channel();
    let directory = backups.directory.clone();
    let work = tokio::task::spawn_blocking(move || {
        // Whoever asked may have gone; the backup is made all the same.
        backups.create(&|event| {
            let _ = events.send(event);
        })
    });
    tokio::spawn(async move {
        let (mut copied, mut shown) = (Copied { bytes: 0, total: 0 }, 0);
        while let Some(event) = told.recv().await {
            match event {
                Event::Total(total) => copied.total = total,
                Event::Bytes(more) => copied.bytes += more,
                Event::Step(_) => continue,
            }
            if copied.bytes >= shown + 1_000_000 {
                shown = copied.bytes;
                // The same: nobody listening stops nothing.
                let _ = lines.progress(copied).await;
            }
        }
        let result = match work.await {
            Ok(Ok(report)) => {
                trail.ended(AuditOutcome::Done, format!("made backup {}", report.manifest.id)).await;
                tracing::info!(by = %caller, "{report}");
                Ok(Made::of(&report, &directory))
            }
            Ok(Err(error)) => {
                trail.ended(AuditOutcome::Failed, "").await;
                tracing::error!(by = %caller, %error, "a backup failed");
                Err(refusal(&error))
            }
            Err(panic) => Err(ApiError::new(500, "internal", panic.to_string())),
        };
        lines.finish(result).await;
    });
    Ok(response)
}

fn refusal(error: &BackupError) -> ApiError {
    match error.is_refusal() {
        true => ApiError::new(409, "backup-refused", error.to_string()),
        false => ApiError::new(500, "backup-failed", error.to_string()),
    }
}
