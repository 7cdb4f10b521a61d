//! `GET /v1/status`: whether the daemon is well, and what it is at.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::model::mailing::{Mailing, Stage};

use super::Control;
use super::error::ApiError;

/// How the daemon is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// Whether nothing needs a person: the relay answers, no mailing is paused.
    pub well: bool,
    /// The program's version.
    pub version: String,
    /// Its process.
    pub process: u32,
    /// When it started.
    pub started: Timestamp,
    /// What time it thinks it is.
    pub now: Timestamp,
    /// Where its store lies.
    pub state_directory: String,
    /// Where mail goes out, in words.
    pub transport: String,
    /// What troubles the way out, if anything does.
    pub trouble: Option<Trouble>,
    /// Mailings that are not over.
    pub mailings: Vec<MailingInWork>,
    /// Deliveries since the start.
    pub since_start: Deliveries,
    /// Mails of our own that belong to no mailing.
    #[serde(default)]
    pub letters: LetterCounts,
    /// Backups, where this daemon makes any.
    #[serde(default)]
    pub backup: Option<BackupStatus>,
}

/// How the backups stand.
#[derive(Debug, Serialize, Deserialize)]
pub struct BackupStatus {
    /// Where they lie.
    pub directory: String,
    /// When the newest was made; nothing where there is none.
    pub newest: Option<Timestamp>,
    /// Why the last attempt since the start failed, if it did.
    pub failure: Option<String>,
}

/// Letters, by where they stand.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LetterCounts {
    /// Still to be sent.
    pub waiting: u64,
    /// Taken by the relay since the start.
    pub accepted: u64,
    /// Given up since the start.
    pub failed: u64,
}

/// What troubles the way out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trouble {
    /// Since when.
    pub since: Option<Timestamp>,
    /// When it is tried again.
    pub next_try: Option<Timestamp>,
    /// What happened.
    pub what: String,
}

/// A mailing that is not over.
#[derive(Debug, Serialize, Deserialize)]
pub struct MailingInWork {
    /// Its name.
    pub id: String,
    /// How far it has come.
    pub stage: String,
    /// When it is due, or was.
    pub at: Timestamp,
    /// Why it is held back, if it is.
    pub paused: Option<String>,
    /// Whether a second person has to approve it before it goes out.
    #[serde(default)]
    pub approval_missing: bool,
    /// Deliveries in its frozen audience.
    pub audience: Option<u64>,
    /// Of these, with nothing more to be done.
    pub settled: Option<u64>,
}

/// Deliveries by how they ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Deliveries {
    /// Taken by the relay.
    pub accepted: u64,
    /// Put off.
    pub deferred: u64,
    /// Given up.
    pub failed: u64,
    /// Not wanted any more.
    pub suppressed: u64,
    /// Of which nobody knows.
    pub uncertain: u64,
}

/// The routes of this noun.
pub fn routes() -> Router<Arc<Control>> {
    Router::new().route("/v1/status", get(show))
}

async fn show(State(control): State<Arc<Control>>) -> Result<Json<Status>, ApiError> {
    let mut mailings = Vec::new();
    for read in control.store.mailings().await? {
        if let Some(mailing) = in_work(&control, &read.value).await? {
            mailings.push(mailing);
        }
    }
    let trouble = control.dispatcher.as_ref().and_then(|dispatcher| dispatcher.trouble());
    let postman = control.letters.as_ref().map(|out| &out.postman);
    let trouble = trouble.or_else(|| postman.and_then(|postman| postman.trouble()));
    let sent = postman.map(|postman| postman.sent()).unwrap_or_default();
    let trouble = trouble.map(|t| Trouble { since: t.since, next_try: t.next_try, what: t.what });
    let stats = control.dispatcher.as_ref().map(|dispatcher| dispatcher.stats()).unwrap_or_default();
    let backup = control.backups.as_ref().map(|backups| {
        let state = backups.state();
        let (directory, failure) = (backups.directory.display().to_string(), state.failure.map(|(_, why)| why));
        BackupStatus { directory, newest: state.newest, failure }
    });
    let backed_up = backup.as_ref().is_none_or(|backup| backup.failure.is_none());
    Ok(Json(Status {
        well: backed_up
            && trouble.is_none()
            && !mailings.iter().any(|mailing| needs_a_person(mailing, control.clock.now())),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        started: control.started,
        now: control.clock.now(),
        state_directory: control.state_directory.display().to_string(),
        transport: control.transport.clone(),
        trouble,
        mailings,
        since_start: Deliveries {
            accepted: stats.accepted,
            deferred: stats.deferred,
            failed: stats.failed,
            suppressed: stats.suppressed,
            uncertain: stats.uncertain,
        },
        backup,
        letters: LetterCounts {
            waiting: control.store.letters_open().await?,
            accepted: sent.accepted,
            failed: sent.failed,
        },
    }))
}

/// Whether it stays where it is until somebody does something.
fn needs_a_person(mailing: &MailingInWork, now: Timestamp) -> bool {
    mailing.paused.is_some() || (mailing.approval_missing && mailing.at <= now)
}

async fn in_work(control: &Control, mailing: &Mailing) -> Result<Option<MailingInWork>, ApiError> {
    let (audience, settled) = match &mailing.stage {
        Stage::Finished { .. } | Stage::Cancelled { .. } | Stage::Expired { .. } => return Ok(None),
        Stage::Scheduled | Stage::Freezing { .. } => (None, None),
        Stage::Sending(frozen) => {
            let tally = control.store.tally(mailing).await?;
            let open = tally.waiting + tally.in_doubt + tally.deferred;
            let audience = u64::from(frozen.audience);
            (Some(audience), Some(audience.saturating_sub(open)))
        }
    };
    Ok(Some(MailingInWork {
        id: mailing.id.to_string(),
        stage: mailing.stage.word().to_owned(),
        at: mailing.schedule.at,
        paused: mailing.pause.as_ref().map(|pause| pause.reason.words()),
        approval_missing: !mailing.is_approved(),
        audience,
        settled,
    }))
}
