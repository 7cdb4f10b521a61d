//! `GET /v1/status`: whether the daemon is well, and what it is at.

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

/// Whoever asks wants to see what they just did, unless looking takes long.
const PICTURE_AGE: Duration = Duration::ZERO;

/// How the daemon is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// Whether nothing needs a person.
    pub well: bool,
    /// Whether mail does not go out, does not come in, or soon will not: a person should look now.
    #[serde(default)]
    pub critical: bool,
    /// What does, each in one line, the worst first.
    #[serde(default)]
    pub problems: Vec<String>,
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
    /// Deliveries not yet settled.
    #[serde(default)]
    pub queue: QueueStatus,
    /// Mail that came in.
    #[serde(default)]
    pub inbound: InboundStatus,
    /// Domains that the circuit breaker leaves alone.
    #[serde(default)]
    pub resting: Vec<RestingDomain>,
    /// The disk of the state directory.
    #[serde(default)]
    pub disk: Option<DiskStatus>,
    /// The store's index.
    #[serde(default)]
    pub index: Option<IndexStatus>,
    /// What the daemon does by itself.
    #[serde(default)]
    pub jobs: Vec<JobStatus>,
    /// Mails of our own that belong to no mailing.
    #[serde(default)]
    pub notices: NoticeCounts,
    /// Backups, where this daemon makes any.
    #[serde(default)]
    pub backup: Option<BackupStatus>,
}

/// Deliveries of mailings being sent that are not yet settled.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Not yet tried.
    pub waiting: u64,
    /// Being sent.
    pub in_doubt: u64,
    /// To be tried again.
    pub deferred: u64,
    /// Settled as far as the daemon can: a person must decide.
    pub uncertain: u64,
    /// Since when the one is due that has waited longest.
    pub oldest_due: Option<Timestamp>,
}

/// Mail that came in.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct InboundStatus {
    /// Not yet handled.
    pub waiting: u64,
    /// Not to be handled until a person looks.
    pub stuck: u64,
    /// When the oldest that waits came.
    pub oldest: Option<Timestamp>,
    /// Connections open now.
    pub connections: u64,
}

/// A domain that the circuit breaker leaves alone.
#[derive(Debug, Serialize, Deserialize)]
pub struct RestingDomain {
    /// Which.
    pub domain: String,
    /// Until when.
    pub until: Timestamp,
}

/// The disk of the state directory, in bytes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct DiskStatus {
    /// What is left.
    pub free: u64,
    /// What the service could use in all: used and free.
    #[serde(default)]
    pub usable: u64,
    /// The journal.
    pub journal: u64,
    /// The index.
    pub index: u64,
    /// Mail that came in, as it came.
    pub spool: u64,
    /// When the last checkpoint was written.
    pub checkpoint: Option<Timestamp>,
}

/// The store's index, which can always be built anew from the journal.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct IndexStatus {
    /// Why it is damaged, while it is: it is being built anew.
    pub damaged: Option<String>,
    /// When all of it was last compared with the journal.
    pub checked: Option<Timestamp>,
    /// How often it was built anew since the start, and at the start itself.
    pub rebuilds: u64,
    /// When that was done last.
    pub rebuilt: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
}

/// Something that the daemon does by itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its name.
    pub name: String,
    /// When it last ran, or was first counted.
    pub last: Option<Timestamp>,
    /// When it runs next.
    pub next: Option<Timestamp>,
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
    /// Files of backups that are damaged or missing, as far as is known.
    #[serde(default)]
    pub faults: Vec<FaultView>,
    /// When the file of them was read that was read longest ago.
    #[serde(default)]
    pub oldest_read: Option<Timestamp>,
}

/// Notices, by where they stand.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct NoticeCounts {
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
pub fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/status", get(show))
}

async fn show(State(control): State<Arc<ApiState>>) -> Result<Json<Status>, ApiError> {
    let health = control.observer.look(PICTURE_AGE).await?;
    let stats = control.dispatcher.as_ref().map(|dispatcher| dispatcher.stats()).unwrap_or_default();
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
        backup: control.backups.as_ref().map(|backups| BackupStatus {
            directory: backups.directory.display().to_string(),
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
