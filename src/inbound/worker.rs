//! Handles what came in, one message at a time in each lane, until it is told to stop.
//!
//! Work is found in the store: whatever waits. Messages of one sender go through one lane, so they are handled in the
//! order in which they came. The effects of a message and the mark that it is handled are one commit: handling it again
//! after a crash finds the mark, or finds nothing done (invariants 1 and 3).
//!
//! A message that makes its handler panic is marked and left in the spool. One that ends the whole process cannot be
//! caught; so messages that were waiting at a start already are counted, and after two such ends marked too. One that takes
//! too long to read is marked likewise ([`ReadingPool`]).

use std::collections::HashSet;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::base::clock::Clock;
use crate::base::id::InboundId;
use crate::mail::incoming::Incoming;
use crate::metrics::parts::InboundMetrics;
use crate::model::classify::Class;
use crate::model::inbound::{Inbound, InboundState};
use crate::runtime::heartbeat::{Heartbeat, Heartbeats};
use crate::runtime::notifier::Notifier;
use crate::runtime::reading::{ReadingError, ReadingPool};
use crate::store::engine::{Batch, Commit, EngineError};
use crate::store::inbound::{is_record_of, put_handled, put_stuck, put_tries};
use crate::store::record::RecordError;
use crate::store::spool::{Spool, SpoolError};
use crate::store::{CONFLICT_TRIES, Read, Store, StoreError};

use super::destination::{Directory, Resolved};
use super::{Effects, HandleError, Handler, Item};

/// Messages handled at the same time, at most. Most of the time of each is waiting for the disk.
const LANES: usize = 32;
/// By how many ids a commit may be overtaken and still be found at once; the full look each minute finds the rest.
const OVERTAKEN: u64 = 4096;
/// Messages looked up at once.
const STEP: usize = 256;
/// How often a message is handled alone that saw a process end.
const ALONE: u8 = 2;
/// How soon something is tried again after an error of the store.
const AFTER_ERROR: Duration = Duration::from_secs(2);
/// How long it sleeps when nobody wakes it.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// What the worker works with.
pub struct InboundWorker {
    /// The store.
    pub store: Store,
    /// Where the messages lie.
    pub spool: Spool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Knows our addresses.
    pub directory: Arc<Directory>,
    /// Says what a message does.
    pub handler: Arc<dyn Handler>,
    /// Told when something comes in.
    pub arrived: Notifier,
    /// Reads the messages.
    pub reading: ReadingPool,
    /// To be told when an effect makes work for others.
    pub notify: Vec<Notifier>,
    /// Signs of life of what hands messages out, and of each lane.
    pub heartbeats: Heartbeats,
    /// Counts what was made of what came in.
    pub metrics: InboundMetrics,
}

type Parcel = Read<Inbound>;

struct Lanes {
    senders: Vec<mpsc::UnboundedSender<InboundId>>,
    under_way: Arc<UnderWay>,
}

/// Messages given to lanes and not yet handled.
#[derive(Default)]
struct UnderWay(Mutex<HashSet<InboundId>>);

impl UnderWay {
    fn ids(&self) -> MutexGuard<'_, HashSet<InboundId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InboundWorker {
    /// Works until `stop` completes; what is under way is ended first.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let stopping = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let under_way = Arc::<UnderWay>::default();
        let mut senders = Vec::with_capacity(LANES);
        for _ in 0..LANES {
            let (sender, receiver) = mpsc::unbounded_channel();
            senders.push(sender);
            tasks.spawn(self.clone().lane(receiver, under_way.clone(), stopping.subscribe()));
        }
        let lanes = Lanes { senders, under_way };
        tokio::select! {
            () = stop => {}
            () = self.feed(&lanes, stopping.subscribe()) => {}
        }
        stopping.send_replace(true);
        drop(lanes);
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a lane of mail that comes in ended badly");
            }
        }
    }

    /// Handles everything that waits now, and what comes meanwhile; ends when nothing waits.
    pub async fn run_dry(self: Arc<Self>) {
        let (empty, mut emptied) = watch::channel(false);
        let worker = self.clone();
        let watch = async move {
            loop {
                match self.store.waiting_inbound(None, 1).await {
                    Ok(waiting) if waiting.is_empty() => break,
                    _ => tokio::task::yield_now().await,
                }
            }
            empty.send_replace(true);
        };
        let stop = async move {
            let _ = emptied.wait_for(|empty| *empty).await;
        };
        tokio::join!(watch, worker.run(stop));
    }

    async fn feed(&self, lanes: &Lanes, stopping: watch::Receiver<bool>) {
        let heartbeat = self.heartbeats.begin("what hands out mail that came in");
        while let Err(error) = self.look_at_leftovers(&stopping, &heartbeat).await {
            self.wait_after(&error).await;
        }
        let mut newest = InboundId(0);
        let mut from = None;
        loop {
            heartbeat.works();
            let arrived = self.arrived.notified();
            if let Err(error) = self.hand_out(lanes, from, &mut newest).await {
                self.wait_after(&error).await;
                continue;
            }
            tokio::select! {
                // Commits of messages overtake each other, so a smaller id may show itself late.
                () = arrived => from = Some(InboundId(newest.0.saturating_sub(OVERTAKEN))),
                () = self.clock.wait_for(LONGEST_SLEEP) => from = None,
            }
        }
    }

    /// Gives what waits after `from` to the lanes. A lane holds numbers only, so a sender of very many messages holds up
    /// nobody else.
    async fn hand_out(
        &self,
        lanes: &Lanes,
        mut from: Option<InboundId>,
        newest: &mut InboundId,
    ) -> Result<(), StoreError> {
        loop {
            let waiting = self.store.waiting_inbound(from, STEP).await?;
            for id in &waiting {
                *newest = (*newest).max(*id);
                if !lanes.under_way.ids().insert(*id) {
                    continue;
                }
                let lane = match self.store.inbound(*id).await {
                    Ok(Some(read)) => lane_of(&read.value, lanes.senders.len()),
                    // Its lane says what is wrong with it; the others go on.
                    Ok(None) | Err(StoreError::Record(_)) => 0,
                    Err(error) => {
                        lanes.under_way.ids().remove(id);
                        return Err(error);
                    }
                };
                // A lane ends only when everything does.
                let _ = lanes.senders[lane].send(*id);
            }
            match waiting.last() {
                Some(last) if waiting.len() == STEP => from = Some(*last),
                _ => return Ok(()),
            }
        }
    }

    async fn lane(
        self: Arc<Self>,
        mut messages: mpsc::UnboundedReceiver<InboundId>,
        under_way: Arc<UnderWay>,
        stopping: watch::Receiver<bool>,
    ) {
        let heartbeat = self.heartbeats.begin("the handling of mail that came in");
        heartbeat.rests();
        while let Some(id) = messages.recv().await {
            if !*stopping.borrow() {
                self.see_to(id, &stopping, &heartbeat).await;
            }
            under_way.ids().remove(&id);
            heartbeat.rests();
        }
    }

    /// Handles one message, however often the store must be asked; gives up only when everything stops.
    async fn see_to(&self, id: InboundId, stopping: &watch::Receiver<bool>, heartbeat: &Heartbeat) {
        while !*stopping.borrow() {
            heartbeat.works();
            let tried = match self.store.inbound(id).await {
                Ok(Some(read)) if read.value.state == InboundState::Waiting => self.handle(&read, heartbeat).await,
                Ok(_) => return,
                // Nothing can be written about it, for its record cannot be read: it stays as it is.
                Err(StoreError::Record(error)) => {
                    tracing::error!(inbound = %id, %error, "a message that came in cannot be handled");
                    return;
                }
                Err(error) => Err(error.into()),
            };
            match tried {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => self.wait_after(&error).await,
            }
        }
    }

    /// One try: `true` when the message is handled or marked, `false` on a conflict with somebody else's change.
    async fn handle(&self, read: &Parcel, heartbeat: &Heartbeat) -> Result<bool, HandleError> {
        let id = read.value.id;
        let mut refused = None;
        for _ in 0..CONFLICT_TRIES {
            // What panics is a handler or a parser below it; its half-made batch is thrown away.
            let effects = match refused.take() {
                None => AssertUnwindSafe(self.effects(&read.value, heartbeat)).catch_unwind().await,
                Some(what) => Ok(Err(HandleError::Broken(what))),
            };
            let now = self.clock.now();
            let mut batch = Batch::new();
            let (mut notify, mut outcome, mut bounce) = (false, "stuck", None);
            match effects.unwrap_or_else(|panic| Err(HandleError::Broken(words_of(panic.as_ref())))) {
                Ok(effects) => {
                    tracing::info!(inbound = %id, kind = effects.kind.word(), note = %effects.note, "mail came in");
                    (notify, outcome, bounce) = (effects.notify, effects.kind.word(), effects.bounce);
                    batch = effects.batch;
                    put_handled(&mut batch, read, now, effects.kind, &effects.note);
                }
                // A record that cannot be read will not be readable in two seconds.
                Err(
                    HandleError::Broken(what)
                    | HandleError::Store(StoreError::Record(RecordError::Damaged { reason: what, .. })),
                ) => {
                    tracing::error!(inbound = %id, %what, "a message that came in cannot be handled; it stays in the spool");
                    put_stuck(&mut batch, read, now, &what);
                }
                Err(later) => return Err(later),
            }
            let committed = match self.store.commit(batch).await {
                // What the store will never take must not come again for ever.
                Err(StoreError::Engine(EngineError::Refused(what))) => {
                    refused = Some(what.to_string());
                    continue;
                }
                committed => committed?,
            };
            match committed {
                Commit::Applied => {
                    self.metrics.message(outcome);
                    bounce.map(Class::word).into_iter().for_each(|class| self.metrics.bounce(class));
                    if notify {
                        self.notify.iter().for_each(Notifier::notify);
                    }
                    return Ok(true);
                }
                Commit::Conflict(key) if is_record_of(&key, id) => return Ok(false),
                Commit::Conflict(_) => {}
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    async fn effects(&self, inbound: &Inbound, heartbeat: &Heartbeat) -> Result<Effects, HandleError> {
        let slot = self.reading.slot(inbound.place.length, heartbeat).await;
        let bytes = match self.spool.read(inbound.place).await {
            Ok(bytes) => Arc::new(bytes),
            Err(
                error @ (SpoolError::Damaged { .. }
                | SpoolError::Dropped { .. }
                | SpoolError::Newer { .. }
                | SpoolError::Erased { .. }),
            ) => {
                return Err(HandleError::Broken(error.to_string()));
            }
            Err(error) => return Err(HandleError::Spool(error)),
        };
        let (directory, handler, inbound) = (self.directory.clone(), self.handler.clone(), inbound.clone());
        // Reading it, and all that handling it reads in it: the one place where a stranger's message is gone over.
        let work = async move {
            // One that cannot be read at all is an empty one, which a person will see.
            let message = Incoming::parse(&bytes).unwrap_or_else(|_| Incoming::unreadable());
            let destination = match directory.resolve(&inbound.recipient).await? {
                Resolved::Ours(destination) => Some(destination),
                // The list went away between RCPT and now.
                Resolved::No(_) => None,
            };
            let item = Item { inbound, bytes, message, destination };
            handler.handle(&item).await
        };
        match self.reading.read(slot, work).await {
            Ok(effects) => effects,
            Err(error @ ReadingError::TooLong(_)) => Err(HandleError::Broken(error.to_string())),
            Err(error @ ReadingError::NoThread(_)) => Err(HandleError::Later(error.to_string())),
        }
    }

    /// Messages that waited at this start already. One that saw a process end before is handled alone, so that it is known
    /// whether it was this one; where the daemon ended twice while it did that, the message is set aside. A kill or a power
    /// failure that happens to hit it once is no reason.
    async fn look_at_leftovers(
        &self,
        stopping: &watch::Receiver<bool>,
        heartbeat: &Heartbeat,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let waiting = self.store.waiting_inbound(after, STEP).await?;
            let Some(last) = waiting.last().copied() else { return Ok(()) };
            let mut counted = Batch::new();
            for id in waiting {
                let tries = self.store.inbound_tries(id).await?;
                let read = match self.store.inbound(id).await {
                    Ok(Some(read)) => read,
                    Ok(None) | Err(StoreError::Record(_)) => continue,
                    Err(error) => return Err(error),
                };
                match tries {
                    0 => put_tries(&mut counted, &read, 1),
                    1..=ALONE => {
                        let mut batch = Batch::new();
                        put_tries(&mut batch, &read, tries + 1);
                        self.store.commit(batch).await?;
                        self.see_to(id, stopping, heartbeat).await;
                    }
                    _ => {
                        let what = "the daemon ended twice while this message was being handled";
                        tracing::error!(inbound = %id, what, "a message that came in is set aside");
                        let mut batch = Batch::new();
                        put_stuck(&mut batch, &read, self.clock.now(), what);
                        self.store.commit(batch).await?;
                        self.metrics.message("stuck");
                    }
                }
            }
            self.store.commit(counted).await?;
            after = Some(last);
        }
    }

    async fn wait_after(&self, error: &(dyn std::error::Error + Sync)) {
        tracing::error!(%error, "mail that came in waits for the store");
        self.clock.wait_for(AFTER_ERROR).await;
    }
}

/// The lane of a message: by its sender, or by its recipient where it has none.
fn lane_of(inbound: &Inbound, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    match &inbound.arrival.sender {
        Some(sender) => sender.to_lowercase().hash(&mut hasher),
        None => inbound.recipient.to_lowercase().hash(&mut hasher),
    }
    (hasher.finish() % lanes as u64) as usize
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("an error in Depesch: {}", words.unwrap_or("no words"))
}
