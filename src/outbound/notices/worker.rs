//! Sends notices: a few connections of its own, one notice in doubt on each at most.
//!
//! What is to be sent stands in the store, in order of when it is due; so nothing is lost with the process. A notice goes
//! through the same steps as a delivery: have a connection, commit the intent, send, commit the outcome. One that a crash
//! left in doubt is sent again with the same Message-ID and counted as resent.

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
use crate::store::engine::EngineError;
use crate::store::spool::Spool;
use crate::store::{Store, StoreError};
use crate::transport::Transport;

mod sender;

use sender::NoticeSender;

/// Notices looked up at once.
const STEP: usize = 64;
/// How long it sleeps when nobody wakes it, in seconds: work is found in the store.
const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(60);
/// Notices that are looked at in one go because a clock that stood ahead may have put them off.
const MOST_AHEAD: usize = 10_000;
/// How often such notices are looked for, in seconds.
const LOOK_AHEAD_EVERY: i64 = 300;
/// How soon something is tried again after an error of the store that may pass.
const AFTER_ERROR: std::time::Duration = std::time::Duration::from_secs(2);

/// How notices are sent.
#[derive(Clone, Debug)]
pub struct NoticeWorkerSettings {
    /// Connections to the relay, beside those of mailings.
    pub connections: usize,
    /// How long an unused connection is kept, in seconds.
    pub idle_seconds: u32,
    /// When to try again.
    pub retry: RetryTable,
}

impl Default for NoticeWorkerSettings {
    fn default() -> Self {
        Self { connections: 2, idle_seconds: 10, retry: RetryTable::default() }
    }
}

/// What the worker works with.
pub struct NoticeWorkerParts {
    /// Where notices are.
    pub store: Store,
    /// Where messages lie that are passed on.
    pub spool: Spool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way out.
    pub transport: Arc<dyn Transport>,
    /// Tells of new notices.
    pub notices: Notices,
    /// Tells of any work.
    pub notifier: Notifier,
    /// Settings.
    pub settings: NoticeWorkerSettings,
}

/// What was done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Notices that the relay took.
    pub accepted: u64,
    /// Notices given up.
    pub failed: u64,
}

struct Shared {
    parts: NoticeWorkerParts,
    backoff: RelayBackoff,
    /// Notices given to a connection, and those that cannot be read: they wait for the next start.
    under_way: Mutex<HashSet<NoticeId>>,
    /// Told when one of them is done.
    done: Notify,
    accepted: AtomicU64,
    failed: AtomicU64,
    /// Signs of life of the main task and the connections.
    heartbeats: Heartbeats,
    draining: watch::Sender<bool>,
    broken: watch::Sender<Option<String>>,
}

/// A running worker.
pub struct NoticeWorker {
    shared: Arc<Shared>,
    main: Mutex<Option<JoinHandle<()>>>,
}

/// Why a connection's task ends.
struct Ended;

impl NoticeWorker {
    /// Starts it.
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
            tracing::error!(%error, "the notices' worker ended badly");
        }
    }

    /// Completes when no notice can be sent any more, with the reason: the daemon must stop and be started again.
    pub async fn broken(&self) -> String {
        let mut broken = self.shared.broken.subscribe();
        match broken.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            _ => "the notices' worker has ended".to_owned(),
        }
    }

    /// What troubles the relay, if anything does.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared.backoff.trouble(self.shared.now())
    }

    /// A person says that the relay is repaired: it is tried within a second.
    pub fn try_relay_now(&self) {
        self.shared.backoff.try_now(self.shared.now());
    }

    /// Signs of life. While it does not drain, its main task gives one at each [`Notifier`].
    pub fn heartbeats(&self) -> &Heartbeats {
        &self.shared.heartbeats
    }

    /// Why no notice can be sent any more, once none can.
    pub fn is_broken(&self) -> Option<String> {
        self.shared.broken.borrow().clone()
    }

    /// What was done since the start.
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
        // An error means that the sender is gone, which lives as long as this does.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// Waits a little after a store error that may pass; ends everything after one that does not.
    async fn survive(&self, error: &StoreError) -> Result<(), Ended> {
        if let StoreError::Engine(EngineError::Full(_)) | StoreError::Contended(_) = error {
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
            tracing::warn!(%what, "the relay gives trouble; notices wait");
        }
    }
}

/// Gives what is due to the connections, until it is told to stop.
async fn run(shared: Arc<Shared>) {
    let heartbeat = shared.heartbeats.begin("what hands out notices");
    let (sender, receiver) = mpsc::channel(shared.parts.settings.connections.max(1));
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let mut connections = JoinSet::new();
    for _ in 0..shared.parts.settings.connections.max(1) {
        connections.spawn(NoticeSender::new(shared.clone()).run(receiver.clone()));
    }
    let mut ahead = Ahead { jumps: JumpWatch::new(&*shared.parts.clock), looked: None };
    while !shared.is_draining() {
        tokio::select! {
            look = look(&shared, &sender, &mut ahead, &heartbeat) => if look.is_err() { break },
            // Before a drain one ends only by a panic; what it held would never be looked at again.
            Some(ended) = connections.join_next() => if let Err(error) = ended {
                shared.give_up(&format!("the task of a connection for notices ended badly: {error}"));
            },
            () = shared.until_draining() => {}
        }
    }
    heartbeat.rests();
    drop(sender);
    while connections.join_next().await.is_some() {}
}

/// When notices were last looked for that a clock that stood ahead put off.
struct Ahead {
    jumps: JumpWatch,
    /// By the time that passed.
    looked: Option<Timestamp>,
}

/// Notices that are due although their time lies ahead: a clock that stood ahead put them off. All that lie ahead are looked
/// at at the start, when the clock jumped, and now and then; those that lie further ahead than the table puts anything off,
/// at each look.
async fn put_off_by_clock(shared: &Shared, ahead: &mut Ahead) -> Result<(Timestamp, Vec<NoticeId>), StoreError> {
    let (Reading { now, steady }, jump) = ahead.jumps.look(&*shared.parts.clock);
    let recent = ahead.looked.is_some_and(|looked| steady - looked < Duration::seconds(LOOK_AHEAD_EVERY));
    let from = match recent && jump.is_none() {
        true => shared.parts.settings.retry.latest(Duration::zero(), now),
        false => now,
    };
    let mut due = Vec::new();
    for id in shared.parts.store.notices_later(from, MOST_AHEAD).await? {
        match shared.parts.store.notice(id).await {
            Ok(Some(read)) if read.value.is_due(now, &shared.parts.settings.retry) => due.push(id),
            // One that cannot be read is told of when its time comes.
            Ok(_) | Err(StoreError::Record(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if from == now {
        ahead.looked = Some(steady);
    }
    Ok((now, due))
}

/// Hands out what is due, and waits until there may be more.
async fn look(
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
    // One reading of the clock for what is due and for what is waited for.
    let found = async {
        let (now, early) = put_off_by_clock(shared, ahead).await?;
        let due = store.notices_due(now, limit).await?;
        Ok(([due, early].concat(), store.next_notice_due(now).await?))
    };
    let (due, next) = match found.await {
        Ok(found) => found,
        Err(error) => return shared.survive(&error).await,
    };
    // The connections take them as they get on, which may be when a lost relay is back.
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
