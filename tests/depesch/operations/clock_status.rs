//! The clock in the status: that it jumped and in which direction, which mailing waits because of that, until when
//! nothing is deleted, and that a test moves it.

use std::sync::Arc;

use chrono::{Duration, TimeDelta};
use depesch::base::clock::{Clock, FakeClock, SystemClock, Timestamp, Wait};
use depesch::mailings::schedule::Scheduler;
use depesch::model::mailing::MissedPolicy;
use depesch::operations::health::Observer;
use depesch::runtime::notifier::Notifier;
use depesch::store::Store;

use crate::support::clock_jumps::Jumps;
use crate::support::mailings::{mailing, minute, put, store};

async fn problems(store: &Store, clock: Arc<dyn Clock>) -> Vec<String> {
    Observer::new(store.clone(), clock).health(std::time::Duration::ZERO).await.unwrap().problems()
}

async fn house() -> (Store, Arc<FakeClock>, Jumps) {
    let (store, clock) = (store(), FakeClock::at(minute(0)));
    let clock_jumps = Jumps::over(&store, &clock).await;
    clock_jumps.pass(Duration::minutes(1)).await;
    (store, clock, clock_jumps)
}

#[tokio::test]
async fn a_jump_is_reported_for_an_hour_and_a_forward_one_while_it_is_in_doubt() {
    let (store, clock, clock_jumps) = house().await;
    let told = async || problems(&store, Arc::new(clock.clone())).await;
    assert_eq!(told().await, [""; 0]);
    clock_jumps.jump(-7200, true).await;
    let back =
        "the clock was set back by 7200 s, from 2026-11-21 09:01:00 to 2026-11-21 07:01:00 UTC: check the time service";
    assert_eq!(told().await, [back]);
    clock_jumps.pass(Duration::minutes(59)).await;
    assert_eq!(told().await.len(), 1);
    clock_jumps.pass(Duration::minutes(2)).await;
    assert_eq!(told().await, [""; 0]);

    let (store, clock, clock_jumps) = house().await;
    let told = async || problems(&store, Arc::new(clock.clone())).await;
    clock_jumps.jump(7200, true).await;
    clock_jumps.pass(Duration::hours(19)).await;
    assert!(told().await.iter().any(|said| said.starts_with("the clock was set forward by 7200 s, from ")));
    clock_jumps.pass(Duration::hours(2)).await;
    assert_eq!(told().await, [""; 0]);
}

#[tokio::test]
async fn what_is_not_deleted_and_which_mailing_waits_is_told_with_the_time() {
    let (store, clock, clock_jumps) = house().await;
    put(&store, &mailing(1, MissedPolicy::Expire)).await;
    clock_jumps.note().await;
    clock_jumps.jump(86_400, true).await;
    let told = problems(&store, Arc::new(clock.clone())).await;
    let until = |at: Timestamp| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let deletes = format!("until {} nothing is deleted by age", until(clock.now() + Duration::hours(20)));
    assert!(told.iter().any(|said| said.contains(&deletes)), "{told:?}");
    let waits = format!("mailing m1 waits until {}, because", until(minute(60) + Duration::days(1)));
    assert!(told.iter().any(|said| said.starts_with(&waits)), "{told:?}");
    clock_jumps.jump(-86_400, true).await;
    let told = problems(&store, Arc::new(clock.clone())).await;
    assert!(told.len() == 1 && told[0].starts_with("the clock was set back by 86400 s"), "{told:?}");
}

#[tokio::test]
async fn a_test_clock_is_reported_with_its_remedy() {
    fn sleep(_: std::time::Duration) -> Wait {
        Box::pin(std::future::pending())
    }
    let store = store();
    let clock = SystemClock::new(sleep).moved(|| TimeDelta::seconds(-90));
    Scheduler::new(store.clone(), Arc::new(clock.clone()), Notifier::new()).tick().await.unwrap();
    let told = problems(&store, Arc::new(clock)).await;
    let said = "DEPESCH_TEST_CLOCK is set, and moves the clock by -90 s: remove it unless this is a test";
    assert_eq!(told, [said]);
    assert!(problems(&store, Arc::new(SystemClock::new(sleep))).await.is_empty());
}
