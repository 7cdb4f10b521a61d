//! The retention rules: old data is removed automatically and once; other data is kept; a dry run removes nothing.

use std::sync::Arc;
use std::time::Duration;

use depesch::base::address::Address;
use depesch::base::clock::FakeClock;
use depesch::base::id::{MailingId, PendingRequestId, ReleaseId, SubscriberId};
use depesch::model::consent::ConsentSource;
use depesch::model::ledger::{DeliveryState, Sequence};
use depesch::model::mailing::Stage;
use depesch::model::pending_request::{Action, PendingRequest, PendingState};
use depesch::model::rsvp::{Rsvp, RsvpAnswer, RsvpChange, RsvpPerson, RsvpSource};
use depesch::model::subscriber::SubscriptionState;
use depesch::model::suppression::SuppressionReason;
use depesch::privacy::retention::rules::{Periods, Ruled, Rules};
use depesch::store::blobs::Blobs;
use depesch::store::engine::{Batch, Commit, Key};
use depesch::store::for_tests::engine as engine_of;
use depesch::store::spool::{Spool, SpoolSettings};
use depesch::store::{Store, pending_requests, rsvps};

use crate::support::failing::{FailingCommits, Failure};
use crate::support::mailings::{accepted, failed, minute, put_frozen, put_subscriber, settle};
use crate::support::people::{everything, key, store};

const DAY: i64 = 24 * 60;

struct Office {
    rules: Rules,
    _directory: tempfile::TempDir,
}

/// Subscriber 1 has left all lists, 2 is on one, 3 never was on any; a mailing to 1 and 2 is finished; 2 answered an
/// invitation.
async fn office(store: Store, periods: Periods) -> Office {
    put_subscriber(&store, 1, &["media"], |subscriber| {
        let source = ConsentSource::Operator { who: "anna".to_owned() };
        let media = "media".parse().unwrap();
        subscriber.change(&media, SubscriptionState::Ended, minute(1), source, String::new()).unwrap();
    })
    .await;
    put_subscriber(&store, 2, &["media"], |_| {}).await;
    put_subscriber(&store, 3, &[], |_| {}).await;
    let mailing = put_frozen(&store, 1, 2).await;
    settle(&store, &mailing, vec![failed(550, "5.1.1 <reader1@example.com> unknown"), accepted()]).await;
    let over = |mailing: &mut depesch::model::mailing::Mailing, _: &mut Batch| {
        let frozen = mailing.frozen().unwrap();
        mailing.stage = Stage::Finished { frozen, at: minute(70) };
        Ok::<(), depesch::store::StoreError>(())
    };
    store.update_mailing(MailingId(1), over).await.unwrap();
    let change = RsvpChange {
        at: minute(DAY),
        answer: RsvpAnswer::Yes,
        source: RsvpSource::Operator { who: "anna".to_owned() },
        release: ReleaseId(1),
        comment: "tål inte nötter".to_owned(),
        why: String::new(),
        late: false,
    };
    let address: depesch::base::address::Address = "reader2@example.com".parse().unwrap();
    let (hash, person) = (key().hash_address(&address), RsvpPerson::default());
    let answer = Rsvp { event: ReleaseId(1), address, subscriber: None, person, changes: vec![change] };
    let mut batch = Batch::new();
    rsvps::put(&mut batch, &hash, None, &answer);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);

    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(FakeClock::at(minute(0)));
    let spool = Spool::open(&directory.path().join("spool"), SpoolSettings::default(), clock.clone()).unwrap();
    let blobs = Blobs::in_state_directory(directory.path());
    let (capture, store_directory) = (Some(directory.path().join("capture")), directory.path().join("store"));
    let rules =
        Rules { store, key: key(), clock, spool, blobs, capture, configured: Vec::new(), store_directory, periods };
    Office { rules, _directory: directory }
}

impl Office {
    async fn on_day(&self, day: i64, dry: bool) -> Vec<(&'static str, u64)> {
        let ruled = self.rules.apply(minute(day * DAY), dry).await.unwrap();
        ruled.into_iter().filter(|ruled| ruled.dropped > 0).map(|Ruled { rule, dropped, .. }| (rule, dropped)).collect()
    }
}

#[tokio::test]
async fn each_rule_drops_what_is_old_once_and_a_trial_drops_nothing() {
    let office = office(store().await, Periods::default()).await;
    let store = &office.rules.store;
    assert_eq!(office.on_day(90, false).await, []);
    assert_eq!(office.on_day(92, true).await, [("retention.answers", 1)]);
    assert_eq!(office.on_day(92, false).await, [("retention.answers", 1)]);
    let before = everything(store).await;
    let all = [("retention.former_subscribers", 1), ("retention.server_replies", 2)];
    assert_eq!(office.on_day(366, true).await, all);
    assert_eq!(everything(store).await, before);
    assert_eq!(office.on_day(366, false).await, all);
    assert_eq!(office.on_day(366, false).await, []);

    let left: Vec<_> = store.scan_subscribers(SubscriberId(0), 10).await.unwrap();
    assert_eq!(left.iter().map(|read| read.value.id.0).collect::<Vec<_>>(), [2, 3], "who was on no list has left none");
    let gone = key().hash_address(&"reader1@example.com".parse().unwrap());
    assert_eq!(store.suppression(&gone).await.unwrap().unwrap().value.reason, SuppressionReason::Erased);
    assert_eq!(store.open_erasures(10).await.unwrap().len(), 1, "the work on erasures goes on from there");
    // The outcome of each mail stays known for ever, as counts and codes.
    let mailing = store.mailing(MailingId(1)).await.unwrap().unwrap().value;
    let tally = store.tally(&mailing).await.unwrap();
    assert_eq!((tally.accepted, tally.failed), (1, 1));
    let (delivery, _) = store.delivery(MailingId(1), Sequence(0)).await.unwrap();
    assert!(matches!(delivery.state, DeliveryState::Failed { .. }));
    assert!(format!("{delivery:?}").contains("5.1.1 (erased)"));
}

#[tokio::test]
async fn never_is_never() {
    let never = Periods { former_subscribers: None, server_replies: None, answers: None, ..Periods::default() };
    let office = office(store().await, never).await;
    assert_eq!(office.on_day(9_000, false).await, []);
}

#[tokio::test]
async fn who_has_left_but_is_needed_stays() {
    let office = office(store().await, Periods { answers: None, ..Periods::default() }).await;
    let store = &office.rules.store;
    // They have all left their only list.
    for id in 11..=17 {
        put_subscriber(store, id, &["media"], |subscriber| {
            let source = ConsentSource::Operator { who: "anna".to_owned() };
            let media = "media".parse().unwrap();
            subscriber.change(&media, SubscriptionState::Ended, minute(1), source, String::new()).unwrap();
        })
        .await;
    }
    let address = |id: u64| format!("Reader{id}@Example.com").parse::<Address>().unwrap();
    let name = |list: &mut depesch::model::list::List| {
        list.owner = address(11);
        list.posting.senders.insert(address(12));
        list.posting.moderators.insert(address(13));
    };
    store.change_list(&"members".parse().unwrap(), name).await.unwrap();
    let mut batch = Batch::new();
    let pending = PendingRequest {
        id: PendingRequestId(1),
        address: address(14),
        list: "media".parse().unwrap(),
        language: depesch::base::language::Language::swedish(),
        actions: vec![Action::Subscribe],
        words: "Ja".to_owned(),
        asked: minute(366 * DAY - 60),
        expires: minute(370 * DAY),
        state: PendingState::Open,
    };
    pending_requests::put_new(&mut batch, &pending);
    let hash = key().hash_address(&address(15));
    let answer = Rsvp { address: address(15), ..store.scan_rsvps(None, 1).await.unwrap().0.remove(0).1.value };
    rsvps::put(&mut batch, &hash, None, &answer);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
    let rules = Rules { configured: vec![address(16)], ..office.rules.clone() };
    let office = Office { rules, ..office };

    office.on_day(366, false).await;
    let left: Vec<_> = office.rules.store.scan_subscribers(SubscriberId(0), 20).await.unwrap();
    assert_eq!(left.iter().map(|read| read.value.id.0).collect::<Vec<_>>(), [2, 3, 11, 12, 13, 14, 15, 16]);
    // Once the request is deleted and the answer's event is over, they count as former subscribers like others.
    let rules = Rules { periods: Periods::default(), ..office.rules.clone() };
    let office = Office { rules, ..office };
    office.on_day(372, false).await;
    office.on_day(373, false).await;
    let left: Vec<_> = office.rules.store.scan_subscribers(SubscriberId(0), 20).await.unwrap();
    assert_eq!(left.iter().map(|read| read.value.id.0).collect::<Vec<_>>(), [2, 3, 11, 12, 13, 16]);
}

#[tokio::test]
async fn only_captured_mail_is_removed_from_a_maildir() {
    let office = office(store().await, Periods { former_subscribers: None, ..Periods::default() }).await;
    let folder = office.rules.capture.clone().unwrap();
    let captured = ["new/1795251600.M000001P7Q000000.depesch", "cur/1795251600.M000002P7Q000001.depesch:2,RS"];
    let others =
        ["new/1795251600.M1P7Q0.mail.example", "cur/letter.depesch", ".Archive/1795251600.M000001P7Q000000.depesch"];
    for name in captured.iter().chain(&others) {
        std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.join(name), "Subject: Hej\n\n").unwrap();
    }
    assert!(office.on_day(9_000, true).await.contains(&("retention.captured", 2)));
    assert!(office.on_day(9_000, false).await.contains(&("retention.captured", 2)));
    assert!(captured.iter().all(|name| !folder.join(name).exists()));
    assert!(others.iter().all(|name| folder.join(name).exists()));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_only_what_depends_on_it() {
    let office = office(store().await, Periods::default()).await;
    let (store, blobs) = (&office.rules.store, &office.rules.blobs);
    let loose = blobs.put(None, &b"draft"[..]).await.unwrap();
    let mut batch = Batch::new();
    for table in [b'n', b'p'] {
        batch.put(Key([&[table][..], &1u64.to_be_bytes()].concat()), vec![255, 1]);
    }
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
    let failed = office.rules.apply(minute(366 * DAY), false).await.unwrap_err();
    assert!(failed.to_string().contains("a post record"), "{failed}");
    // It may be the post's: this cannot be determined.
    assert!(blobs.size(&loose.sha256).await.unwrap().is_some());
    let left: Vec<_> = store.scan_subscribers(SubscriberId(0), 10).await.unwrap();
    assert_eq!(left.iter().map(|read| read.value.id.0).collect::<Vec<_>>(), [2, 3]);
    assert!(store.scan_rsvps(None, 1).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn a_run_that_dies_at_any_commit_is_completed_by_the_next() {
    for at in 0.. {
        let office = office(store().await, Periods { mail: Duration::from_secs(86_400), ..Periods::default() }).await;
        let dying = FailingCommits::new(engine_of(&office.rules.store), at, Failure::After);
        let rules = Rules { store: Store::new(dying.clone()), ..office.rules.clone() };
        let died = rules.apply(minute(366 * DAY), false).await.is_err();
        office.on_day(366, false).await;
        assert_eq!(office.on_day(366, true).await, [], "commit {at}");
        assert_eq!(office.rules.store.scan_subscribers(SubscriberId(0), 10).await.unwrap().len(), 2, "commit {at}");
        if !died {
            assert!(at > 3, "it commits step by step");
            return;
        }
    }
}
