//! Dispatch: sends the deliveries of frozen mailings, so that after any crash at most one delivery per connection is
//! in doubt, and each is shown.
//!
//! - A feeder for each mailing (`feed`) leases chunks of the ledger and puts their deliveries into a bounded queue.
//! - A worker for each connection (`worker`) takes a delivery, checks again whether it is wanted, composes the
//!   message, commits the *intent*, sends, and commits the *outcome* together with its next intent.
//! - The last worker on a chunk settles it (`settle`).
//!
//! Every intent requires that mailing and delivery are unchanged, so a pause or a cancel takes effect with its
//! commit.

mod disk_space;
mod feed;
mod history;
mod outcome_policy;
pub(crate) mod pace;
mod queue;
pub(crate) mod relay_backoff;
mod settle;
pub(crate) mod stats;
mod take_back;
mod tasks;
mod work;
mod worker;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{RwLock, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::base::clock::{Clock, Timestamp};
use crate::base::id::MailingId;
use crate::base::token::Key;
use crate::composition::message::MessageSource;
use crate::metrics::outcomes::Outcomes;
use crate::model::bounce::BouncePolicy;
use crate::model::breaker::{BreakerSettings, PutOff, Rest};
use crate::model::classify::Classifier;
use crate::model::ledger::Delivery;
use crate::model::retry::RetryTable;
use crate::runtime::clock_jump::Reading;
use crate::runtime::heartbeat::Heartbeats;
use crate::runtime::notifier::Notifier;
use crate::store::engine::EngineError;
use crate::store::{Store, StoreError};
use crate::transport::Transport;

use disk_space::DiskSpace;
use outcome_policy::OutcomePolicy;
use pace::Pace;
use queue::Queue;
use relay_backoff::RelayBackoff;
use stats::Stats;
use tasks::{begin_open, hold_back};
use work::Job;

/// Settings of dispatch; the defaults suit a smarthost on the same network.
#[derive(Clone, Debug)]
pub struct DispatchSettings {
    /// Maximum number of connections to the relay, and so of deliveries in doubt after a crash.
    pub connections: usize,
    /// Number of chunks of one mailing leased at a time.
    pub chunks_ahead: usize,
    /// Duration of a lease, in seconds; renewed after a third of it.
    pub lease_seconds: u32,
    /// How long an idle connection is kept, in seconds.
    pub idle_seconds: u32,
    /// This node's name in leases.
    pub node: String,
    /// The retry table.
    pub retry: RetryTable,
    /// When breakers open.
    pub breaker: BreakerSettings,
    /// When refusals suspend a subscriber.
    pub bounce: BouncePolicy,
}

impl DispatchSettings {
    /// The longest deferral other than by the retry table: a domain's rest.
    pub(super) fn longest_rest(&self) -> chrono::Duration {
        self.breaker.rest
    }
}

impl Default for DispatchSettings {
    fn default() -> Self {
        Self {
            connections: 10,
            chunks_ahead: 4,
            lease_seconds: 900,
            idle_seconds: 10,
            node: "depesch".to_owned(),
            retry: RetryTable::default(),
            breaker: BreakerSettings::default(),
            bounce: BouncePolicy::default(),
        }
    }
}

/// The parts that the dispatcher works with.
pub struct DispatchParts {
    /// The store.
    pub store: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The relay or capture folder that mail goes to.
    pub transport: Arc<dyn Transport>,
    /// Composes messages.
    pub messages: Arc<dyn MessageSource>,
    /// The key that hashes addresses for the suppression list.
    pub key: Key,
    /// Classifies refusals.
    pub classifier: Classifier,
    /// Notifies of new work.
    pub notifier: Notifier,
    /// The settings.
    pub settings: DispatchSettings,
}

/// The state shared by feeders and workers.
struct Shared {
    parts: DispatchParts,
    /// Leases of this node with a smaller number are from before a restart.
    fence: u64,
    backoff: RelayBackoff,
    pace: Arc<Pace>,
    disk_space: DiskSpace,
    policy: OutcomePolicy,
    /// Locked for reading while a refusal is counted against a subscriber, for writing while refusals are taken back.
    scoring: RwLock<()>,
    queue: Queue<Job>,
    stats: Stats,
    /// Heartbeats of the main task, the feeders and the workers.
    heartbeats: Heartbeats,
    outcomes: Outcomes,
    /// Turns true when no new delivery may begin.
    draining: watch::Sender<bool>,
    /// Why dispatch cannot continue, once it cannot.
    broken: watch::Sender<Option<String>>,
}

impl Shared {
    /// Whether a delivery deferred until `until` is due at `now`.
    fn is_due(&self, until: Timestamp, delivery: &Delivery, now: Timestamp) -> bool {
        let settings = &self.parts.settings;
        settings.retry.is_due(until, u32::from(delivery.attempts), settings.longest_rest(), now)
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Completes when no new delivery may begin.
    async fn until_draining(&self) {
        let mut draining = self.draining.subscribe();
        // An error would mean that the sender is gone, but it lives as long as `self`.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// Waits a little after a store error that may pass (a full disk); `false` when the store will not recover.
    async fn survive(&self, error: &StoreError) -> bool {
        let clock = &self.parts.clock;
        match error {
            StoreError::Engine(EngineError::Full(_)) => {
                if self.disk_space.is_full(clock.now(), error.to_string()) {
                    tracing::warn!(%error, "dispatch waits for disk space, and continues automatically");
                }
            }
            error if error.may_pass() => tracing::warn!(%error, "dispatch waits for the store"),
            _ => {
                self.give_up(&error.to_string());
                return false;
            }
        }
        clock.wait_for(disk_space::PAUSE).await;
        !self.is_draining()
    }

    /// Ends dispatch with a reason.
    fn give_up(&self, why: &str) {
        tracing::error!(why, "dispatch cannot continue");
        self.broken.send_replace(Some(why.to_owned()));
        self.drain();
    }

    fn drain(&self) {
        self.draining.send_replace(true);
        self.queue.close();
    }
}

/// A running dispatcher.
pub struct Dispatcher {
    shared: Arc<Shared>,
    main: Mutex<Option<JoinHandle<()>>>,
}

impl Dispatcher {
    /// Starts the dispatcher. Deliveries left in doubt by a crash are found when their chunk is leased again.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot count the starts.
    pub async fn start(parts: DispatchParts) -> Result<Self, StoreError> {
        let fence = parts.store.allocate("fence", 1).await?;
        let shared = Arc::new(Shared {
            fence,
            backoff: RelayBackoff::default(),
            pace: Arc::new(Pace::new(parts.settings.connections)),
            disk_space: DiskSpace::default(),
            policy: OutcomePolicy::new(parts.settings.retry, parts.settings.breaker, parts.classifier.clone()),
            scoring: RwLock::default(),
            queue: Queue::new(parts.settings.connections * 2),
            stats: Stats::default(),
            heartbeats: Heartbeats::default(),
            outcomes: Outcomes::default(),
            draining: watch::Sender::new(false),
            broken: watch::Sender::new(None),
            parts,
        });
        let main = tokio::spawn(run(shared.clone()));
        Ok(Self { shared, main: Mutex::new(Some(main)) })
    }

    /// Begins no new delivery, waits for those under way, and commits their outcomes.
    pub async fn drain(&self) {
        self.shared.drain();
        let main = self.main.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(main) = main
            && let Err(error) = main.await
        {
            tracing::error!(%error, "the dispatcher ended unexpectedly");
        }
    }

    /// Completes when dispatch cannot continue, with the reason: the daemon must stop and be started again.
    pub async fn broken(&self) -> String {
        let mut broken = self.shared.broken.subscribe();
        match broken.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            _ => "the dispatcher has ended".to_owned(),
        }
    }

    /// What delays deliveries, if anything does: a full disk, or the relay.
    pub fn trouble(&self) -> Option<relay_backoff::Trouble> {
        let shared = &self.shared;
        let now = shared.parts.clock.now();
        shared.disk_space.trouble(now).or_else(|| shared.backoff.trouble(now))
    }

    /// Retries the relay within a second, after a person reported it repaired.
    pub(crate) fn try_relay_now(&self) {
        self.shared.backoff.try_now(self.shared.parts.clock.now());
    }

    /// The reduced pace, while the relay asks for fewer mails.
    pub fn slowed(&self) -> Option<pace::Slowed> {
        self.shared.pace.slowed(self.shared.parts.clock.now())
    }

    /// Reports that nearly all recent answers are temporary refusals, if so.
    pub fn put_off(&self) -> Option<PutOff> {
        self.shared.policy.put_off()
    }

    /// Its heartbeats. Unless it drains, its main task sends one at each [`Notifier`].
    pub fn heartbeats(&self) -> &Heartbeats {
        &self.shared.heartbeats
    }

    /// The domains that the circuit breaker lets rest now, until when, and why.
    pub(crate) fn resting(&self) -> Vec<(String, Rest)> {
        self.shared.policy.resting(Reading::of(&*self.shared.parts.clock))
    }

    /// Counts of outcomes.
    pub(crate) fn outcomes(&self) -> Outcomes {
        self.shared.outcomes.clone()
    }

    /// Why dispatch cannot continue, once it cannot.
    pub(crate) fn is_broken(&self) -> Option<String> {
        self.shared.broken.borrow().clone()
    }

    /// Counters since the start.
    pub(crate) fn stats(&self) -> stats::Snapshot {
        self.shared.stats.snapshot()
    }
}

/// Finds work, starts it, and waits until there may be more.
async fn run(shared: Arc<Shared>) {
    let heartbeat = shared.heartbeats.begin("the dispatcher");
    while let Err(error) = take_back::finish_all(&shared).await {
        if !shared.survive(&error).await {
            heartbeat.rests();
            return;
        }
    }
    let mut workers = JoinSet::new();
    for _ in 0..shared.parts.settings.connections {
        workers.spawn(worker::run(shared.clone()));
    }
    let mut tasks: JoinSet<Option<MailingId>> = JoinSet::new();
    let mut busy: HashMap<tokio::task::Id, MailingId> = HashMap::new();
    let mut closed: HashSet<MailingId> = HashSet::new();
    while !shared.is_draining() {
        heartbeat.works();
        let woken = shared.parts.notifier.notified();
        match begin_open(&shared, &mut tasks, &mut busy, &closed).await {
            Ok(()) => {}
            Err(error) if shared.survive(&error).await => continue,
            Err(_) => break,
        }
        tokio::select! {
            () = woken => {}
            Some(ended) = tasks.join_next_with_id() => match ended {
                Ok((task, ended)) => {
                    busy.remove(&task);
                    closed.extend(ended);
                }
                Err(error) => {
                    tracing::error!(%error, "a mailing's task ended unexpectedly");
                    // Paused, or the same would happen again at once.
                    if let Some(id) = busy.remove(&error.id()) {
                        hold_back(&shared, id, format!("an error in Depesch, see the daemon's log: {error}")).await;
                    }
                }
            },
            // Before a drain a worker ends only by a panic; what it held would never be given back.
            Some(ended) = workers.join_next() => if let Err(error) = ended {
                shared.give_up(&format!("the worker of a connection ended unexpectedly: {error}"));
            },
            () = shared.until_draining() => {}
        }
    }
    heartbeat.rests();
    while tasks.join_next().await.is_some() {}
    while workers.join_next().await.is_some() {}
}
