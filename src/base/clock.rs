//! The only place that reads the time.
//!
//! Everything else is passed a [`Clock`], so that tests control the time and never sleep.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// An instant, in UTC. Stored as milliseconds since 1970.
pub type Timestamp = DateTime<Utc>;

/// A future that ends when the awaited instant has come.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Identifies one run of the machine.
pub(crate) type Origin = [u8; 16];

/// Reads the time and waits for it.
///
/// The time of day ([`Clock::now`]) may jump in both directions: the clock is set, or was wrong at the start. Records
/// contain it, so their readers must bound what it says by what is possible. Time that passes in this process is
/// measured by [`Clock::steady`], which never jumps.
pub trait Clock: Send + Sync + 'static {
    /// The present time of day. Read it once for each decision: between two readings something may fall due.
    fn now(&self) -> Timestamp;
    /// Steady time: advances with real time only and never jumps; the machine's clock counts it from 1970 at the
    /// machine's start. For measuring how much time passed, never for records.
    fn steady(&self) -> Timestamp;
    /// The origin of [`Clock::steady`]: between two readings with the same origin the time that passed is known, even
    /// across restarts of the process. `None` if unknown.
    fn origin(&self) -> Option<Origin> {
        None
    }
    /// Completes when the time of day reaches `at`, or at once if it has passed; at the latest when as much real time
    /// has passed as `at` was away, and never after more than `longest`. The caller must check again whether the
    /// instant has come: `at` is derived from an earlier reading of the clock, and the clock may have been set back
    /// since.
    fn wait_until(&self, at: Timestamp, longest: Duration) -> Wait;
    /// Completes when this much real time has passed, whatever the time of day does.
    fn wait_for(&self, time: Duration) -> Wait;
    /// How far a test has moved the time of day; `None` if no test can.
    fn moved_by_test(&self) -> Option<TimeDelta> {
        None
    }
}

/// Maximum sleep before the time of day is read again: a clock set forward is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Sleeps for a duration on the current runtime.
type Sleep = fn(Duration) -> Wait;

/// Returns how far the time of day is moved.
type Moved = Arc<dyn Fn() -> TimeDelta + Send + Sync>;

/// The machine's clock. How to sleep depends on the runtime, so it is passed in.
#[derive(Clone)]
pub struct SystemClock {
    sleep: Sleep,
    origin: Option<Origin>,
    moved: Option<Moved>,
}

impl SystemClock {
    /// Creates a clock; `sleep` waits for a duration on the current runtime, e.g. `|d|
    /// Box::pin(tokio::time::sleep(d))`.
    pub fn new(sleep: fn(Duration) -> Wait) -> Self {
        Self { sleep, origin: None, moved: None }
    }

    /// Sets the `origin`, which identifies the machine's present run, if known.
    pub(crate) fn counting_from(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// Moves the time of day by the result of `moved` at each reading: only for tests of the real program.
    pub fn moved(self, moved: impl Fn() -> TimeDelta + Send + Sync + 'static) -> Self {
        Self { moved: Some(Arc::new(moved)), ..self }
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place
    fn now(&self) -> Timestamp {
        let now = DateTime::<Utc>::from(std::time::SystemTime::now());
        match &self.moved {
            Some(moved) => now.checked_add_signed(moved()).unwrap_or(now),
            None => now,
        }
    }

    fn steady(&self) -> Timestamp {
        // Time in which the machine was suspended counts: a clock that is correct after it has not jumped.
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        DateTime::from_timestamp(time.tv_sec, u32::try_from(time.tv_nsec).unwrap_or(0)).unwrap_or_default()
    }

    fn origin(&self) -> Option<Origin> {
        self.origin
    }

    fn wait_until(&self, at: Timestamp, longest: Duration) -> Wait {
        let clock = self.clone();
        Box::pin(async move {
            let mut left = (at - clock.now()).to_std().unwrap_or(Duration::ZERO).min(longest);
            while left > Duration::ZERO {
                let step = left.min(LONGEST_SLEEP);
                (clock.sleep)(step).await;
                let by_day = (at - clock.now()).to_std().unwrap_or(Duration::ZERO);
                left = (left - step).min(by_day);
            }
        })
    }

    fn wait_for(&self, time: Duration) -> Wait {
        (self.sleep)(time)
    }

    fn moved_by_test(&self) -> Option<TimeDelta> {
        self.moved.as_ref().map(|moved| moved())
    }
}

/// A clock for tests: it stands still until it is told to move.
pub struct FakeClock {
    state: Mutex<FakeState>,
}

struct FakeState {
    now: Timestamp,
    steady: Timestamp,
    origin: Option<Origin>,
    /// Added to both times at each reading.
    step: TimeDelta,
    waiting: Vec<Waker>,
}

impl FakeClock {
    /// Creates a clock that shows `now`.
    pub fn at(now: Timestamp) -> Arc<Self> {
        let state = FakeState { now, steady: now, origin: None, step: TimeDelta::zero(), waiting: Vec::new() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Lets time pass and wakes all waiting tasks; those not yet due wait again.
    pub fn advance(&self, by: TimeDelta) {
        let now = self.now() + by;
        self.set(now);
    }

    /// Lets time pass until `now` and wakes all waiting tasks. A `now` in the past is a jump: no time passes.
    pub fn set(&self, now: Timestamp) {
        self.change(|state| {
            state.steady += (now - state.now).max(TimeDelta::zero());
            state.now = now;
        });
    }

    /// Lets the time of day jump, forward or back, while no time passes.
    pub fn jump(&self, by: TimeDelta) {
        self.change(|state| state.now += by);
    }

    /// Sets the origin of steady time.
    pub fn count_from(&self, origin: Option<Origin>) {
        self.change(|state| state.origin = origin);
    }

    /// Lets this much time pass after each reading of the time of day, so that something falls due between the two
    /// readings of one decision.
    pub fn step_at_each_reading(&self, step: TimeDelta) {
        self.change(|state| state.step = step);
    }

    fn change(&self, change: impl FnOnce(&mut FakeState)) {
        let waiting = {
            let mut state = self.lock();
            change(&mut state);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct FakeWait {
    clock: Arc<FakeClock>,
    /// Time of day, for a task that waits for an instant.
    at: Option<Timestamp>,
    /// Steady time.
    latest: Timestamp,
}

impl Future for FakeWait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.steady >= self.latest || self.at.is_some_and(|at| state.now >= at) {
            return Poll::Ready(());
        }
        state.waiting.push(context.waker().clone());
        Poll::Pending
    }
}

impl Clock for Arc<FakeClock> {
    fn now(&self) -> Timestamp {
        FakeClock::now(self)
    }

    fn steady(&self) -> Timestamp {
        self.lock().steady
    }

    fn origin(&self) -> Option<Origin> {
        self.lock().origin
    }

    fn wait_until(&self, at: Timestamp, longest: Duration) -> Wait {
        let longest = TimeDelta::from_std(longest).unwrap_or(TimeDelta::MAX);
        let latest = {
            let state = self.lock();
            state.steady.checked_add_signed((at - state.now).min(longest)).unwrap_or(DateTime::<Utc>::MAX_UTC)
        };
        Box::pin(FakeWait { clock: self.clone(), at: Some(at), latest })
    }

    fn wait_for(&self, time: Duration) -> Wait {
        let time = TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
        let latest = self.lock().steady.checked_add_signed(time).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Box::pin(FakeWait { clock: self.clone(), at: None, latest })
    }
}

impl FakeClock {
    /// The time of day that the clock shows.
    pub fn now(&self) -> Timestamp {
        let mut state = self.lock();
        let now = state.now;
        let step = state.step;
        state.now += step;
        state.steady += step;
        now
    }
}

/// Measures durations, for statistics and for limits of computing time.
pub(crate) struct Stopwatch {
    start: std::time::Instant,
}

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    /// Time since the start, in nanoseconds.
    pub(crate) fn nanoseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
