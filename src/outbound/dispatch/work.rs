//! The units of work passed from feeders to workers: a mailing, a leased chunk of it, a delivery.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::composition::message::PreparedMailing;
use crate::model::mailing::{Mailing, Stage};
use crate::store::Read;
use crate::store::engine::Value;
use crate::store::ledger::Row;

/// A mailing that is being sent.
pub(crate) struct Run {
    /// Composes its messages.
    pub prepared: Arc<dyn PreparedMailing>,
    current: Mutex<Arc<Read<Mailing>>>,
    stopped: AtomicBool,
    chunks: Mutex<HashMap<u32, Arc<Chunk>>>,
    /// Chunks given back with open deliveries that are not deferred.
    left: Mutex<BTreeSet<u32>>,
    /// Notified when a chunk is given back.
    pub given_back: Notify,
    /// Number of outcomes logged one by one.
    pub told: AtomicU32,
}

/// A chunk leased by this node.
pub(crate) struct Chunk {
    /// Its number.
    pub number: u32,
    lease: Mutex<Value>,
    remaining: AtomicU32,
}

/// One delivery to send.
pub(crate) struct Job {
    /// Its mailing.
    pub run: Arc<Run>,
    /// Its chunk.
    pub chunk: Arc<Chunk>,
    /// The delivery's position, subscriber and state when the chunk was leased.
    pub row: Row,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether deliveries of a mailing may begin.
pub(crate) fn may_send(mailing: &Mailing) -> bool {
    matches!(mailing.stage, Stage::Sending(_)) && mailing.pause.is_none() && mailing.is_approved()
}

impl Run {
    /// Creates a run of `mailing`.
    pub(crate) fn new(mailing: Read<Mailing>, prepared: Arc<dyn PreparedMailing>) -> Self {
        Self {
            prepared,
            current: Mutex::new(Arc::new(mailing)),
            stopped: AtomicBool::new(false),
            chunks: Mutex::default(),
            left: Mutex::default(),
            given_back: Notify::new(),
            told: AtomicU32::new(0),
        }
    }

    /// The mailing as last read: the precondition of every intent.
    pub(crate) fn current(&self) -> Arc<Read<Mailing>> {
        locked(&self.current).clone()
    }

    /// Applies a newer reading; `false` when nothing more of it may be sent.
    pub(crate) fn refresh(&self, mailing: Option<Read<Mailing>>) -> bool {
        match mailing {
            Some(read) if may_send(&read.value) => {
                *locked(&self.current) = Arc::new(read);
                !self.is_stopped()
            }
            _ => {
                self.stop();
                false
            }
        }
    }

    /// Lets no further delivery of this run begin.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.given_back.notify_one();
    }

    /// Whether no further delivery of it may begin.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The chunks being worked on.
    pub(crate) fn outstanding(&self) -> Vec<Arc<Chunk>> {
        locked(&self.chunks).values().cloned().collect()
    }

    /// Whether a chunk is being worked on.
    pub(crate) fn works_on(&self, chunk: u32) -> bool {
        locked(&self.chunks).contains_key(&chunk)
    }

    /// Registers a leased chunk with this number of jobs.
    pub(crate) fn begin(&self, number: u32, lease: Value, jobs: u32) -> Arc<Chunk> {
        let chunk = Arc::new(Chunk { number, lease: Mutex::new(lease), remaining: AtomicU32::new(jobs) });
        locked(&self.chunks).insert(number, chunk.clone());
        chunk
    }

    /// Marks a chunk being given back to be examined again: something in it was left unchanged.
    pub(crate) fn leave(&self, number: u32) {
        locked(&self.left).insert(number);
    }

    /// Takes the chunks to be examined again.
    pub(crate) fn take_left(&self) -> BTreeSet<u32> {
        std::mem::take(&mut locked(&self.left))
    }

    /// Removes a chunk whose lease was released, and notifies the feeder.
    pub(crate) fn end(&self, number: u32) {
        locked(&self.chunks).remove(&number);
        self.given_back.notify_one();
    }
}

impl Chunk {
    /// The bytes of the lease as this node holds it.
    pub fn lease(&self) -> Value {
        locked(&self.lease).clone()
    }

    /// Records a renewed lease.
    pub(crate) fn renewed(&self, lease: Value) {
        *locked(&self.lease) = lease;
    }

    /// Counts one job as done; `true` for the last.
    pub(crate) fn job_done(&self) -> bool {
        self.remaining.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
