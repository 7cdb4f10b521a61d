//! A wait for an instant far ahead, computed with a wrong clock, lasts no longer than the given limit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use depesch::base::clock::{Clock, FakeClock, SystemClock, Timestamp};

static SLEPT: AtomicU64 = AtomicU64::new(0);

#[tokio::test]
async fn an_instant_read_from_a_clock_that_was_set_right_is_waited_for_no_longer_than_said() {
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
