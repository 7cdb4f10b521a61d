//! A restored store sends nothing by itself, and people who have since left or been suppressed or erased stay out.

use depesch::base::id::{MailingId, SubscriberId};
use depesch::model::inbound::InboundState;
use depesch::model::ledger::{Delivery, DeliveryState};
use depesch::model::mailing::{MissedPolicy, PauseReason, Stage, UncertainPolicy};
use depesch::model::notice::{Notice, NoticeBody, NoticeState};
use depesch::model::subscriber::SubscriptionState;
use depesch::model::suppression::SuppressionReason;
use depesch::operations::restore::{Restoration, rehearse};
use depesch::store::Store;
use depesch::store::backup::point::Wanted;
use depesch::store::backup::unwatched;
use depesch::store::engine::Batch;
use depesch::store::ledger::put_delivery;
use depesch::store::{inbound, notices};
use depesch::subscribers::profile::{SubscriberService, SubscriptionChange};

use crate::support::mailings::{list, mailing, minute, put, put_frozen, put_subscriber};
use crate::support::notices::inbound as message;
use crate::support::site::{Site, open};

fn waiting_notice() -> Notice {
    Notice {
        id: depesch::base::id::NoticeId(1),
        sender: None,
        recipient: "karin@example.org".parse().unwrap(),
        body: NoticeBody::Kept,
        about: "confirmation".into(),
        created: minute(0),
        opened: minute(0),
        attempts: 0,
        resent: 0,
        state: NoticeState::Waiting { due: minute(0), cause: None },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_sends_nothing_automatically() {
    let site = Site::new();
    let store = site.store();
    for id in 1..=4 {
        put_subscriber(&store, id, &["media"], |_| {}).await;
    }
    put(&store, &mailing(1, MissedPolicy::Send)).await;
    put_frozen(&store, 2, 4).await;
    let mut over = mailing(3, MissedPolicy::Send);
    over.stage = Stage::Cancelled { frozen: None, at: minute(1), by: "anna".into() };
    put(&store, &over).await;
    let row = store.chunk_rows(MailingId(2), 0).await.unwrap().remove(0);
    let mut batch = Batch::new();
    let in_doubt = Delivery { state: DeliveryState::InDoubt { since: minute(1) }, attempts: 1, resent: 0 };
    put_delivery(&mut batch, MailingId(2), &row, &in_doubt);
    notices::put_new(&mut batch, &waiting_notice(), Some(b"Subject: x\r\n\r\n"));
    let place = site.mail("Subject: to the list\r\n\r\n").await;
    let came = message(None, place);
    inbound::put_new(&mut batch, &came);
    store.commit(batch).await.unwrap();
    let given = store.allocate("mailing", 3).await.unwrap();
    site.back_up().await;

    let (target, restored) = site.restore(Wanted::Backup(None)).await.unwrap();
    assert_eq!(restored.held.mailings, [MailingId(1), MailingId(2)]);
    assert_eq!((restored.held.notices, restored.held.inbound), (1, 1));
    let store = Store::new(open(&target, &site.clock));
    for id in [1, 2] {
        let held = store.mailing(MailingId(id)).await.unwrap().unwrap().value;
        let Some(PauseReason::Broken { what }) = held.pause.map(|pause| pause.reason) else { panic!("not paused") };
        assert!(what.contains("2026-11-21 09:00:00 UTC"), "{what}");
        assert_eq!(held.uncertain, UncertainPolicy::Hold);
    }
    assert_eq!(store.mailing(MailingId(3)).await.unwrap().unwrap().value, over);
    let notice = store.notices(None, 10).await.unwrap().remove(0).value;
    assert!(matches!(notice.state, NoticeState::Failed { .. }));
    assert!(notice.reopen(minute(99)).is_some(), "a person can send it all the same");
    let laid_aside = store.inbound(came.id).await.unwrap().unwrap().value;
    assert!(matches!(laid_aside.state, InboundState::Stuck { .. }));
    // A number allocated after the backup must never be allocated again: mail that was sent contains it.
    assert!(store.allocate("mailing", 1).await.unwrap() > given + 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_left_since_the_backup_stay_away() {
    let site = Site::new();
    let store = site.store();
    let mut batch = Batch::new();
    depesch::store::lists::put_new(&mut batch, &list("media"));
    store.commit(batch).await.unwrap();
    for id in 1..=6 {
        put_subscriber(&store, id, &["media"], |_| {}).await;
    }
    let key = store.installation_key().await.unwrap();
    let first = site.back_up().await;
    let service = SubscriberService { store: store.clone(), key: key.clone(), at: minute(10), who: "anna".into() };
    let media = "media".parse().unwrap();
    service.change_subscription(SubscriberId(1), &media, SubscriptionChange::Unsubscribe, "").await.unwrap();
    service.change_subscription(SubscriberId(2), &media, SubscriptionChange::Pause, "").await.unwrap();
    service.erase("s3", None).await.unwrap();
    service.suppress(&"reader4@example.com".parse().unwrap(), SuppressionReason::Complaint, "spam").await.unwrap();
    put_subscriber(&store, 7, &["media"], |_| {}).await;
    site.clock.set(minute(20));
    site.back_up().await;

    let wanted = Wanted::Backup(Some(first.id));
    let (target, restored) = site.restore(wanted.clone()).await.unwrap();
    let (_, done) = restored.later.unwrap();
    assert_eq!((done.left, done.erased, done.suppressed), (2, 1, 2));
    let restored = Store::new(open(&target, &site.clock));
    let state = async |store: &Store, id| {
        let found = store.subscriber(SubscriberId(id)).await.unwrap();
        found.and_then(|found| found.value.state_on(&media))
    };
    let mut states = Vec::new();
    for id in 1..=7 {
        states.push(state(&restored, id).await);
    }
    use SubscriptionState::{Active, Ended, Paused};
    assert_eq!(states, [Some(Ended), Some(Paused), None, Some(Active), Some(Active), Some(Active), None]);
    let kept = restored.subscriber(SubscriberId(1)).await.unwrap().unwrap().value;
    let before = store.subscriber(SubscriberId(1)).await.unwrap().unwrap().value;
    assert_eq!(kept.subscriptions, before.subscriptions, "with the evidence");
    for (address, reason) in [("reader3", SuppressionReason::Erased), ("reader4", SuppressionReason::Complaint)] {
        let hash = key.hash_address(&format!("{address}@example.com").parse().unwrap());
        assert_eq!(restored.suppression(&hash).await.unwrap().unwrap().value.reason, reason);
    }

    // If the later backup cannot be read, no subscriber is restored without asking.
    let manifests = std::fs::read_dir(site.repository().join("backups")).unwrap();
    let newest = manifests.map(|entry| entry.unwrap().path()).max().unwrap();
    std::fs::write(&newest, b"damaged").unwrap();
    let refused = site.restore(wanted.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("--without-later"), "{refused}");
    let pending = Restoration { wanted: wanted.clone(), later: false, ..site.restoration(&target) };
    assert!(rehearse(&pending, std::sync::Arc::new(unwatched)).await.unwrap().later.is_none());
    // With --partial, it reports what is unknown.
    let (_, restored) = site.restore_partly(wanted).await.unwrap();
    assert_eq!(restored.unread.iter().map(|fault| fault.path.clone()).collect::<Vec<_>>(), [newest]);
}
