//! One decision reads the clock once: work that becomes due meanwhile is found by the next one, immediately.

use chrono::Duration;
use depesch::base::id::MailingId;
use depesch::model::ledger::{DeliveryState, Stage as At};
use depesch::model::mailing::UncertainPolicy;
use depesch::model::notice::NoticeState;
use depesch::model::reply::Reply;
use depesch::transport::Outcome;

use crate::support::notices::World;
use crate::support::office::Office;

fn later() -> Outcome {
    Outcome::Refused { stage: At::Recipient, reply: Reply::new(451, "4.7.1 greylisted") }
}

/// Everything that waits has seen the clock.
async fn settle() {
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
}

async fn due(office: &Office, id: MailingId) -> depesch::base::clock::Timestamp {
    match office.outcomes(id).await["grey"].state {
        DeliveryState::Deferred { until, .. } => until,
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_delivery_that_falls_due_between_two_readings_is_sent() {
    // For any number of readings before the one that sees it due.
    for readings in 1..=6 {
        let office = Office::new();
        office.subscriber("grey").await;
        office.relay.answer("grey", [later()]);
        let id = office.mailing(UncertainPolicy::Resend).await;
        let _dispatcher = office.dispatcher().await.unwrap();
        office.until(|| async { office.tally(id).await.deferred == 1 }).await;
        settle().await;
        let due = due(&office, id).await;
        // Each reading lets 10 ms pass: the delivery falls due after this many.
        office.clock.set(due - Duration::milliseconds(10 * readings - 5));
        office.clock.step_at_each_reading(Duration::milliseconds(10));
        office.notifier.notify();
        settle().await;
        office.clock.step_at_each_reading(Duration::zero());
        office.clock.set(office.clock.now().max(due + Duration::milliseconds(1)));
        settle().await;
        assert_eq!(office.relay.given().len(), 2, "it was due after {readings} readings, and nothing woke the feeder");
    }
}

#[tokio::test]
async fn a_notice_that_falls_due_between_two_readings_is_sent() {
    for readings in 1..=6 {
        let world = World::new();
        world.relay.answer("grey", [later()]);
        let notice_worker = world.notice_worker();
        let id = world.greet("grey").await;
        world.until(|| async { world.notice(id).await.cause().is_some() }).await;
        settle().await;
        let NoticeState::Waiting { due, .. } = world.notice(id).await.state else { panic!("it is not put off") };
        world.clock.set(due - Duration::milliseconds(10 * readings - 5));
        world.clock.step_at_each_reading(Duration::milliseconds(10));
        world.notices.notify();
        settle().await;
        world.clock.step_at_each_reading(Duration::zero());
        world.clock.set(world.clock.now().max(due + Duration::milliseconds(1)));
        settle().await;
        assert_eq!(world.relay.given().len(), 2, "it was due after {readings} readings");
        notice_worker.drain().await;
    }
}
