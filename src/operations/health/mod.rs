//! The daemon's health as a whole: for `depesch status`, for Prometheus and for liveness checks.
//!
//! An [`Observer`] takes a snapshot only on request. The cost grows with the number of open deliveries; so a snapshot
//! that took long is reused for twenty times as long.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex;

use crate::base::clock::{Clock, Stopwatch, Timestamp};
use crate::model::breaker::{PutOff, Rest};
use crate::model::clock_trust::ClockTrust;
use crate::model::ledger::Tally;
use crate::model::mailing::Mailing;
use crate::model::recurrence::Recurrence;
use crate::outbound::dispatch::Dispatcher;
use crate::outbound::dispatch::pace::Slowed;
use crate::outbound::dispatch::relay_backoff::Trouble;
use crate::outbound::notices::worker::{NoticeWorker, Sent};
use crate::store::backup::health::Condition;
use crate::store::later::LaterCounts;
use crate::store::maintenance::{DiskUse, IndexHealth};
use crate::store::spool::{Spool, SpoolSettings};
use crate::store::{Store, StoreError};
use crate::subscribers::bounces::Doubts;

use super::backups::Backups;
use super::listeners::Listeners;

mod gauges;
mod problems;
mod readiness;
mod snapshot;

pub(crate) use readiness::Unwell;

/// A snapshot that takes less is never reused.
const QUICK: Duration = Duration::from_secs(2);
/// How long a snapshot is reused, as a multiple of the time it took.
const GOOD_FOR: u32 = 20;

/// Free disk space in bytes below which the daemon is not ready: incoming mail is refused.
fn reserve() -> u64 {
    SpoolSettings::default().reserve_bytes
}

/// What an observer examines; absent parts are left out of the snapshot.
#[derive(Clone, Default)]
pub struct Parts {
    /// The dispatcher.
    pub dispatcher: Option<Arc<Dispatcher>>,
    /// The notice sender.
    pub notice_worker: Option<Arc<NoticeWorker>>,
    /// The spool of incoming mail.
    pub spool: Option<Spool>,
    /// The backup service.
    pub backups: Option<Arc<Backups>>,
    /// The daemon's jobs with their recurrences.
    pub jobs: Vec<(&'static str, Recurrence)>,
    /// Why the monitoring port is not available, if it should be.
    pub monitor_trouble: Option<String>,
    /// Returns the counters of the mail listener.
    pub mail_connections: Option<Arc<dyn Fn() -> MailConnections + Send + Sync>>,
    /// Bounces that are not believed.
    pub doubts: Option<Arc<Doubts>>,
    /// Sockets passed in by systemd at earlier starts, and those missing.
    pub listeners: Option<Arc<Listeners>>,
}

/// Counters of the mail listener since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailConnections {
    /// Number of open connections.
    pub open: u64,
    /// Number of accepted connections.
    pub taken: u64,
    /// Number of connections refused with 421, because there were too many.
    pub turned_away: u64,
}

/// Observes the daemon's health.
pub struct Observer {
    store: Store,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    parts: RwLock<Parts>,
    draining: AtomicBool,
    reload_refused: RwLock<Option<(Timestamp, String)>>,
    last: Mutex<Option<Taken<Arc<Health>>>>,
    last_slow: Mutex<Option<Taken<Slow>>>,
}

/// A value, when it was taken, and how long that took.
struct Taken<T> {
    value: T,
    at: Timestamp,
    took: Duration,
}

/// Values from many records that rarely change.
#[derive(Clone, Copy, Debug, Default)]
struct Slow {
    uncertain: u64,
    stuck: u64,
}

/// The daemon's health at one moment.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// When it was taken.
    pub at: Timestamp,
    /// When the daemon started.
    pub started: Timestamp,
    /// Mailings that have not ended, with the counts of those being sent.
    pub mailings: Vec<(Mailing, Option<Tally>)>,
    /// Due time of the delivery that has waited longest, in mailings that are not paused.
    pub oldest_due: Option<Timestamp>,
    /// Number of uncertain deliveries, in mailings that are open or ended less than a week ago.
    pub uncertain: u64,
    /// Notices.
    pub notices: NoticesHealth,
    /// Incoming mail.
    pub inbound: InboundHealth,
    /// Trouble with the relay, for deliveries and for notices.
    pub trouble: Vec<(&'static str, Trouble)>,
    /// Set if nearly all answers are temporary refusals.
    pub put_off: Option<PutOff>,
    /// The reduced pace, if the relay asked for one.
    pub slowed: Option<Slowed>,
    /// Domains that the circuit breaker lets rest.
    pub resting: Vec<(String, Rest)>,
    /// The use of the store's disk, if it has one.
    pub disk: Option<DiskUse>,
    /// Number of records in the store, if known.
    pub records: Option<u64>,
    /// The health of the store's index, if it has one.
    pub index: Option<IndexHealth>,
    /// Bytes of incoming mail in the spool.
    pub spool: u64,
    /// The jobs: last and next run.
    pub jobs: Vec<JobHealth>,
    /// When the last forward jump of the clock was detected.
    pub clock_jump: Option<Timestamp>,
    /// What is known about the clock.
    pub clock: Option<ClockTrust>,
    /// How far a test has moved the clock, if it has.
    pub moved_by_test: Option<TimeDelta>,
    /// When the last known backup was made.
    pub backup: Option<Timestamp>,
    /// Why the monitoring port is not available, if it should be.
    pub monitor_trouble: Option<String>,
    /// Mailings whose bounces are not believed, one line each.
    pub doubted: Vec<String>,
    /// Protocols for which a socket was inherited at earlier starts, and is missing now.
    pub lost_listeners: Vec<String>,
    /// When and why the last reload was refused, if it was.
    pub reload_refused: Option<(Timestamp, String)>,
    /// The condition of the backups' files.
    pub backup_condition: Condition,
    /// When and why the last attempt at a backup failed, if it did.
    pub backup_failure: Option<(Timestamp, String)>,
}

/// Notices at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticesHealth {
    /// Number of notices to be sent.
    pub waiting: u64,
    /// Due time of the notice that has waited longest; in the future when none is due.
    pub first_due: Option<Timestamp>,
    /// Counters since the start.
    pub sent: Sent,
}

/// Incoming mail at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboundHealth {
    /// Number of messages not handled yet.
    pub waiting: u64,
    /// When the oldest of these arrived.
    pub oldest: Option<Timestamp>,
    /// Number of messages waiting for a person.
    pub stuck: u64,
    /// Work postponed because a limit was reached.
    pub later: LaterCounts,
    /// The listener's connections.
    pub connections: MailConnections,
}

/// A job at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobHealth {
    /// Its name.
    pub name: &'static str,
    /// When it last ran, or was first registered.
    pub last: Option<Timestamp>,
    /// When it runs next.
    pub next: Option<Timestamp>,
}

impl Observer {
    /// Creates an observer that sees only the store, until [`Observer::watch`] adds parts.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        let started = clock.now();
        Self {
            store,
            clock,
            started,
            parts: RwLock::default(),
            draining: AtomicBool::new(false),
            reload_refused: RwLock::default(),
            last: Mutex::default(),
            last_slow: Mutex::default(),
        }
    }

    /// Adds parts to observe.
    pub fn watch(&self, parts: Parts) {
        *self.parts.write().unwrap_or_else(PoisonError::into_inner) = parts;
    }

    /// Records that a reload was refused, and why; `None` when one succeeded. It is shown until the next success.
    pub(crate) fn reload_refused(&self, why: Option<String>) {
        let refused = why.map(|why| (self.clock.now(), why.replace('\n', "; ")));
        *self.reload_refused.write().unwrap_or_else(PoisonError::into_inner) = refused;
    }

    /// Records that nothing new is accepted from now on.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// The daemon's health: now, or at most `max_age` ago, or longer ago if taking a snapshot is slow.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn health(&self, max_age: Duration) -> Result<Arc<Health>, StoreError> {
        if let Some(index) = self.index().filter(|index| index.damaged.is_some()) {
            return Ok(Arc::new(self.without_reading(index)));
        }
        let mut last = self.last.lock().await;
        if let Some(known) = last.as_ref().filter(|known| known.is_good(self.clock.now(), max_age)) {
            return Ok(known.value.clone());
        }
        let (watch, at) = (Stopwatch::start(), self.clock.now());
        let health = Arc::new(self.take(at, max_age).await?);
        let took = Duration::from_nanos(watch.nanoseconds());
        *last = Some(Taken { value: health.clone(), at, took });
        Ok(health)
    }

    fn index(&self) -> Option<IndexHealth> {
        self.store.maintenance().index_health()
    }

    /// What is known while the store cannot be read: the last snapshot, if any, and that the index is damaged.
    fn without_reading(&self, index: IndexHealth) -> Health {
        let last = self.last.try_lock().ok().and_then(|last| last.as_ref().map(|known| known.value.clone()));
        let (at, started) = (self.clock.now(), self.started);
        let health = last.map_or(Health { at, started, ..Health::default() }, |known| (*known).clone());
        Health { index: Some(index), ..health }
    }

    fn parts(&self) -> Parts {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T> Taken<T> {
    fn is_good(&self, now: Timestamp, max_age: Duration) -> bool {
        let good_for = if self.took < QUICK { max_age } else { max_age.max(self.took * GOOD_FOR) };
        // A clock that was set back must not keep a snapshot for ever.
        (now - self.at).to_std().is_ok_and(|age| age < good_for)
    }
}
