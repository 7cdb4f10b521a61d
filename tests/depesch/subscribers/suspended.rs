//! People suspended by bounces: the lists' owners are told once, or a probe finds out whether the address works again.

use chrono::Duration;
use depesch::base::clock::Clock;
use depesch::base::id::SubscriberId;
use depesch::base::token::Purpose;
use depesch::model::ledger::Stage;
use depesch::model::notice::Notice;
use depesch::model::reply::Reply;
use depesch::model::retry::RetryTable;
use depesch::model::subscriber::SubscriptionState::{Active, Suspended as Off};
use depesch::store::engine::Batch;
use depesch::subscribers::suspended::{Looked, Suspended, SuspendedPolicy};

use crate::support::bounces::{comes, mailed, no_such_user, notification, sender_of, standing};
use crate::support::inbound::{MailIn, key};

/// An office whose readers 1 and 2 are suspended now.
async fn office(probe: bool) -> (MailIn, Suspended) {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    for id in [1, 2] {
        comes(&mail_in, &sender_of(1, id), &no_such_user(1, id)).await;
        assert_eq!(standing(&mail_in.store, id).await, Off);
    }
    let notices = mail_in.triage().1;
    let policy = SuspendedPolicy { probe, ..SuspendedPolicy::default() };
    let suspended = Suspended { store: mail_in.store.clone(), notices, key: key(), policy };
    (mail_in, suspended)
}

async fn notices(mail_in: &MailIn) -> Vec<Notice> {
    let notices = mail_in.store.notices(None, 100).await.unwrap();
    notices.into_iter().map(|read| read.value).collect()
}

/// The relay's answer to the latest notice.
async fn answered(mail_in: &MailIn, answer: Reply) {
    let read = mail_in.store.notices(None, 1).await.unwrap().remove(0);
    let now = mail_in.clock.now();
    let begun = read.value.begin(now);
    let after = match answer.is_positive() {
        true => begun.accepted(now, answer),
        false => begun.refused(now, Stage::Recipient, answer, &RetryTable::default()),
    };
    let mut batch = Batch::new();
    depesch::store::notices::put_over(&mut batch, &read, &after);
    mail_in.store.commit(batch).await.unwrap();
}

/// Lets days pass, then runs the job.
async fn run_after(mail_in: &MailIn, suspended: &Suspended, days: i64) -> (usize, usize) {
    mail_in.clock.advance(Duration::days(days));
    let Looked { probed, reinstated } = suspended.look_after(mail_in.clock.now()).await.unwrap();
    (probed, reinstated)
}

async fn only_the_first(mail_in: &MailIn) {
    let service = depesch::subscribers::profile::SubscriberService {
        store: mail_in.store.clone(),
        key: key(),
        at: mail_in.clock.now(),
        who: "anna".into(),
    };
    service.erase("s2", None).await.unwrap();
}

#[tokio::test]
async fn the_owner_is_notified_once_of_all_subscribers_and_why() {
    let (mail_in, suspended) = office(false).await;
    assert_eq!(suspended.notify_owners().await.unwrap(), 2);
    let sent = notices(&mail_in).await;
    assert_eq!((sent.len(), sent[0].recipient.as_str()), (1, "press@example.org"));
    let bytes = mail_in.store.notice_bytes(sent[0].id).await.unwrap().unwrap();
    let message = depesch::mail::incoming::Incoming::parse(&bytes).unwrap();
    for words in ["reader1@example.com", "reader2@example.com", "no such user"] {
        assert!(message.text().contains(words), "{}", message.text());
    }
    assert_eq!(suspended.notify_owners().await.unwrap(), 0, "nothing new");
    assert_eq!(run_after(&mail_in, &suspended, 100).await, (0, 0), "no probe is sent if the policy is to report");
}

#[tokio::test]
async fn a_probe_that_arrives_lets_mail_go_out_again() {
    let (mail_in, suspended) = office(true).await;
    assert_eq!(suspended.notify_owners().await.unwrap(), 0, "first the address is tried");
    only_the_first(&mail_in).await;
    assert_eq!(run_after(&mail_in, &suspended, 13).await, (0, 0));
    assert_eq!(run_after(&mail_in, &suspended, 1).await, (1, 0));
    let probe = notices(&mail_in).await.remove(0);
    assert_eq!(probe.recipient.as_str(), "reader1@example.com");
    let token = key().sign(Purpose::Bounce, &[0, 1]);
    assert_eq!(probe.sender.unwrap().as_str(), format!("media-bounces+{token}@lists.example.org"));
    assert_eq!(run_after(&mail_in, &suspended, 5).await, (0, 0), "it has not been sent yet");
    answered(&mail_in, Reply::new(250, "2.0.0 taken")).await;
    assert_eq!(run_after(&mail_in, &suspended, 3).await, (0, 0), "it may yet come back");
    assert_eq!(standing(&mail_in.store, 1).await, Off);
    assert_eq!(run_after(&mail_in, &suspended, 1).await, (0, 1));
    assert_eq!(standing(&mail_in.store, 1).await, Active);
    let score = mail_in.store.score(SubscriberId(1)).await.unwrap();
    assert!(score.is_none(), "nothing is held against the address: {score:?}");
    assert_eq!(run_after(&mail_in, &suspended, 100).await, (0, 0));
}

#[tokio::test]
async fn after_a_few_bounced_probes_the_owner_is_notified() {
    let (mail_in, suspended) = office(true).await;
    only_the_first(&mail_in).await;
    let words = "550 5.1.1 <reader1@example.com>: no such user";
    let back = notification(&sender_of(0, 1), "failed", "reader1@example.com", "5.1.1", words);
    let delay = notification(&sender_of(0, 1), "delayed", "reader1@example.com", "4.4.1", "451 4.4.1 later");
    for round in 0..3 {
        assert_eq!(suspended.notify_owners().await.unwrap(), 0);
        assert_eq!(run_after(&mail_in, &suspended, 14).await, (1, 0), "round {round}");
        match round {
            // Refused at once.
            0 => {
                answered(&mail_in, Reply::new(550, "5.1.1 no such user")).await;
                assert_eq!(run_after(&mail_in, &suspended, 0).await, (0, 0));
            }
            // Accepted late, then bounced by mail.
            _ => {
                answered(&mail_in, Reply::new(250, "2.0.0 taken")).await;
                comes(&mail_in, &sender_of(0, 1), &delay).await;
                comes(&mail_in, &sender_of(0, 1), &back).await;
            }
        }
        assert_eq!(run_after(&mail_in, &suspended, 5).await, (0, 0));
        assert_eq!(standing(&mail_in.store, 1).await, Off);
    }
    assert_eq!(run_after(&mail_in, &suspended, 100).await, (0, 0), "three are enough");
    assert_eq!(suspended.notify_owners().await.unwrap(), 1);
}

#[tokio::test]
async fn a_person_resumed_by_an_operator_is_neither_probed_nor_reported() {
    for probe in [false, true] {
        let (mail_in, suspended) = office(probe).await;
        let service = depesch::subscribers::profile::SubscriberService {
            store: mail_in.store.clone(),
            key: key(),
            at: mail_in.clock.now(),
            who: "anna".into(),
        };
        for who in ["s1", "s2"] {
            assert_eq!(service.reset_bounces(who).await.unwrap().len(), 1);
        }
        assert_eq!(run_after(&mail_in, &suspended, 20).await, (0, 0));
        assert_eq!(suspended.notify_owners().await.unwrap(), 0);
        assert_eq!(standing(&mail_in.store, 1).await, Active);
    }
}
