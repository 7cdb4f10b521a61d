//! How the daemon is, looked at as a whole: for `depesch status`, for Prometheus and for whoever asks whether it is alive.
//!
//! An [`Observer`] looks when somebody asks, and never by itself. What a look costs grows with the deliveries that are
//! open; so a picture that took long to take is shown again for twenty times as long.

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
use crate::store::embedded::{DiskUse, EmbeddedEngine, IndexHealth};
use crate::store::later::LaterCounts;
use crate::store::spool::{Spool, SpoolSettings};
use crate::store::{Store, StoreError};
use crate::subscribers::bounces::Doubts;

use super::backups::Backups;
use super::listeners::Listeners;

mod gauges;
mod problems;
mod readiness;
mod snapshot;

pub use readiness::Unwell;

/// A look that takes less is taken anew each time.
const QUICK: Duration = Duration::from_secs(2);
/// For how many times as long as it took a picture stays good.
const GOOD_FOR: u32 = 20;

/// Below so much free disk, in bytes, the daemon is not ready: mail coming in is refused.
fn reserve() -> u64 {
    SpoolSettings::default().reserve_bytes
}

/// What an observer looks at; what there is none of is left out of the picture.
#[derive(Clone, Default)]
pub struct Parts {
    /// The store on its disk.
    pub engine: Option<Arc<EmbeddedEngine>>,
    /// What sends mailings.
    pub dispatcher: Option<Arc<Dispatcher>>,
    /// What sends notices.
    pub notice_worker: Option<Arc<NoticeWorker>>,
    /// Where mail that came in lies.
    pub spool: Option<Spool>,
    /// What makes backups.
    pub backups: Option<Arc<Backups>>,
    /// The daemon's jobs with their times.
    pub jobs: Vec<(&'static str, Recurrence)>,
    /// Why nobody can watch the daemon from outside, where that was wanted.
    pub monitor_trouble: Option<String>,
    /// Tells what the listener for mail did.
    pub mail_connections: Option<Arc<dyn Fn() -> MailConnections + Send + Sync>>,
    /// Which bounces are not believed.
    pub doubts: Option<Arc<Doubts>>,
    /// Which sockets systemd handed over before, and which of them are missing.
    pub listeners: Option<Arc<Listeners>>,
}

/// What the listener for mail did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailConnections {
    /// Open now.
    pub open: u64,
    /// Let in.
    pub taken: u64,
    /// Answered 421, for there were too many.
    pub turned_away: u64,
}

/// Looks how the daemon is.
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

/// Something looked up, when, and how long that took.
struct Taken<T> {
    value: T,
    at: Timestamp,
    took: Duration,
}

/// What is looked up in many records that change rarely.
#[derive(Clone, Copy, Debug, Default)]
struct Slow {
    uncertain: u64,
    stuck: u64,
}

/// How the daemon was at one moment.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// When.
    pub at: Timestamp,
    /// When the daemon started.
    pub started: Timestamp,
    /// Mailings that are not over, with the counts of those being sent.
    pub mailings: Vec<(Mailing, Option<Tally>)>,
    /// Since when the delivery is due that has waited longest, in mailings that are not held back.
    pub oldest_due: Option<Timestamp>,
    /// Deliveries that a person must decide about, in mailings not over or over for less than a week.
    pub uncertain: u64,
    /// Notices.
    pub notices: NoticesHealth,
    /// Mail that came in.
    pub inbound: InboundHealth,
    /// What troubles the relay, of deliveries and of notices.
    pub trouble: Vec<(&'static str, Trouble)>,
    /// That nearly all answers are temporary refusals, if they are.
    pub put_off: Option<PutOff>,
    /// How slowly mail is sent, where the relay asked for that.
    pub slowed: Option<Slowed>,
    /// Domains that the circuit breaker leaves alone.
    pub resting: Vec<(String, Rest)>,
    /// The store's disk, where it has one.
    pub disk: Option<DiskUse>,
    /// Records in the store, where it says so.
    pub records: Option<u64>,
    /// The store's index, where it has one.
    pub index: Option<IndexHealth>,
    /// Bytes of mail that came in, as it came.
    pub spool: u64,
    /// The jobs: when each last ran and will run.
    pub jobs: Vec<JobHealth>,
    /// When the clock was last seen to have leapt ahead.
    pub clock_jump: Option<Timestamp>,
    /// What is known about the clock.
    pub clock: Option<ClockTrust>,
    /// By how much a test has moved the clock, where one can.
    pub moved_by_test: Option<TimeDelta>,
    /// When the last backup that is known was made.
    pub backup: Option<Timestamp>,
    /// Why nobody can watch the daemon from outside, where that was wanted.
    pub monitor_trouble: Option<String>,
    /// Mailings whose bounces are not believed, in a line each.
    pub doubted: Vec<String>,
    /// Protocols by which mail came in on inherited sockets before, and does not now.
    pub lost_listeners: Vec<String>,
    /// When and why the last reload was refused, if it was.
    pub reload_refused: Option<(Timestamp, String)>,
    /// What is known of the files of backups.
    pub backup_condition: Condition,
    /// Why the last attempt at a backup failed, and when, if it did.
    pub backup_failure: Option<(Timestamp, String)>,
}

/// Notices at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticesHealth {
    /// Still to be sent.
    pub waiting: u64,
    /// Since when the one is due that has waited longest; in the future when none is due.
    pub first_due: Option<Timestamp>,
    /// What was done since the start.
    pub sent: Sent,
}

/// Mail that came in, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboundHealth {
    /// Not yet handled.
    pub waiting: u64,
    /// When the oldest of these came.
    pub oldest: Option<Timestamp>,
    /// Not to be handled until a person looks.
    pub stuck: u64,
    /// What waits because a limit was reached.
    pub later: LaterCounts,
    /// The listener's connections.
    pub connections: MailConnections,
}

/// A job at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobHealth {
    /// Its name.
    pub name: &'static str,
    /// When it last ran, or was first counted.
    pub last: Option<Timestamp>,
    /// When it runs next.
    pub next: Option<Timestamp>,
}

impl Observer {
    /// One that sees the store alone, until it is given more to look at.
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

    /// Gives it more to look at.
    pub fn watch(&self, parts: Parts) {
        *self.parts.write().unwrap_or_else(PoisonError::into_inner) = parts;
    }

    /// A reload was refused, and why; `None` when one succeeded. It is shown until the next that succeeds.
    pub fn reload_refused(&self, why: Option<String>) {
        let refused = why.map(|why| (self.clock.now(), why.replace('\n', "; ")));
        *self.reload_refused.write().unwrap_or_else(PoisonError::into_inner) = refused;
    }

    /// The daemon takes nothing new from now on.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// How the daemon is: now, or at most `max_age` ago, or longer where looking takes long.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn look(&self, max_age: Duration) -> Result<Arc<Health>, StoreError> {
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
        self.parts().engine.map(|engine| engine.index_health())
    }

    /// What is known while the store cannot be read: the last picture, if there is any, and that the index is damaged.
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
        // A clock that was set back makes nothing good for ever.
        (now - self.at).to_std().is_ok_and(|age| age < good_for)
    }
}
