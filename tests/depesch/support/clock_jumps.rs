//! A clock that jumps as scripted, and the bounds that hold for every record with a lifetime.

use std::sync::Arc;

use chrono::{Duration, TimeDelta};
use depesch::base::clock::FakeClock;
use depesch::mailings::schedule::Scheduler;
use depesch::runtime::notifier::Notifier;
use depesch::store::Store;
use proptest::prelude::*;

/// The behaviour of the clock.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// The error of the clock, in seconds.
    pub by: i64,
    /// How long it is wrong, in seconds.
    pub wrong_for: i64,
    /// Whether the daemon is restarted when the clock is corrected.
    pub restarts: bool,
    /// Whether the daemon has noticed the jump before the decision is made.
    pub noted: bool,
}

/// Jumps from some seconds to ten years, in both directions.
pub fn scripts() -> impl Strategy<Value = Script> {
    let size = prop_oneof![3i64..100, 1300i64..90_000, 90_000i64..2_592_000, 2_592_000i64..316_000_000];
    (size, any::<bool>(), 1..4000i64, any::<bool>(), any::<bool>()).prop_map(
        |(size, back, wrong_for, restarts, noted)| {
            let by = if back { -size } else { size };
            // A few seconds are accepted as true, and a jump shorter than the interval between two notes cannot be
            // recognised before it is noted.
            Script { by, wrong_for, restarts, noted: noted || size < 1300 }
        },
    )
}

/// A clock, with the scheduler that records what is known of it.
pub struct Jumps {
    clock: Arc<FakeClock>,
    store: Store,
    scheduler: Scheduler,
}

impl Jumps {
    pub async fn over(store: &Store, clock: &Arc<FakeClock>) -> Self {
        let begin = || Scheduler::new(store.clone(), Arc::new(clock.clone()), Notifier::new());
        let clock_jumps = Self { clock: clock.clone(), store: store.clone(), scheduler: begin() };
        clock_jumps.note().await;
        clock_jumps
    }

    pub async fn note(&self) {
        self.scheduler.tick().await.unwrap();
    }

    /// Lets time pass while the daemon runs.
    pub async fn pass(&self, time: TimeDelta) {
        self.clock.advance(time);
        self.note().await;
    }

    pub async fn jump(&self, seconds: i64, noted: bool) {
        self.clock.jump(Duration::seconds(seconds));
        if noted {
            self.note().await;
        }
    }

    async fn set_right(&mut self, script: Script) {
        self.clock.jump(Duration::seconds(-script.by));
        if script.restarts {
            self.scheduler = Scheduler::new(self.store.clone(), Arc::new(self.clock.clone()), Notifier::new());
        }
        self.note().await;
    }
}

/// A record with a lifetime.
pub trait Lasting {
    /// The state it needs.
    type House;

    fn store(house: &Self::House) -> (&Store, &Arc<FakeClock>);
    /// Its lifetime.
    fn lifetime(&self) -> TimeDelta;
    /// How much later its end may be noticed, e.g. because of a daily check.
    fn slack(&self) -> TimeDelta {
        Duration::minutes(1)
    }
    fn build(&self) -> impl Future<Output = Self::House>;
    /// Creates it, now.
    fn make(&self, house: &mut Self::House) -> impl Future<Output = ()>;
    /// What the daemon does once a day.
    fn daily(&self, _: &mut Self::House) -> impl Future<Output = ()> {
        async {}
    }
    /// Whether it counts as ended now. Called only once.
    fn is_over(&self, house: &mut Self::House) -> impl Future<Output = bool>;
}

/// When to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Wrong,
    Right,
    /// This long after the clock is corrected.
    After(TimeDelta),
}

async fn days<L: Lasting>(what: &L, house: &mut L::House, clock_jumps: &Jumps, time: TimeDelta) {
    let mut left = time;
    while left > TimeDelta::zero() {
        let step = left.min(Duration::days(1));
        clock_jumps.pass(step).await;
        what.daily(house).await;
        left -= step;
    }
}

/// Creates it before the clock goes wrong, or while it is wrong, and asks whether it has ended.
async fn asked<L: Lasting>(what: &L, script: Script, made_while_wrong: bool, until: Until) -> bool {
    let mut house = what.build().await;
    let (store, clock) = L::store(&house);
    let mut clock_jumps = Jumps::over(store, clock).await;
    if !made_while_wrong {
        what.make(&mut house).await;
    }
    clock_jumps.pass(Duration::minutes(5)).await;
    clock_jumps.jump(script.by, script.noted).await;
    what.daily(&mut house).await;
    if made_while_wrong {
        clock_jumps.note().await;
        what.make(&mut house).await;
    }
    if until == Until::Wrong {
        return what.is_over(&mut house).await;
    }
    days(what, &mut house, &clock_jumps, Duration::seconds(script.wrong_for)).await;
    clock_jumps.set_right(script).await;
    if let Until::After(time) = until {
        days(what, &mut house, &clock_jumps, time).await;
    }
    what.is_over(&mut house).await
}

/// Checks that nothing ends early because of a clock jump that is corrected, and that nothing lasts longer than its
/// lifetime from the correction; longer by the jump if that is no longer than a lifetime, because its date cannot be
/// told from a true one.
pub async fn holds<L: Lasting>(what: &L, script: Script) {
    let (lifetime, by) = (what.lifetime(), Duration::seconds(script.by));
    // Its age when the clock is right.
    let age = Duration::seconds(script.wrong_for) + Duration::minutes(6);
    let soon = Until::After(lifetime - age - what.slack());
    for made_while_wrong in [false, true] {
        for until in [Until::Wrong, Until::Right, soon] {
            let over = asked(what, script, made_while_wrong, until).await;
            assert!(!over, "over too early: {script:?}, made while wrong: {made_while_wrong}, {until:?}");
        }
        let hidden = made_while_wrong && by > TimeDelta::zero() && by < lifetime + what.slack() + Duration::hours(2);
        let longest = lifetime + if hidden { by } else { TimeDelta::zero() } + what.slack();
        let over = asked(what, script, made_while_wrong, Until::After(longest)).await;
        assert!(over, "not over in time: {script:?}, made while wrong: {made_while_wrong}");
    }
}

/// Runs a case in a runtime of its own.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
