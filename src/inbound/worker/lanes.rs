//! Lanes: messages of one sender are handled one after the other, those of others at the same time.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::base::id::InboundId;
use crate::model::inbound::Inbound;
use crate::store::{Read, StoreError};

use super::{InboundWorker, LONGEST_SLEEP};

/// How many ids late a commit may become visible and still be found at once; the full scan each minute finds the rest.
const OVERTAKEN: u64 = 4096;
/// Maximum number of messages under way whose records are held for their lanes.
const HELD: usize = 1024;
/// Records read per query.
pub(super) const STEP: usize = 256;

/// A pending message with its record.
pub(super) type Waiting = Read<Inbound>;

/// The lanes, as the distribution sees them.
pub(super) struct Lanes {
    pub(super) senders: Vec<mpsc::UnboundedSender<(InboundId, Option<Waiting>)>>,
    pub(super) under_way: Arc<UnderWay>,
}

/// Messages given to lanes and not yet handled.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashSet<InboundId>>);

impl UnderWay {
    fn ids(&self) -> MutexGuard<'_, HashSet<InboundId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InboundWorker {
    /// Distributes pending messages to the lanes, now and whenever one arrives. Never returns.
    pub(super) async fn feed(&self, lanes: &Lanes, stopping: watch::Receiver<bool>) {
        let heartbeat = self.heartbeats.begin("the distribution of incoming mail");
        while let Err(error) = self.handle_leftovers(&stopping, &heartbeat).await {
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
                // Commits can become visible out of order, so a smaller id may appear late.
                () = arrived => from = Some(InboundId(newest.0.saturating_sub(OVERTAKEN))),
                () = self.clock.wait_for(LONGEST_SLEEP) => from = None,
            }
        }
    }

    /// Distributes the pending messages after `from` to the lanes. If very many wait, lanes hold only their ids, so a
    /// sender of very many messages neither delays the others nor takes much memory.
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
                let read = match self.store.inbound(*id).await {
                    Ok(read) => read,
                    // Its lane logs the error; the other messages go on.
                    Err(StoreError::Record(_)) => None,
                    Err(error) => {
                        lanes.under_way.ids().remove(id);
                        return Err(error);
                    }
                };
                let lane = read.as_ref().map_or(0, |read| lane_of(&read.value, lanes.senders.len()));
                let held = read.filter(|_| lanes.under_way.ids().len() <= HELD);
                // A lane ends only when the whole worker stops.
                let _ = lanes.senders[lane].send((*id, held));
            }
            match waiting.last() {
                Some(last) if waiting.len() == STEP => from = Some(*last),
                _ => return Ok(()),
            }
        }
    }

    /// Handles the messages of one lane, one after the other.
    pub(super) async fn lane(
        self: Arc<Self>,
        mut messages: mpsc::UnboundedReceiver<(InboundId, Option<Waiting>)>,
        under_way: Arc<UnderWay>,
        stopping: watch::Receiver<bool>,
    ) {
        let heartbeat = self.heartbeats.begin("the handling of incoming mail");
        heartbeat.rests();
        while let Some((id, read)) = messages.recv().await {
            if !*stopping.borrow() {
                self.see_to(id, read, &stopping, &heartbeat).await;
            }
            under_way.ids().remove(&id);
            heartbeat.rests();
        }
    }
}

/// The lane of a message: by its sender, or by its recipient if the sender is empty.
fn lane_of(inbound: &Inbound, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    match &inbound.arrival.sender {
        Some(sender) => sender.to_lowercase().hash(&mut hasher),
        None => inbound.recipient.to_lowercase().hash(&mut hasher),
    }
    (hasher.finish() % lanes as u64) as usize
}
