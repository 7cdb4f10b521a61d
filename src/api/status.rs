//! The daemon's status: `GET /v1/status`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::model::breaker::Rest;
use crate::model::ledger::Tally;
use crate::model::mailing::Mailing;
use crate::operations::health::Health;

use super::ApiState;
use super::backup::FaultView;
use super::error::ApiError;

/// Maximum age of the health snapshot: zero, so that callers see the effect of what they just did. It may be older if
/// taking one is slow.
const SNAPSHOT_AGE: Duration = Duration::ZERO;

/// The daemon's health and activity.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// Whether there are no problems that need a person.
    pub well: bool,
    /// Whether mail is not going out or not coming in, or soon will not: a person should look now.
    #[serde(default)]
    pub critical: bool,
    /// The problems, one line each, most serious first.
    #[serde(default)]
    pub problems: Vec<String>,
    /// The program's version.
    pub version: String,
    /// Its process id.
    pub process: u32,
    /// When it started.
    pub started: Timestamp,
    /// The daemon's current time.
    pub now: Timestamp,
    /// The directory of its store.
    pub state_directory: String,
    /// Description of where outgoing mail is sent.
    pub transport: String,
    /// The problem with outgoing mail, if any.
    pub trouble: Option<Trouble>,
    /// Mailings that have not ended.
    pub mailings: Vec<MailingInWork>,
    /// Deliveries since the start.
    pub since_start: Deliveries,
    /// Deliveries not yet settled.
    #[serde(default)]
    pub queue: QueueStatus,
    /// Incoming mail.
    #[serde(default)]
    pub inbound: InboundStatus,
    /// Domains at rest by the circuit breaker.
    #[serde(default)]
    pub resting: Vec<RestingDomain>,
    /// Use of the disk with the state directory.
    #[serde(default)]
    pub disk: Option<DiskStatus>,
    /// The store's index.
    #[serde(default)]
    pub index: Option<IndexStatus>,
    /// The daemon's periodic jobs.
    #[serde(default)]
    pub jobs: Vec<JobStatus>,
    /// Notices.
    #[serde(default)]
    pub notices: NoticeCounts,
    /// Backups.
    #[serde(default)]
    pub backup: Option<BackupStatus>,
}

/// Unsettled deliveries of mailings being sent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Not yet tried.
    pub waiting: u64,
    /// Being sent now.
    pub in_doubt: u64,
    /// To be retried.
    pub deferred: u64,
    /// Uncertain: a person must decide.
    pub uncertain: u64,
    /// When the delivery waiting longest became due.
    pub oldest_due: Option<Timestamp>,
}

/// Incoming mail.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct InboundStatus {
    /// Not yet handled.
    pub waiting: u64,
    /// Not handled until a person intervenes.
    pub stuck: u64,
    /// When the oldest waiting message was received.
    pub oldest: Option<Timestamp>,
    /// Connections open now.
    pub connections: u64,
}

/// A domain to which the circuit breaker stopped sending.
#[derive(Debug, Serialize, Deserialize)]
pub struct RestingDomain {
    /// The domain.
    pub domain: String,
    /// When sending resumes.
    pub until: Timestamp,
}

/// Use of the disk with the state directory, in bytes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct DiskStatus {
    /// Free.
    pub free: u64,
    /// Total usable by the service: used and free.
    #[serde(default)]
    pub usable: u64,
    /// Used by the journal.
    pub journal: u64,
    /// Used by the index.
    pub index: u64,
    /// Used by the spool of incoming mail.
    pub spool: u64,
    /// When the last checkpoint was written.
    pub checkpoint: Option<Timestamp>,
}

/// The store's index, which can always be rebuilt from the journal.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct IndexStatus {
    /// Why it is damaged; set while it is being rebuilt.
    pub damaged: Option<String>,
    /// When it was last completely compared with the journal.
    pub checked: Option<Timestamp>,
    /// The number of times it was rebuilt since the start, including at the start itself.
    pub rebuilds: u64,
    /// When it was last rebuilt.
    pub rebuilt: Option<Timestamp>,
    /// Why it was last rebuilt.
    pub reason: Option<String>,
}

/// A periodic job.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its name.
    pub name: String,
    /// When it last ran; before its first run, when it was registered.
    pub last: Option<Timestamp>,
    /// When it runs next.
    pub next: Option<Timestamp>,
}

/// The condition of the backups.
#[derive(Debug, Serialize, Deserialize)]
pub struct BackupStatus {
    /// Their directory.
    pub directory: String,
    /// When the newest was made; `None` without backups.
    pub newest: Option<Timestamp>,
    /// Why the last attempt since the start failed, if it did.
    pub failure: Option<String>,
    /// Known files of backups that are damaged or missing.
    #[serde(default)]
    pub faults: Vec<FaultView>,
    /// When the file whose last check is oldest was read.
    #[serde(default)]
    pub oldest_read: Option<Timestamp>,
}

/// The number of notices by state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct NoticeCounts {
    /// Still to be sent.
    pub waiting: u64,
    /// Accepted by the relay since the start.
    pub accepted: u64,
    /// Failed for good since the start.
    pub failed: u64,
}

/// A problem with outgoing mail.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trouble {
    /// When it began.
    pub since: Option<Timestamp>,
    /// When sending is retried.
    pub next_try: Option<Timestamp>,
    /// What happened.
    pub what: String,
}

/// A mailing that has not ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct MailingInWork {
    /// Its id.
    pub id: String,
    /// Its stage.
    pub stage: String,
    /// The scheduled time.
    pub at: Timestamp,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
    /// Whether a second person must approve it before it is sent.
    #[serde(default)]
    pub approval_missing: bool,
    /// Deliveries in its frozen audience.
    pub audience: Option<u64>,
    /// The number of these that are settled.
    pub settled: Option<u64>,
}

/// Deliveries by outcome.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Deliveries {
    /// Accepted by the relay.
    pub accepted: u64,
    /// Deferred.
    pub deferred: u64,
    /// Failed for good.
    pub failed: u64,
    /// Suppressed.
    pub suppressed: u64,
    /// With an unknown outcome.
    pub uncertain: u64,
}

/// The route of the status.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/status", get(show))
}

async fn show(State(control): State<Arc<ApiState>>) -> Result<Json<Status>, ApiError> {
    let health = control.observer.health(SNAPSHOT_AGE).await?;
    let stats = control.services.dispatcher.stats();
    let trouble = health.trouble.first().map(|(_, trouble)| trouble.clone());
    let problems = health.problems();
    Ok(Json(Status {
        well: problems.is_empty(),
        critical: health.is_critical(),
        problems,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        started: control.started,
        now: control.clock.now(),
        state_directory: control.state_directory.display().to_string(),
        transport: control.transport.clone(),
        trouble: trouble.map(|t| Trouble { since: t.since, next_try: t.next_try, what: t.what }),
        mailings: health.mailings.iter().map(|(mailing, tally)| in_work(mailing, tally.as_ref())).collect(),
        since_start: Deliveries {
            accepted: stats.accepted,
            deferred: stats.deferred,
            failed: stats.failed,
            suppressed: stats.suppressed,
            uncertain: stats.uncertain,
        },
        queue: queue(&health),
        inbound: InboundStatus {
            waiting: health.inbound.waiting,
            stuck: health.inbound.stuck,
            oldest: health.inbound.oldest,
            connections: health.inbound.connections.open,
        },
        resting: resting(&health),
        disk: health.disk.as_ref().map(|disk| DiskStatus {
            free: disk.free,
            usable: disk.usable,
            journal: disk.journal,
            index: disk.index,
            spool: health.spool,
            checkpoint: disk.checkpoint_at,
        }),
        index: health.index.clone().map(|index| IndexStatus {
            damaged: index.damaged,
            checked: index.checked,
            rebuilds: index.rebuilds,
            rebuilt: index.rebuilt.as_ref().map(|(at, _)| *at),
            reason: index.rebuilt.map(|(_, reason)| reason),
        }),
        jobs: health.jobs.iter().map(|c| JobStatus { name: c.name.to_owned(), last: c.last, next: c.next }).collect(),
        backup: Some(BackupStatus {
            directory: control.services.backups.directory.display().to_string(),
            newest: health.backup,
            failure: health.backup_failure.as_ref().map(|(_, why)| why.clone()),
            faults: health.backup_condition.faults.iter().map(FaultView::from).collect(),
            oldest_read: health.backup_condition.oldest_read,
        }),
        notices: NoticeCounts {
            waiting: health.notices.waiting,
            accepted: health.notices.sent.accepted,
            failed: health.notices.sent.failed,
        },
    }))
}

fn queue(health: &Health) -> QueueStatus {
    let tallies = || health.mailings.iter().filter_map(|(_, tally)| tally.as_ref());
    QueueStatus {
        waiting: tallies().map(|tally| tally.waiting).sum(),
        in_doubt: tallies().map(|tally| tally.in_doubt).sum(),
        deferred: tallies().map(|tally| tally.deferred).sum(),
        uncertain: health.uncertain,
        oldest_due: health.oldest_due,
    }
}

fn resting(health: &Health) -> Vec<RestingDomain> {
    let domain = |(domain, rest): &(String, Rest)| RestingDomain { domain: domain.clone(), until: rest.until };
    health.resting.iter().map(domain).collect()
}

fn in_work(mailing: &Mailing, tally: Option<&Tally>) -> MailingInWork {
    let audience = mailing.frozen().filter(|_| tally.is_some()).map(|frozen| u64::from(frozen.audience));
    let open = tally.map(|tally| tally.waiting + tally.in_doubt + tally.deferred);
    MailingInWork {
        id: mailing.id.to_string(),
        stage: mailing.stage.word().to_owned(),
        at: mailing.schedule.at,
        paused: mailing.pause.as_ref().map(|pause| pause.reason.words()),
        approval_missing: !mailing.is_approved(),
        settled: audience.zip(open).map(|(audience, open)| audience.saturating_sub(open)),
        audience,
    }
}
