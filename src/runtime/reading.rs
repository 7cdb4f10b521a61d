//! Parses strangers' messages outside the threads of all other work: whatever a message costs, greetings, the API and
//! the relay are not delayed.
//!
//! The parsers are linear and their results are bounded ([`Excess`](crate::mail::incoming::Excess)). Should one of
//! them have a fault all the same, a message has a time limit: after it the message is given up, and the next one is
//! parsed. A thread cannot be killed, so it runs on; there are never more than four in total.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::base::clock::{Clock, Stopwatch};
use crate::mail::incoming::{Incoming, Unreadable};

use super::heartbeat::Heartbeat;

/// Maximum bytes of a message that is parsed in place: it takes less than a millisecond.
pub(crate) const SMALL: usize = 16 * 1024;
/// Number of large messages parsed at the same time.
const THREADS: usize = 2;
/// Number of threads that may run on after the time limit of their message.
const OVERTIME: usize = 2;
/// Interval between checks whether a message is still being parsed.
const LOOK: Duration = Duration::from_secs(2);
/// Maximum time of one parsing step, without waits. A message of 25 MB takes a second.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// The stack of a parsing thread, in bytes: messages can be nested.
const STACK: usize = 8 * 1024 * 1024;
/// Maximum kilobytes used by large messages being parsed; each counts four times, because it is split into parts.
const MEMORY_KILOBYTES: u32 = 128 * 1024;

/// Why a message was not parsed completely.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// It took too long. A retry would do the same.
    #[error("reading the message took longer than {} s", .0.as_secs())]
    TooLong(Duration),
    /// No thread could be started, or the process is about to end.
    #[error("no thread could read the message: {0}")]
    NoThread(String),
}

/// Parses a limited number of messages at the same time.
pub struct ReadingPool {
    clock: Arc<dyn Clock>,
    threads: Arc<Semaphore>,
    overtime: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    time_limit: Duration,
}

/// The memory and the thread for one message; released when dropped.
struct Slot {
    _memory: Option<OwnedSemaphorePermit>,
    thread: Option<OwnedSemaphorePermit>,
}

impl ReadingPool {
    /// Creates an idle pool.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let of = |permits: usize| Arc::new(Semaphore::new(permits));
        Self {
            clock,
            threads: of(THREADS),
            overtime: of(OVERTIME),
            memory: of(MEMORY_KILOBYTES as usize),
            time_limit: TIME_LIMIT,
        }
    }

    /// Sets another time limit.
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// Waits for a slot for a message of `length` bytes. The heartbeat continues meanwhile; the lanes whose messages are
    /// being parsed have heartbeats of their own.
    async fn slot(&self, length: u32, heartbeat: &Heartbeat) -> Slot {
        // Small ones do not wait for large ones: even one in each lane uses little memory.
        if length as usize <= SMALL {
            return Slot { _memory: None, thread: None };
        }
        let kilobytes = (length / 256).clamp(1, MEMORY_KILOBYTES);
        // The semaphores are never closed.
        let all = async {
            let thread = self.threads.clone().acquire_owned().await.ok();
            Slot { _memory: self.memory.clone().acquire_many_owned(kilobytes).await.ok(), thread }
        };
        let mut all = std::pin::pin!(all);
        loop {
            tokio::select! {
                biased;
                slot = &mut all => return slot,
                () = self.clock.wait_for(LOOK) => heartbeat.works(),
            }
        }
    }

    /// Waits for a slot for a message of `length` bytes, then does `work`, which loads and parses it: a large one on a
    /// thread of its own, under the time limit. A panic in it is propagated.
    ///
    /// # Errors
    /// [`ReadingError`].
    pub async fn read<T: Send + 'static>(
        &self,
        length: u32,
        heartbeat: &Heartbeat,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, ReadingError> {
        let slot = self.slot(length, heartbeat).await;
        if slot.thread.is_none() {
            return Ok(work.await);
        }
        let slot = Arc::new(Mutex::new(slot));
        let busy = Arc::new(Busy::default());
        let timed = Timed { work: Box::pin(work), busy: busy.clone() };
        let mut done = spawn(timed, slot.clone())?;
        let (mut step, mut since) = (0, Stopwatch::start());
        loop {
            tokio::select! {
                biased;
                result = &mut done => return match result {
                    Ok(Ok(done)) => Ok(done),
                    Ok(Err(panic)) => std::panic::resume_unwind(panic),
                    Err(_) => Err(ReadingError::NoThread("it ended".to_owned())),
                },
                () = self.clock.wait_for(LOOK) => {}
            }
            let present = busy.0.load(Ordering::Relaxed);
            if present != step || !is_step(present) {
                (step, since) = (present, Stopwatch::start());
            } else if Duration::from_nanos(since.nanoseconds()) >= self.time_limit {
                self.give_up(&slot);
                return Err(ReadingError::TooLong(self.time_limit));
            }
        }
    }

    /// Gives the message up: the thread runs on, and another one may start; if too many run on already, others wait
    /// for its end.
    fn give_up(&self, slot: &Mutex<Slot>) {
        if let Ok(overtime) = self.overtime.clone().try_acquire_owned() {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Slot { _memory: None, thread: Some(overtime) };
        }
    }
}

type Outcome<T> = Result<T, Box<dyn Any + Send>>;

/// Runs the work on a thread, and drops `holds` when it ends.
fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    holds: impl Send + 'static,
) -> Result<oneshot::Receiver<Outcome<T>>, ReadingError> {
    let (sender, receiver) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let thread = move || {
        let done = catch_unwind(AssertUnwindSafe(|| runtime.block_on(work)));
        drop(holds);
        // The receiver is gone if it took too long.
        drop(sender.send(done));
    };
    // Not one of the runtime's threads: a stop would wait for it.
    let builder = std::thread::Builder::new().name("reading".to_owned()).stack_size(STACK);
    builder.spawn(thread).map_err(|error| ReadingError::NoThread(error.to_string()))?;
    Ok(receiver)
}

/// Counts the starts and ends of steps: odd while one is running.
#[derive(Default)]
struct Busy(AtomicU64);

fn is_step(count: u64) -> bool {
    count % 2 == 1
}

/// Work that counts its steps.
struct Timed<T> {
    work: Pin<Box<dyn Future<Output = T> + Send>>,
    busy: Arc<Busy>,
}

impl<T> Future for Timed<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.busy.0.fetch_add(1, Ordering::Relaxed);
        let polled = self.work.as_mut().poll(context);
        self.busy.0.fetch_add(1, Ordering::Relaxed);
        polled
    }
}

/// Parses a message in memory.
///
/// # Errors
/// [`Unreadable`].
pub(crate) async fn parse(bytes: Vec<u8>) -> Result<Incoming, Unreadable> {
    let is_small = bytes.len() <= SMALL;
    apart(is_small, move || Incoming::parse(&bytes)).await
}

/// Runs long work outside the threads of all other work; a panic in it is propagated.
pub(crate) async fn apart<T: Send + 'static>(is_small: bool, work: impl FnOnce() -> T + Send + 'static) -> T {
    if is_small {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that ends cancels it, and then nothing waits.
            Err(_) => std::future::pending().await,
        },
    }
}
