//! Clock jumps that are not seen as they happen: while the daemon is down, between two checks, or while a chunk is
//! being sent. They break no embargo and defer nothing for longer than the retry table.

use std::sync::Arc;

use chrono::Duration;
use depesch::base::clock::FakeClock;
use depesch::base::id::MailingId;
use depesch::mailings::schedule::Scheduler;
use depesch::model::ledger::Stage as At;
use depesch::model::mailing::{MissedPolicy, Schedule, Stage, UncertainPolicy};
use depesch::model::reply::Reply;
use depesch::runtime::notifier::Notifier;
use depesch::store::Store;
use depesch::transport::Outcome;

use crate::support::mailings::{mailing, minute, put, store};
use crate::support::office::Office;

fn scheduler(store: &Store, clock: &Arc<FakeClock>) -> Scheduler {
    Scheduler::new(store.clone(), Arc::new(clock.clone()), Notifier::new())
}

async fn begins(scheduler: &Scheduler) -> bool {
    !scheduler.tick().await.unwrap().begun.is_empty()
}

#[tokio::test]
async fn a_jump_while_the_daemon_is_down_makes_no_mailing_early() {
    for by in [Duration::minutes(61), Duration::days(1), Duration::days(3652)] {
        let (store, clock) = (store(), FakeClock::at(minute(0)));
        clock.count_from(Some([1; 16]));
        put(&store, &mailing(1, MissedPolicy::Expire)).await;
        assert!(!begins(&scheduler(&store, &clock)).await);
        clock.advance(Duration::minutes(5));
        clock.jump(by);
        assert!(!begins(&scheduler(&store, &clock)).await, "{by}");
        // Killed again before anything else was noted.
        clock.advance(Duration::minutes(54));
        let started = scheduler(&store, &clock);
        assert!(!begins(&started).await, "{by}: a minute is left");
        clock.advance(Duration::minutes(1));
        assert!(begins(&started).await, "{by}");
    }
}

#[tokio::test]
async fn a_clock_corrected_while_the_daemon_is_down_is_trusted() {
    let (store, clock) = (store(), FakeClock::at(minute(0)));
    clock.count_from(Some([1; 16]));
    put(&store, &mailing(1, MissedPolicy::Send)).await;
    let before = scheduler(&store, &clock);
    assert!(!begins(&before).await);
    clock.jump(Duration::days(3652));
    assert!(!begins(&before).await);
    clock.jump(-Duration::days(3652));
    clock.advance(Duration::minutes(60));
    assert!(begins(&scheduler(&store, &clock)).await);
    let trust = store.clock_trust().await.unwrap().unwrap();
    assert!(!trust.is_doubted(minute(60)) && trust.last.is_some());
}

#[tokio::test]
async fn what_is_queued_for_at_once_before_a_jump_is_seen_goes_out_at_once() {
    for by in [Duration::hours(1), Duration::days(3652)] {
        let (store, clock) = (store(), FakeClock::at(minute(0)));
        let scheduler = scheduler(&store, &clock);
        assert!(!begins(&scheduler).await);
        clock.jump(by);
        let now = clock.now();
        let mut at_once = mailing(1, MissedPolicy::Ask);
        at_once.schedule = Schedule { at: now, ..at_once.schedule };
        at_once.created = now;
        put(&store, &at_once).await;
        assert!(begins(&scheduler).await, "{by}");
        assert!(matches!(store.mailing(MailingId(1)).await.unwrap().unwrap().value.stage, Stage::Freezing { .. }));
    }
}

async fn settle() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_clock_corrected_while_a_chunk_is_sent_defers_nothing_in_it() {
    for by in [Duration::hours(1), Duration::days(3652)] {
        let mut office = Office::new();
        office.connections = 1;
        for name in ["grey", "slow"] {
            office.subscriber(name).await;
        }
        office
            .relay
            .answer("grey", [Outcome::Refused { stage: At::Recipient, reply: Reply::new(451, "4.7.1 greylisted") }]);
        office.clock.jump(by);
        // The clock is set right while the second delivery is being sent, and the jump is seen meanwhile.
        let (clock, notifier) = (office.clock.clone(), office.notifier.clone());
        *office.relay.witness.lock().unwrap() = Some(Box::new(move |name| {
            let (clock, notifier, is_slow) = (clock.clone(), notifier.clone(), name == "slow");
            Box::pin(async move {
                if is_slow {
                    clock.jump(-by);
                    notifier.notify();
                    settle().await;
                }
            })
        }));
        let id = office.mailing(UncertainPolicy::Resend).await;
        let dispatcher = office.dispatcher().await.unwrap();
        office.until(|| async { office.tally(id).await.accepted == 1 }).await;
        for _ in 0..20 {
            office.clock.advance(Duration::minutes(1));
            settle().await;
        }
        assert_eq!(office.tally(id).await.accepted, 2, "{by}: {:?}", office.outcomes(id).await);
        dispatcher.drain().await;
    }
}
