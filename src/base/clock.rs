//! The only place that asks what time it is.
//!
//! Everything else is handed a [`Clock`], so that tests decide what time it is and never sleep.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// An instant, in UTC. The store keeps it as milliseconds since 1970.
pub type Timestamp = DateTime<Utc>;

/// A future that ends when the awaited instant has come.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the time and waits for an instant.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
    /// Completes at `at`, at once when that instant is past.
    fn wait_until(&self, at: Timestamp) -> Wait;
}

/// The machine's clock. How to sleep is the runtime's business, so it is passed in.
pub struct SystemClock {
    sleep: fn(Duration) -> Wait,
}

impl SystemClock {
    /// `sleep` waits for a duration on the runtime in use, e.g. `|d| Box::pin(tokio::time::sleep(d))`.
    pub fn new(sleep: fn(Duration) -> Wait) -> Self {
        Self { sleep }
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place
    fn now(&self) -> Timestamp {
        DateTime::<Utc>::from(std::time::SystemTime::now())
    }

    fn wait_until(&self, at: Timestamp) -> Wait {
        (self.sleep)((at - self.now()).to_std().unwrap_or(Duration::ZERO))
    }
}

/// A clock that stands still until it is told to move.
pub struct FakeClock {
    state: Mutex<FakeState>,
}

struct FakeState {
    now: Timestamp,
    waiting: Vec<Waker>,
}

impl FakeClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> std::sync::Arc<Self> {
        let state = FakeState { now, waiting: Vec::new() };
        std::sync::Arc::new(Self { state: Mutex::new(state) })
    }

    /// Moves the clock forward and wakes everyone who waits; those not yet due wait again.
    pub fn advance(&self, by: chrono::Duration) {
        let now = self.now() + by;
        self.set(now);
    }

    /// Sets the clock and wakes everyone who waits.
    pub fn set(&self, now: Timestamp) {
        let waiting = {
            let mut state = self.lock();
            state.now = now;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct FakeWait {
    clock: std::sync::Arc<FakeClock>,
    at: Timestamp,
}

impl Future for FakeWait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.now >= self.at {
            return Poll::Ready(());
        }
        state.waiting.push(context.waker().clone());
        Poll::Pending
    }
}

impl Clock for std::sync::Arc<FakeClock> {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn wait_until(&self, at: Timestamp) -> Wait {
        Box::pin(FakeWait { clock: self.clone(), at })
    }
}

impl FakeClock {
    /// The instant at which the clock stands.
    pub fn now(&self) -> Timestamp {
        self.lock().now
    }
}

/// Measures how long something took, for statistics, and for limits on how long something may compute.
pub struct Stopwatch {
    start: std::time::Instant,
}

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    /// Since the start, in nanoseconds.
    pub fn nanoseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
