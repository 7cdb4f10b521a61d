//! Handles received messages, one at a time in each lane, until it is stopped.
//!
//! Pending work is found in the store. All messages of one sender go through one lane, so they are handled in the order
//! in which they came. The effects of a message and the mark that it is handled are one commit: after a crash, a second
//! run finds either the mark or no change at all (invariants 1 and 3).
//!
//! A message that makes its handler panic is marked and left in the spool. A message that ends the whole process cannot
//! be caught: messages that were already waiting at a start are counted, and after two such ends they are marked too. A
//! message that takes too long to read is marked likewise ([`ReadingPool`]).

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
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
use crate::store::{CONFLICT_TRIES, Store, StoreError};

use super::destination::{Directory, Resolved};
use super::{Effects, HandleError, Handler, Item};

mod lanes;

use lanes::{Lanes, STEP, UnderWay, Waiting};

/// Maximum number of messages handled at the same time. Each spends most of its time waiting for the disk.
const LANES: usize = 32;
/// How often a message that was waiting at an earlier start is handled alone.
const ALONE: u8 = 2;
/// Delay before a retry after a store error.
const AFTER_ERROR: Duration = Duration::from_secs(2);
/// Longest sleep without a notification.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// What the worker needs.
pub struct InboundWorker {
    /// The store.
    pub store: Store,
    /// Where the raw messages are stored.
    pub spool: Spool,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Resolves our addresses.
    pub directory: Arc<Directory>,
    /// Decides what a message does.
    pub handler: Arc<dyn Handler>,
    /// Notified when a message is accepted.
    pub arrived: Notifier,
    /// Parses the messages.
    pub reading: ReadingPool,
    /// Notified when an effect creates work for others.
    pub notify: Vec<Notifier>,
    /// Heartbeats of the distributor and of each lane.
    pub heartbeats: Heartbeats,
    /// Counts the kinds of received messages.
    pub metrics: InboundMetrics,
}

impl InboundWorker {
    /// Works until `stop` completes; messages in progress are finished first.
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
                tracing::error!(%error, "a lane of incoming mail ended unexpectedly");
            }
        }
    }

    /// Handles all pending messages and those that arrive meanwhile; returns when none is pending.
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

    /// Handles one message, retrying store errors until it is done; gives up only when the worker stops.
    async fn see_to(
        &self,
        id: InboundId,
        mut held: Option<Waiting>,
        stopping: &watch::Receiver<bool>,
        heartbeat: &Heartbeat,
    ) {
        while !*stopping.borrow() {
            heartbeat.works();
            // A record that is no longer the stored one is a conflict, and read again.
            let read = match held.take() {
                Some(read) => Ok(Some(read)),
                None => self.store.inbound(id).await,
            };
            let tried = match read {
                Ok(Some(read)) if read.value.state == InboundState::Waiting => self.handle(&read, heartbeat).await,
                Ok(_) => return,
                // Its record cannot be read, so nothing can be written about it: it stays as it is.
                Err(StoreError::Record(error)) => {
                    tracing::error!(inbound = %id, %error, "an incoming message cannot be handled");
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

    /// One attempt: `true` if the message is handled or marked, `false` on a conflict with another change.
    async fn handle(&self, read: &Waiting, heartbeat: &Heartbeat) -> Result<bool, HandleError> {
        let id = read.value.id;
        let mut refused = None;
        for _ in 0..CONFLICT_TRIES {
            // The handler or a parser it calls may panic; its unfinished batch is then discarded.
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
                // A record that cannot be read now will not be readable at the next attempt either.
                Err(
                    HandleError::Broken(what)
                    | HandleError::Store(StoreError::Record(RecordError::Damaged { reason: what, .. })),
                ) => {
                    tracing::error!(inbound = %id, %what, "an incoming message cannot be handled; it stays in the spool");
                    put_stuck(&mut batch, read, now, &what);
                }
                Err(later) => return Err(later),
            }
            let committed = match self.store.commit(batch).await {
                // A write that the store refuses permanently must not be retried forever.
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
        let length = inbound.place.length;
        let (spool, directory, handler) = (self.spool.clone(), self.directory.clone(), self.handler.clone());
        let inbound = inbound.clone();
        // Loads and parses the message and does everything the handler reads in it: the only place where untrusted mail is
        // processed.
        let work = async move {
            let bytes = match spool.read(inbound.place).await {
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
            // A message that cannot be parsed is treated as empty and forwarded to the list's owner.
            let message = Incoming::parse(&bytes).unwrap_or_else(|_| Incoming::unreadable());
            let destination = match directory.resolve(&inbound.recipient).await? {
                Resolved::Ours(destination) => Some(destination),
                // The list was removed between RCPT and now.
                Resolved::No(_) => None,
            };
            let item = Item { inbound, bytes, message, destination };
            handler.handle(&item).await
        };
        match self.reading.read(length, heartbeat, work).await {
            Ok(effects) => effects,
            Err(error @ ReadingError::TooLong(_)) => Err(HandleError::Broken(error.to_string())),
            Err(error @ ReadingError::NoThread(_)) => Err(HandleError::Later(error.to_string())),
        }
    }

    /// Handles messages that were already waiting at this start. One that was waiting at an earlier start too is
    /// handled alone, to find out whether it ends the process; if the daemon ended twice during that, the message is
    /// set aside. One kill or power failure that happens at that moment is not enough.
    async fn handle_leftovers(
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
                        self.see_to(id, None, stopping, heartbeat).await;
                    }
                    _ => {
                        let what = "the daemon ended twice while this message was being handled";
                        tracing::error!(inbound = %id, what, "an incoming message is set aside");
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
        tracing::error!(%error, "incoming mail waits for the store");
        self.clock.wait_for(AFTER_ERROR).await;
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("an error in Depesch: {}", words.unwrap_or("no words"))
}
