//! Backups: `GET|POST /v1/backups`. A backup is made while the daemon runs; the response is a stream of lines, see
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
use crate::operations::backups::BackupReport;
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
pub(crate) struct BackupView {
    /// Its id.
    pub id: String,
    /// When it was made; `None` if it cannot be read.
    pub created: Option<Timestamp>,
    /// The host it was made on.
    pub host: String,
    /// The number of records in it.
    pub records: u64,
    /// The number of the last group of commits in it.
    pub group: u64,
    /// The size of all its files, in bytes.
    pub bytes: u64,
    /// The bytes newly written for it; other files are shared with earlier backups.
    pub new_bytes: u64,
    /// Whether all its files exist with the right length; `backup verify` checks their content.
    pub whole: bool,
    /// Why it cannot be read, if so.
    pub problem: Option<String>,
    /// Attachments that are not in it, because the stored files were damaged.
    pub left_out: Vec<String>,
}

/// The result of making a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// The new backup.
    pub backup: BackupView,
    /// The directory of the backups.
    pub directory: String,
    /// The old backups that were removed.
    pub forgotten: Vec<String>,
    /// The bytes freed by removing them.
    pub freed_bytes: u64,
    /// Damaged files of backups that were repaired.
    #[serde(default)]
    pub rewritten: Vec<String>,
    /// Files of backups that are damaged or missing.
    #[serde(default)]
    pub faults: Vec<FaultView>,
}

/// A file of the backups that is damaged or missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// The backups that cannot be restored completely because of it.
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

/// The progress of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copied {
    /// Bytes processed.
    pub bytes: u64,
    /// Total bytes, as far as known.
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
    /// The result for a report of a backup in `directory`.
    pub(crate) fn of(report: &BackupReport, directory: &std::path::Path) -> Self {
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

/// All backups in a repository, oldest first.
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
                let problem = (!whole).then(|| "some of its files are damaged or missing".to_owned());
                BackupView { whole, problem, ..manifest.into() }
            }
            Err(error) => broken(&one.id, error.to_string()),
        });
    }
    all.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(all)
}

/// The routes of backups.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/backups", get(all).post(make))
}

async fn all(State(control): State<Arc<ApiState>>) -> Result<Json<Vec<BackupView>>, ApiError> {
    let backups = control.services.backups.clone();
    let read = move || list(&Repository::open_to_read(&backups.directory)?);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(all)) => Ok(Json(all)),
        Ok(Err(BackupError::NoRepository(_))) => Ok(Json(Vec::new())),
        Ok(Err(error)) => Err(refusal(&error)),
        Err(panic) => Err(ApiError::new(500, "internal", panic.to_string())),
    }
}

async fn make(State(control): State<Arc<ApiState>>, caller: Caller, trail: Trail) -> Result<Response, ApiError> {
    let backups = control.services.backups.clone();
    trail.goes_on();
    let (lines, response) = stream::lines();
    let (events, mut told) = mpsc::unbounded_channel();
    let directory = backups.directory.clone();
    let work = tokio::task::spawn_blocking(move || {
        // The backup is completed even if the client has disconnected.
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
                // Ignored for the same reason.
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
