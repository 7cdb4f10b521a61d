//! A wait for an instant far ahead, computed with a wrong clock, lasts no longer than the given limit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use depesch::base::clock::{Clock, FakeClock, SystemClock, Timestamp};

static SLEPT: AtomicU64 = AtomicU64::new(0);

#[tokio::test]
async fn a_wait_for_an_instant_of_a_wrong_clock_is_limited() {
    let clock = SystemClock::new(|time| {
        SLEPT.fetch_add(time.as_secs(), Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    });
    clock.wait_until(clock.now() + TimeDelta::days(3650), Duration::from_secs(60)).await;
    assert_eq!(SLEPT.load(Ordering::Relaxed), 60);

    let clock = FakeClock::at(Timestamp::UNIX_EPOCH);
    let wait = clock.wait_until(Timestamp::MAX_UTC, Duration::from_secs(60));
    clock.advance(TimeDelta::seconds(60));
    wait.await;
}
