//! Queueing: all errors are found first, the audience is counted, and a repetition queues nothing.

use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::base::id::{MailingId, ReleaseId};
use depesch::composition::release::record_of;
use depesch::mailings::queue::{Once, Order, QueueError, Queued, check, queue};
use depesch::mailings::schedule::Scheduler;
use depesch::model::mailing::{AudienceQuery, MailingContent, MissedPolicy, Schedule, UncertainPolicy};
use depesch::model::present::Present;
use depesch::privacy::retention::forget_keys;
use depesch::render::source::{SourceSettings, parse};
use depesch::runtime::notifier::Notifier;
use depesch::store::for_tests::engine as engine_of;
use depesch::store::{Store, StoreError};

use crate::support::failing::{FailingCommits, Failure};
use crate::support::mailings::{list, minute, operator, put_sent, put_subscriber, store};
use crate::support::people::all_mailings;
use crate::support::wanting::Wanting;

/// Release 1, the lists media and board (which demands approval), subscribers 1 to 10 on media, 10 on board.
async fn house() -> Store {
    let store = store();
    let source = include_str!("../../../docs/samples/inbjudan-riksmote.md");
    let settings = SourceSettings::default();
    let draft = parse(source, &settings).draft.unwrap();
    let record = record_of(source, &draft, &Default::default(), Default::default(), &settings, (minute(0), "anna"));
    store.add_release(record).await.unwrap();
    store.create_list(&list("media")).await.unwrap();
    let mut board = list("board");
    board.approval = true;
    store.create_list(&board).await.unwrap();
    for id in 1..=10 {
        put_subscriber(&store, id, if id == 10 { &["media", "board"] } else { &["media"] }, |s| {
            if id % 2 == 0 {
                s.attributes.insert("title".into(), "Dr".into());
                s.beats.insert("health".into());
            }
        })
        .await;
    }
    store
}

fn order(lists: &[&str]) -> Order {
    Order {
        content: MailingContent::Release(ReleaseId(1)),
        audience: AudienceQuery {
            lists: lists.iter().map(|name| name.parse().unwrap()).collect(),
            ..AudienceQuery::default()
        },
        schedule: Schedule {
            at: minute(60),
            zone: "Europe/Stockholm".into(),
            missed: MissedPolicy::Ask,
            grace_seconds: 600,
        },
        uncertain: UncertainPolicy::Resend,
        by: operator("anna"),
        undo_seconds: 0,
        again: true,
    }
}

async fn queued(store: &Store, order: &Order, once: Option<&Once>) -> Result<Queued, QueueError> {
    queue(store, &Wanting::default(), minute(0), order, once).await
}

fn once(key: &str, request: u8) -> Once {
    Once { key: key.into(), request: [request; 32] }
}

async fn count(store: &Store) -> usize {
    all_mailings(store).await.len()
}

#[tokio::test]
async fn the_audience_is_counted_and_the_mailing_waits_for_its_time() {
    let store = house().await;
    let all = queued(&store, &order(&["media"]), None).await.unwrap();
    assert_eq!(all.checked.unwrap().audience, 10);
    assert_eq!(all.mailing.stage.word(), "scheduled");
    assert_eq!(store.mailing(all.mailing.id).await.unwrap().unwrap().value, all.mailing);
    let mut some = order(&["media", "board"]);
    some.audience.beats = ["health".to_owned()].into();
    let some = queued(&store, &some, None).await.unwrap();
    assert_eq!(some.checked.unwrap().audience, 5);
    assert!(some.mailing.approval_required);
}

#[tokio::test]
async fn a_field_that_readers_lack_is_an_error_now() {
    let store = house().await;
    let wanting = Wanting { wants: vec!["title"], ..Wanting::default() };
    let refused = queue(&store, &wanting, minute(0), &order(&["media"]), None).await.unwrap_err();
    let words = refused.to_string();
    assert!(words.contains("for 5 of the audience") && words.contains("the field title is missing (such as s1)"));
    assert_eq!(count(&store).await, 0);
    let mut with_title = order(&["media"]);
    with_title.audience.beats = ["health".to_owned()].into();
    assert!(queue(&store, &wanting, minute(0), &with_title, None).await.is_ok(), "they all have it");
}

#[tokio::test]
async fn what_is_not_there_or_past_is_refused_and_nothing_is_queued() {
    let store = house().await;
    let changed = |change: fn(&mut Order)| {
        let mut order = order(&["media"]);
        change(&mut order);
        order
    };
    let refused = |order| async move { queued(&house().await, &order, None).await.unwrap_err() };
    assert!(matches!(refused(order(&[])).await, QueueError::NoLists));
    assert!(
        matches!(refused(order(&["media", "nobody"])).await, QueueError::NoList(name) if name.as_str() == "nobody")
    );
    assert!(matches!(
        refused(changed(|o| o.content = MailingContent::Release(ReleaseId(9)))).await,
        QueueError::NoRelease(_)
    ));
    assert!(matches!(refused(changed(|o| o.schedule.at = minute(-5))).await, QueueError::Past(_)));
    let reached = changed(|o| o.audience.reached_by = Some(MailingId(4)));
    assert!(matches!(refused(reached).await, QueueError::NotReached { .. }));
    let unsent =
        Order { audience: AudienceQuery { reached_by: Some(MailingId(4)), ..Default::default() }, ..order(&["media"]) };
    assert!(matches!(refused(unsent).await, QueueError::NotReached { .. }));
    let empty = changed(|o| {
        o.audience.regions = ["atlantis".to_owned()].into();
        o.schedule.at = minute(0);
    });
    assert!(matches!(refused(empty.clone()).await, QueueError::EmptyAudience));
    let later = Order { schedule: Schedule { at: minute(60), ..empty.schedule.clone() }, ..empty };
    let checked = check(&store, &Wanting::default(), minute(0), &later).await.unwrap();
    assert_eq!((checked.audience, checked.warnings.len()), (0, 1));
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn an_earlier_mailing_alone_names_the_audience() {
    let store = house().await;
    put_sent(&store, 40, ReleaseId(1), &[true, false, true]).await;
    let audience = AudienceQuery { reached_by: Some(MailingId(40)), ..AudienceQuery::default() };
    let checked = queued(&store, &Order { audience, ..order(&["media"]) }, None).await.unwrap().checked.unwrap();
    assert_eq!(checked.audience, 2);
    assert_eq!(checked.mailing.audience.lists, ["media".parse().unwrap()].into());
}

#[tokio::test]
async fn the_same_key_queues_once() {
    let store = house().await;
    let first = queued(&store, &order(&["media"]), Some(&once("k1", 1))).await.unwrap();
    let again = queued(&store, &order(&["media"]), Some(&once("k1", 1))).await.unwrap();
    assert_eq!((again.mailing.id, again.checked.is_none()), (first.mailing.id, true));
    let other = queued(&store, &order(&["board"]), Some(&once("k1", 2))).await.unwrap_err();
    assert!(matches!(other, QueueError::OtherOrder(id) if id == first.mailing.id));
    assert_eq!(count(&store).await, 1);
    queued(&store, &order(&["media"]), Some(&once("k2", 1))).await.unwrap();
    assert_eq!(count(&store).await, 2);
}

#[tokio::test]
async fn a_key_is_forgotten_after_thirty_days_and_not_before() {
    let store = house().await;
    queued(&store, &order(&["media"]), Some(&once("k", 1))).await.unwrap();
    let day = |days: i64| minute(days * 24 * 60);
    assert_eq!(forget_keys(&store, &Present::at(day(30))).await.unwrap(), 0);
    assert_eq!(forget_keys(&store, &Present::at(day(31))).await.unwrap(), 1);
    assert!(store.answered("k").await.unwrap().is_none());
}

#[tokio::test]
async fn a_lost_answer_and_a_repetition_queue_once() {
    for failure in [Failure::Before, Failure::After] {
        // The first commit takes the mailing's number, the second queues.
        for at in 0..2 {
            let steady = house().await;
            let failing = Store::new(FailingCommits::new(engine_of(&steady), at, failure));
            let first = queued(&failing, &order(&["media"]), Some(&once("k", 1))).await;
            assert!(matches!(first, Err(QueueError::Store(_))));
            queued(&steady, &order(&["media"]), Some(&once("k", 1))).await.unwrap();
            assert_eq!(count(&steady).await, 1, "{failure:?} {at}");
        }
    }
}

#[tokio::test]
async fn what_changed_since_its_approval_waits_for_another() {
    let store = house().await;
    let (messages, clock) = (Wanting::default(), FakeClock::at(minute(0)));
    let id = queue(&store, &messages, minute(0), &order(&["board"]), None).await.unwrap().mailing.id;
    let approve = || async {
        let approve = |m: &mut depesch::model::mailing::Mailing, _: &mut _| {
            m.approve(&operator("bo"), minute(1), None).map_err(|e| panic!("{e}"))
        };
        store.update_mailing::<StoreError>(id, approve).await.unwrap();
    };
    approve().await;
    let scheduler = Scheduler::new(store.clone(), Arc::new(clock.clone()), Notifier::new());
    let scheduler = scheduler.checking(Arc::new(messages.clone()));
    *messages.content.lock().unwrap() = "another template".into();
    clock.set(minute(60));
    assert!(scheduler.tick().await.unwrap().begun.is_empty());
    assert!(!store.mailing(id).await.unwrap().unwrap().value.is_approved());
    approve().await;
    assert_eq!(scheduler.tick().await.unwrap().begun, [id]);
}
