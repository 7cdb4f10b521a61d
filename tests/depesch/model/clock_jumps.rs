//! A clock that jumps in either direction and is corrected: all work continues within a bounded time, nothing is given
//! up because of a wrong clock alone, and nothing is sent before its time.

use chrono::Duration;
use depesch::base::clock::{FakeClock, Timestamp};
use depesch::base::id::MailingId;
use depesch::mailings::schedule::Scheduler;
use depesch::model::ledger::Stage as At;
use depesch::model::mailing::{MissedPolicy, Stage, UncertainPolicy};
use depesch::model::reply::Reply;
use depesch::runtime::notifier::Notifier;
use depesch::transport::Outcome;
use proptest::prelude::*;

use crate::support::mailings::{mailing, minute, put, store};
use crate::support::notices::World;
use crate::support::office::Office;

fn later() -> Outcome {
    Outcome::Refused { stage: At::Recipient, reply: Reply::new(451, "4.7.1 greylisted") }
}

async fn settle() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

/// Jumps in seconds, from some seconds to ten years, in both directions.
fn jump() -> impl Strategy<Value = i64> {
    let size = prop_oneof![3i64..100, 600i64..90_000, 2_592_000i64..316_000_000];
    (size, any::<bool>()).prop_map(|(size, back)| if back { -size } else { size })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A delivery deferred while the clock is wrong, on a daemon that keeps running or is restarted.
async fn deliveries(by: i64, restarts: bool, back_after: i64) {
    let office = Office::new();
    office.subscriber("grey").await;
    office.subscriber("slow").await;
    office.relay.answer("grey", [later()]);
    office.relay.answer("slow", [later(), later()]);
    let id = office.mailing(UncertainPolicy::Resend).await;
    let mut dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { office.tally(id).await.deferred == 2 }).await;
    office.clock.jump(Duration::seconds(by));
    office.notifier.notify();
    settle().await;
    office.clock.advance(Duration::seconds(back_after));
    settle().await;
    office.clock.jump(Duration::seconds(-by));
    if restarts {
        dispatcher.drain().await;
        dispatcher = office.dispatcher().await.unwrap();
    }
    // By the retry table: 15 minutes for the second attempt, 30 for the third, and 5 until all chunks are checked.
    for _ in 0..2 * 50 {
        office.clock.advance(Duration::seconds(30));
        settle().await;
    }
    assert!(
        matches!(office.stage(id).await, Stage::Finished { .. }),
        "{by} s, {restarts}: {:?}",
        office.outcomes(id).await
    );
    assert_eq!(office.tally(id).await.accepted, 2);
    dispatcher.drain().await;
}

/// A notice, likewise.
async fn notices(by: i64, restarts: bool, back_after: i64) {
    let world = World::new();
    world.relay.answer("grey", [later(), later()]);
    let mut notice_worker = world.notice_worker();
    let id = world.greet("grey").await;
    world.until(|| async { world.notice(id).await.cause().is_some() }).await;
    world.clock.jump(Duration::seconds(by));
    world.notices.notify();
    settle().await;
    world.clock.advance(Duration::seconds(back_after));
    settle().await;
    world.clock.jump(Duration::seconds(-by));
    if restarts {
        notice_worker.drain().await;
        notice_worker = world.notice_worker();
    }
    for _ in 0..2 * 50 {
        world.clock.advance(Duration::seconds(30));
        settle().await;
    }
    assert_eq!(world.notice(id).await.state.word(), "accepted", "{by} s, {restarts}");
    notice_worker.drain().await;
}

async fn begun_at(store: &depesch::store::Store) -> Option<Timestamp> {
    match store.mailing(MailingId(1)).await.unwrap().unwrap().value.stage {
        Stage::Freezing { since, .. } => Some(since),
        _ => None,
    }
}

/// A mailing for `minute(60)`: it never begins before an hour has really passed, and begins soon after, once the clock
/// is right. Returns the minute of real time at which it began.
async fn schedule(jumps: &[(i64, i64)], restarts: bool) -> i64 {
    let (store, clock) = (store(), FakeClock::at(minute(0)));
    put(&store, &mailing(1, MissedPolicy::Expire)).await;
    let begin = || Scheduler::new(store.clone(), std::sync::Arc::new(clock.clone()), Notifier::new());
    let mut scheduler = begin();
    let (mut off, mut real) = (0, 0);
    scheduler.tick().await.unwrap();
    // One check each minute.
    while begun_at(&store).await.is_none() && real < 300 {
        if let Some((_, by)) = jumps.iter().find(|(at, _)| *at == real) {
            clock.jump(Duration::seconds(*by));
            off += by;
            if restarts {
                // The jump was seen before the stop; one while the daemon is down cannot be told from a long downtime.
                scheduler.tick().await.unwrap();
                scheduler = begin();
            }
        }
        scheduler.tick().await.unwrap();
        if begun_at(&store).await.is_some() {
            break;
        }
        let stage = store.mailing(MailingId(1)).await.unwrap().unwrap().value.stage;
        assert_eq!(stage, Stage::Scheduled, "{jumps:?} {restarts} off by {off} s in minute {real}");
        clock.advance(Duration::minutes(1));
        real += 1;
    }
    real
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn deferred_mail_is_sent_soon_after_the_clock_is_right(by in jump(), restarts: bool, after in 1..4000i64) {
        run(async {
            deliveries(by, restarts, after).await;
            notices(by, restarts, after).await;
        });
    }

    #[test]
    fn no_mailing_begins_early_and_each_begins_when_the_clock_is_right(by in jump(), at in 1..55i64, back in 1..30i64, restarts: bool) {
        // The clock is set right in time: the mailing begins at its minute.
        let began = run(schedule(&[(at, by), (at + back.min(58 - at), -by)], restarts));
        // A clock that is off by up to a minute is trusted.
        let early = if (1..=60).contains(&by) { 1 } else { 0 };
        prop_assert!((60 - early..=61).contains(&began), "{began}");
        // Never set right: still not early.
        if by > 60 {
            let began = run(schedule(&[(at, by)], restarts));
            prop_assert!((60..=61).contains(&began), "{began}");
        }
    }
}

#[test]
fn a_clock_ten_years_ahead_fails_no_deferred_delivery() {
    run(async {
        let office = Office::new();
        office.subscribers(5).await;
        for number in 0..5 {
            office.relay.answer(&format!("p{number}"), std::iter::repeat_n(later(), 3));
        }
        let id = office.mailing(UncertainPolicy::Resend).await;
        let dispatcher = office.dispatcher().await.unwrap();
        office.until(|| async { office.tally(id).await.deferred == 5 }).await;
        office.clock.jump(Duration::days(3652));
        for _ in 0..200 {
            office.clock.advance(Duration::minutes(1));
            settle().await;
            assert_eq!(office.tally(id).await.failed, 0);
        }
        assert_eq!(office.tally(id).await.accepted, 5);
        dispatcher.drain().await;
    });
}

#[test]
fn a_relay_lost_while_the_clock_was_ahead_is_retried_when_it_is_right() {
    run(async {
        let office = Office::new();
        office.subscriber("karin").await;
        office.clock.jump(Duration::days(3652));
        let lost = || depesch::transport::ConnectError::Unreachable("connection refused".into());
        office.relay.connects.lock().unwrap().extend([lost(), lost(), lost()]);
        let id = office.mailing(UncertainPolicy::Resend).await;
        let dispatcher = office.dispatcher().await.unwrap();
        office.until(|| async { dispatcher.trouble().is_some() }).await;
        office.clock.jump(-Duration::days(3652));
        for _ in 0..30 {
            office.clock.advance(Duration::seconds(1));
            settle().await;
        }
        office.until_finished(id).await;
        dispatcher.drain().await;
    });
}
