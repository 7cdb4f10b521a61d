//! Mailings begin at their time, once, also across restarts; a missed time follows the mailing's policy (invariant 11).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::base::id::MailingId;
use depesch::composition::message::{MessageSource, PrepareError, PreparedMailing};
use depesch::mailings::schedule::{Scheduler, Tick};
use depesch::model::mailing::{Mailing, MissedPolicy, PauseReason, Stage};
use depesch::runtime::notifier::Notifier;
use depesch::store::Store;
use depesch::store::memory::MemoryEngine;
use depesch::store::record::RecordError;

use crate::support::failing::{FailingCommits, Failure};
use crate::support::mailings::{mailing, minute, operator, put, store};

fn scheduler(store: &Store, clock: &Arc<FakeClock>) -> Scheduler {
    Scheduler::new(store.clone(), Arc::new(clock.clone()), Notifier::new())
}

async fn stage(store: &Store, id: u64) -> &'static str {
    let m = store.mailing(MailingId(id)).await.unwrap().unwrap().value;
    match m.pause {
        Some(pause) => pause.reason.word(),
        None => m.stage.word(),
    }
}

#[tokio::test]
async fn a_mailing_begins_at_its_time_and_once() {
    let (store, clock) = (store(), FakeClock::at(minute(0)));
    put(&store, &mailing(1, MissedPolicy::Send)).await;
    let scheduler = scheduler(&store, &clock);
    assert_eq!(scheduler.tick().await.unwrap(), Tick { next: Some(minute(60)), ..Tick::default() });
    clock.set(minute(60));
    assert_eq!(scheduler.tick().await.unwrap().begun, [MailingId(1)]);
    assert_eq!(stage(&store, 1).await, "freezing");
    assert_eq!(scheduler.tick().await.unwrap(), Tick::default());
}

#[tokio::test]
async fn a_missed_time_follows_the_policy() {
    let (store, clock) = (store(), FakeClock::at(minute(75)));
    for (id, missed) in [(1, MissedPolicy::Send), (2, MissedPolicy::Ask), (3, MissedPolicy::Expire)] {
        put(&store, &mailing(id, missed)).await;
    }
    let tick = scheduler(&store, &clock).tick().await.unwrap();
    assert_eq!((tick.begun, tick.asked, tick.expired), (vec![MailingId(1)], vec![MailingId(2)], vec![MailingId(3)]));
    assert_eq!(stage(&store, 2).await, "missed");
    assert_eq!(stage(&store, 3).await, "expired");
}

#[tokio::test]
async fn within_its_grace_a_late_start_is_no_missed_time() {
    let (store, clock) = (store(), FakeClock::at(minute(69)));
    for (id, missed) in [(1, MissedPolicy::Ask), (2, MissedPolicy::Expire)] {
        put(&store, &mailing(id, missed)).await;
    }
    assert_eq!(scheduler(&store, &clock).tick().await.unwrap().begun.len(), 2);
}

#[tokio::test]
async fn what_is_paused_or_not_approved_waits() {
    let (store, clock) = (store(), FakeClock::at(minute(60)));
    let mut paused = mailing(1, MissedPolicy::Send);
    paused.hold(PauseReason::Person { by: "anna".into() }, minute(1)).unwrap();
    put(&store, &paused).await;
    let mut unapproved = mailing(2, MissedPolicy::Send);
    unapproved.approval_required = true;
    put(&store, &unapproved).await;
    let scheduler = scheduler(&store, &clock);
    assert_eq!(scheduler.tick().await.unwrap(), Tick::default());
    let approve = |m: &mut depesch::model::mailing::Mailing, _: &mut _| {
        m.approve(&operator("bo"), minute(61), None).map_err(|e| panic!("{e}"))
    };
    store.update_mailing::<depesch::store::StoreError>(MailingId(2), approve).await.unwrap();
    assert_eq!(scheduler.tick().await.unwrap().begun, [MailingId(2)]);
    assert_eq!(stage(&store, 1).await, "person");
}

#[tokio::test]
async fn a_restart_at_any_commit_begins_each_mailing_once() {
    for failure in [Failure::Before, Failure::After] {
        for at in 0..=4 {
            let engine = Arc::new(MemoryEngine::new());
            let steady = Store::new(engine.clone());
            for id in 1..=3 {
                put(&steady, &mailing(id, MissedPolicy::Send)).await;
            }
            let clock = FakeClock::at(minute(60));
            // The first commit is the note about the clock.
            let failing = Store::new(FailingCommits::new(engine, at + 1, failure));
            let first = scheduler(&failing, &clock).tick().await;
            assert_eq!(first.is_ok(), at >= 3, "{failure:?} at {at}");
            // The mailings' states from the first run are unchanged; the instant shows which run began them.
            clock.set(minute(61));
            scheduler(&steady, &clock).tick().await.unwrap();
            let begun_at_first = at.min(3) + usize::from(failure == Failure::After && at < 3);
            for id in 1..=3 {
                let expected = if id <= begun_at_first { minute(60) } else { minute(61) };
                let m = steady.mailing(MailingId(id as u64)).await.unwrap().unwrap().value;
                assert!(
                    matches!(m.stage, Stage::Freezing { since, .. } if since == expected),
                    "{failure:?} {at} {m:?}"
                );
            }
            assert!(scheduler(&steady, &clock).tick().await.unwrap().begun.is_empty());
        }
    }
}

#[tokio::test]
async fn the_loop_runs_at_the_time_and_at_a_change() {
    let (store, clock, notifier) = (store(), FakeClock::at(minute(0)), Notifier::new());
    put(&store, &mailing(1, MissedPolicy::Send)).await;
    let scheduler = Scheduler::new(store.clone(), Arc::new(clock.clone()), notifier.clone());
    let running = tokio::spawn(async move { scheduler.run(std::future::pending()).await });
    settle().await;
    assert_eq!(stage(&store, 1).await, "scheduled");
    clock.set(minute(60));
    settle().await;
    assert_eq!(stage(&store, 1).await, "freezing");
    put(&store, &mailing(2, MissedPolicy::Send)).await;
    notifier.notify();
    settle().await;
    assert_eq!(stage(&store, 2).await, "freezing");
    running.abort();
}

/// Lets the other tasks of this one-threaded runtime run until they wait.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Reports the release of mailing 1 as damaged.
struct Damaged;

impl MessageSource for Damaged {
    fn prepare<'a>(
        &'a self,
        mailing: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>> {
        let damage = RecordError::Damaged { family: "release", reason: "as the test wants it".into() };
        Box::pin(std::future::ready(Err(match mailing.id {
            MailingId(1) => PrepareError::Store(damage.into()),
            _ => PrepareError::Broken("for the dispatcher to say".into()),
        })))
    }
}

#[tokio::test]
async fn a_damaged_record_holds_back_its_own_mailing_and_no_other() {
    let (store, clock) = (store(), FakeClock::at(minute(60)));
    for id in [1, 2] {
        let mut approved = mailing(id, MissedPolicy::Send);
        approved.approval_required = true;
        approved.approve(&operator("bo"), minute(1), None).unwrap();
        put(&store, &approved).await;
    }
    let scheduler = scheduler(&store, &clock).checking(Arc::new(Damaged));
    assert_eq!(scheduler.tick().await.unwrap().begun, [MailingId(2)]);
    assert_eq!(stage(&store, 1).await, "broken");
}
