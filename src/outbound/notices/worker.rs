//! Sends notices over a few connections of its own, with at most one notice in doubt on each.
//!
//! The queue is in the store, ordered by due time, so nothing is lost with the process. A notice goes through the
//! same steps as a delivery: get a connection, commit the intent, send, commit the outcome. One that a crash left in
//! doubt is sent again with the same Message-ID and counted as resent.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::base::clock::{Clock, Timestamp};
use crate::base::id::NoticeId;
use crate::composition::notices::Notices;
use crate::model::retry::RetryTable;
use crate::outbound::dispatch::relay_backoff::{RelayBackoff, Trouble};
use crate::runtime::clock_jump::{JumpWatch, Reading};
use crate::runtime::heartbeat::{Heartbeat, Heartbeats};
use crate::runtime::notifier::Notifier;
use crate::store::blobs::Blobs;
use crate::store::spool::Spool;
use crate::store::{Store, StoreError};
use crate::transport::Transport;

mod sender;

use sender::NoticeSender;

/// Number of notices looked up at a time.
const STEP: usize = 64;
/// Maximum sleep without a notification: work is found in the store.
const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(60);
/// Maximum number of notices examined at once because a clock that was ahead may have deferred them.
const MOST_AHEAD: usize = 10_000;
/// Interval between searches for such notices, in seconds.
const LOOK_AHEAD_EVERY: i64 = 300;
/// Delay before a retry after a store error that may pass.
const AFTER_ERROR: std::time::Duration = std::time::Duration::from_secs(2);

/// Settings of the notice sender.
#[derive(Clone, Debug)]
pub struct NoticeWorkerSettings {
    /// Maximum number of connections to the relay, in addition to those of mailings.
    pub connections: usize,
    /// How long an idle connection is kept, in seconds.
    pub idle_seconds: u32,
    /// The retry table.
    pub retry: RetryTable,
}

impl Default for NoticeWorkerSettings {
    fn default() -> Self {
        Self { connections: 2, idle_seconds: 10, retry: RetryTable::default() }
    }
}

/// The parts that the notice sender works with.
pub struct NoticeWorkerParts {
    /// The store.
    pub store: Store,
    /// The spool of messages to forward.
    pub spool: Spool,
    /// The ends of test mails.
    pub blobs: Blobs,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The relay or capture folder that mail goes to.
    pub transport: Arc<dyn Transport>,
    /// Notifies of new notices.
    pub notices: Notices,
    /// Notifies of any work.
    pub notifier: Notifier,
    /// The settings.
    pub settings: NoticeWorkerSettings,
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Number of notices accepted by the relay.
    pub accepted: u64,
    /// Number of notices given up.
    pub failed: u64,
}

struct Shared {
    parts: NoticeWorkerParts,
    backoff: RelayBackoff,
    /// Notices given to a connection, and unreadable ones: those wait for the next start.
    under_way: Mutex<HashSet<NoticeId>>,
    /// Notified when one of them is done.
    done: Notify,
    accepted: AtomicU64,
    failed: AtomicU64,
    /// Heartbeats of the main task and the connections.
    heartbeats: Heartbeats,
    draining: watch::Sender<bool>,
    broken: watch::Sender<Option<String>>,
}

/// A running notice sender.
pub struct NoticeWorker {
    shared: Arc<Shared>,
    main: Mutex<Option<JoinHandle<()>>>,
}

/// The connection's task must end.
struct Ended;

impl NoticeWorker {
    /// Starts the notice sender.
    pub fn start(parts: NoticeWorkerParts) -> Self {
        let shared = Arc::new(Shared {
            parts,
            backoff: RelayBackoff::default(),
            under_way: Mutex::default(),
            done: Notify::new(),
            accepted: AtomicU64::default(),
            failed: AtomicU64::default(),
            heartbeats: Heartbeats::default(),
            draining: watch::Sender::new(false),
            broken: watch::Sender::new(None),
        });
        let main = tokio::spawn(run(shared.clone()));
        Self { shared, main: Mutex::new(Some(main)) }
    }

    /// Begins no new notice, waits for those under way, and commits their outcomes.
    pub async fn drain(&self) {
        self.shared.draining.send_replace(true);
        let main = self.main.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(main) = main
            && let Err(error) = main.await
        {
            tracing::error!(%error, "the notice sender ended unexpectedly");
        }
    }

    /// Completes when notices cannot be sent any more, with the reason: the daemon must stop and be started again.
    pub async fn broken(&self) -> String {
        let mut broken = self.shared.broken.subscribe();
        match broken.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            _ => "the notice sender has ended".to_owned(),
        }
    }

    /// The trouble with the relay, if there is any.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared.backoff.trouble(self.shared.now())
    }

    /// Retries the relay within a second, after a person reported it repaired.
    pub(crate) fn try_relay_now(&self) {
        self.shared.backoff.try_now(self.shared.now());
    }

    /// Its heartbeats. Unless it drains, its main task sends one at each [`Notifier`].
    pub(crate) fn heartbeats(&self) -> &Heartbeats {
        &self.shared.heartbeats
    }

    /// Why notices cannot be sent any more, once they cannot.
    pub(crate) fn is_broken(&self) -> Option<String> {
        self.shared.broken.borrow().clone()
    }

    /// Counters since the start.
    pub fn sent(&self) -> Sent {
        Sent { accepted: self.shared.accepted.load(Relaxed), failed: self.shared.failed.load(Relaxed) }
    }
}

impl Shared {
    fn under_way(&self) -> MutexGuard<'_, HashSet<NoticeId>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    async fn until_draining(&self) {
        let mut draining = self.draining.subscribe();
        // An error would mean that the sender is gone, but it lives as long as `self`.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// Waits a little after a store error that may pass; ends everything after one that does not.
    async fn survive(&self, error: &StoreError) -> Result<(), Ended> {
        if error.may_pass() {
            tracing::warn!(%error, "notices wait for the store");
            self.parts.clock.wait_for(AFTER_ERROR).await;
            return if self.is_draining() { Err(Ended) } else { Ok(()) };
        }
        self.give_up(&error.to_string());
        Err(Ended)
    }

    fn give_up(&self, why: &str) {
        tracing::error!(why, "notices cannot be sent any more");
        self.broken.send_replace(Some(why.to_owned()));
        self.draining.send_replace(true);
    }

    fn report_trouble(&self, what: String) {
        if self.backoff.is_trouble(self.now()) && self.backoff.failed(self.now(), what.clone()) {
            tracing::warn!(%what, "the relay is in trouble; notices wait");
        }
    }
}

/// Passes due notices to the connections, until it is told to stop.
async fn run(shared: Arc<Shared>) {
    let heartbeat = shared.heartbeats.begin("the queue of notices");
    let (sender, receiver) = mpsc::channel(shared.parts.settings.connections.max(1));
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let mut connections = JoinSet::new();
    for _ in 0..shared.parts.settings.connections.max(1) {
        connections.spawn(NoticeSender::new(shared.clone()).run(receiver.clone()));
    }
    let mut ahead = Ahead { jumps: JumpWatch::new(&*shared.parts.clock), looked: None };
    while !shared.is_draining() {
        tokio::select! {
            passed = pass_due(&shared, &sender, &mut ahead, &heartbeat) => if passed.is_err() { break },
            // Before a drain one ends only by a panic; what it held would never be examined again.
            Some(ended) = connections.join_next() => if let Err(error) = ended {
                shared.give_up(&format!("the task of a connection for notices ended unexpectedly: {error}"));
            },
            () = shared.until_draining() => {}
        }
    }
    heartbeat.rests();
    drop(sender);
    while connections.join_next().await.is_some() {}
}

/// When notices deferred by a clock that was ahead were last searched for.
struct Ahead {
    jumps: JumpWatch,
    /// In steady time.
    looked: Option<Timestamp>,
}

/// Notices that are due although their time is in the future: they were deferred while the clock was ahead. All
/// notices with a future time are examined at the start, after a clock jump, and at intervals; those further ahead
/// than the table can defer, every time.
async fn put_off_by_clock(shared: &Shared, ahead: &mut Ahead) -> Result<(Timestamp, Vec<NoticeId>), StoreError> {
    let (Reading { now, steady }, jump) = ahead.jumps.observe(&*shared.parts.clock);
    let recent = ahead.looked.is_some_and(|looked| steady - looked < Duration::seconds(LOOK_AHEAD_EVERY));
    let from = match recent && jump.is_none() {
        true => shared.parts.settings.retry.latest(Duration::zero(), now),
        false => now,
    };
    let mut due = Vec::new();
    for id in shared.parts.store.notices_later(from, MOST_AHEAD).await? {
        match shared.parts.store.notice(id).await {
            Ok(Some(read)) if read.value.is_due(now, &shared.parts.settings.retry) => due.push(id),
            // An unreadable one is logged when it is due.
            Ok(_) | Err(StoreError::Record(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if from == now {
        ahead.looked = Some(steady);
    }
    Ok((now, due))
}

/// Passes on what is due, and waits until there may be more.
async fn pass_due(
    shared: &Shared,
    sender: &mpsc::Sender<NoticeId>,
    ahead: &mut Ahead,
    heartbeat: &Heartbeat,
) -> Result<(), Ended> {
    heartbeat.works();
    let store = &shared.parts.store;
    let notices = shared.parts.notices.notifier();
    let (told, woken) = (notices.notified(), shared.parts.notifier.notified());
    let limit = shared.under_way().len() + STEP;
    // One reading of the clock for what is due and for what to wait for.
    let found = async {
        let (now, early) = put_off_by_clock(shared, ahead).await?;
        let due = store.notices_due(now, limit).await?;
        Ok(([due, early].concat(), store.next_notice_due(now).await?))
    };
    let (due, next) = match found.await {
        Ok(found) => found,
        Err(error) => return shared.survive(&error).await,
    };
    // The connections accept them as they progress, which may be only when a lost relay is back.
    heartbeat.rests();
    for id in due {
        if shared.under_way().insert(id) && sender.send(id).await.is_err() {
            return Err(Ended);
        }
    }
    heartbeat.works();
    tokio::select! {
        () = told => {}
        () = woken => {}
        () = shared.done.notified() => {}
        () = shared.parts.clock.wait_until(next.unwrap_or(Timestamp::MAX_UTC), LONGEST_SLEEP) => {}
    }
    Ok(())
}
