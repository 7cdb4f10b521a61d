//! "Send now" waits for the time in which it can be undone.

use std::sync::Arc;

use chrono::Duration;
use depesch::base::clock::FakeClock;
use depesch::base::id::ReleaseId;
use depesch::composition::release::record_of;
use depesch::mailings::edit::{EditOrder, edit};
use depesch::mailings::queue::{Order, queue};
use depesch::mailings::schedule::Scheduler;
use depesch::model::mailing::{AudienceQuery, Mailing, MailingContent, MissedPolicy, Schedule, UncertainPolicy};
use depesch::render::source::{SourceSettings, parse};
use depesch::runtime::notifier::Notifier;
use depesch::store::{Store, StoreError};

use crate::support::mailings::{list, minute, operator, put_subscriber, store};
use crate::support::wanting::Wanting;

async fn house() -> Store {
    let store = store();
    for source in ["Örebro", "Västerås"] {
        let source = include_str!("../../../docs/samples/inbjudan-riksmote.md").replace("Örebro", source);
        let settings = SourceSettings::default();
        let draft = parse(&source, &settings).draft.unwrap();
        let made = (minute(0), "anna");
        let record = record_of(&source, &draft, &Default::default(), Default::default(), &settings, made);
        store.add_release(record).await.unwrap();
    }
    store.create_list(&list("media")).await.unwrap();
    put_subscriber(&store, 1, &["media"], |_| {}).await;
    store
}

/// Queued at `minute(0)` to be sent at once.
async fn queued(store: &Store) -> Mailing {
    let order = Order {
        content: MailingContent::Release(ReleaseId(1)),
        audience: AudienceQuery { lists: ["media".parse().unwrap()].into(), ..AudienceQuery::default() },
        schedule: Schedule { at: minute(0), zone: "UTC".into(), missed: MissedPolicy::Ask, grace_seconds: 600 },
        uncertain: UncertainPolicy::Resend,
        by: operator("anna"),
        undo_seconds: 60,
        again: false,
    };
    queue(store, &Wanting::default(), minute(0), &order, None).await.unwrap().mailing
}

#[tokio::test]
async fn nothing_begins_before_and_it_begins_then() {
    let (store, clock) = (house().await, FakeClock::at(minute(0)));
    let mailing = queued(&store).await;
    assert_eq!(mailing.schedule.at, minute(1));
    let scheduler = Scheduler::new(store, Arc::new(clock.clone()), Notifier::new());
    for seconds in [0, 59] {
        clock.set(minute(0) + Duration::seconds(seconds));
        let tick = scheduler.tick().await.unwrap();
        assert_eq!((tick.begun, tick.next), (vec![], Some(minute(1))), "{seconds}");
    }
    clock.set(minute(1));
    assert_eq!(scheduler.tick().await.unwrap().begun, [mailing.id]);
}

#[tokio::test]
async fn an_edit_begins_it_again() {
    let (store, clock) = (house().await, FakeClock::at(minute(0)));
    let id = queued(&store).await.id;
    let at = minute(0) + Duration::seconds(40);
    let order = EditOrder { release: ReleaseId(2), by: operator("anna"), again: false };
    let edited = edit(&store, &Wanting::default(), at, id, &order).await.unwrap();
    assert_eq!(edited.mailing.schedule.at, at + Duration::seconds(60));
    clock.set(minute(1));
    let scheduler = Scheduler::new(store, Arc::new(clock.clone()), Notifier::new());
    assert!(scheduler.tick().await.unwrap().begun.is_empty());
}

#[tokio::test]
async fn a_clock_that_was_set_back_is_not_waited_for() {
    let (store, clock) = (house().await, FakeClock::at(minute(-60 * 24 * 400)));
    let id = queued(&store).await.id;
    let scheduler = Scheduler::new(store, Arc::new(clock), Notifier::new());
    assert_eq!(scheduler.tick().await.unwrap().begun, [id]);
}

#[tokio::test]
async fn one_with_a_time_of_its_own_keeps_it_when_edited() {
    let store = house().await;
    let queued = queued(&store).await;
    let later = Schedule { at: minute(600), ..queued.schedule };
    let moves = |mailing: &mut Mailing, _: &mut _| {
        mailing.reschedule(later.clone()).unwrap();
        Ok::<_, StoreError>(())
    };
    store.update_mailing(queued.id, moves).await.unwrap();
    let order = EditOrder { release: ReleaseId(2), by: operator("anna"), again: false };
    let edited = edit(&store, &Wanting::default(), minute(2), queued.id, &order).await.unwrap();
    assert_eq!(edited.mailing.schedule.at, minute(600));
}
