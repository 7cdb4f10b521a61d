//! The effect of mail to a delivery's signed envelope sender: the token identifies the subscriber, the report the
//! reason.

use std::sync::Arc;

use chrono::Duration;
use depesch::base::id::{MailingId, SubscriberId};
use depesch::base::token::Purpose;
use depesch::inbound::destination::{Directory, Resolved};
use depesch::inbound::recipients::Recipient;
use depesch::model::bounce::{BounceEffect, Verdict};
use depesch::model::inbound::InboundKind;
use depesch::model::subscriber::SubscriptionState::{Active, Suspended};
use depesch::store::Store;
use depesch::store::engine::Engine;
use depesch::store::memory::MemoryEngine;

use crate::support::bounces::{comes, mailed, no_such_user, notices_to_owner, notification, sender_of, standing};
use crate::support::failing::{FailingCommits, Failure};
use crate::support::inbound::{MailIn, key};

async fn effect(store: &Store, subscriber: u64) -> Option<(BounceEffect, Verdict, u32)> {
    let read = store.bounce(MailingId(1), SubscriberId(subscriber)).await.unwrap()?;
    Some((read.value.effect, read.value.verdict, read.value.reports))
}

#[tokio::test]
async fn only_an_address_that_does_not_exist_is_suspended() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let kind = comes(&mail_in, &sender_of(1, 2), &no_such_user(1, 2)).await;
    assert_eq!(kind, InboundKind::Bounce);
    let store = &mail_in.store;
    assert_eq!(
        (standing(store, 1).await, standing(store, 2).await, standing(store, 3).await),
        (Active, Suspended, Active)
    );
    assert_eq!(effect(store, 2).await, Some((BounceEffect::Suspended, Verdict::Permanent, 1)));
    assert_eq!(notices_to_owner(store).await, 0);
}

#[tokio::test]
async fn a_delay_a_delivery_and_an_absence_count_nothing() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let about = |id: u64, action: &str, status: &str, words: &str| {
        notification(&sender_of(1, id), action, &format!("reader{id}@example.com"), status, words)
    };
    let delay = about(1, "delayed", "4.4.1", "451 4.4.1 no answer from host");
    assert_eq!(comes(&mail_in, &sender_of(1, 1), &delay).await, InboundKind::Notice);
    let delivered = about(2, "delivered", "2.0.0", "250 2.0.0 delivered");
    assert_eq!(comes(&mail_in, &sender_of(1, 2), &delivered).await, InboundKind::Notice);
    let absent = "From: reader3@example.com\r\nSubject: Autosvar: Ny skola\r\nAuto-Submitted: auto-replied\r\n\r\n\
                  Jag är på semester till den 3 januari.\r\n";
    assert_eq!(comes(&mail_in, &sender_of(1, 3), absent).await, InboundKind::AutoReply);
    for id in 1..=3 {
        assert_eq!(standing(&mail_in.store, id).await, Active);
        assert!(mail_in.store.score(SubscriberId(id)).await.unwrap().is_none());
        assert_eq!(effect(&mail_in.store, id).await.map(|known| known.0), Some(BounceEffect::Nothing));
    }
    // The failure after the delay is what counts.
    comes(&mail_in, &sender_of(1, 1), &no_such_user(1, 1)).await;
    assert_eq!(effect(&mail_in.store, 1).await, Some((BounceEffect::Suspended, Verdict::Permanent, 2)));
}

#[tokio::test]
async fn content_policy_and_network_never_count() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let blames = [
        ("5.7.1", "554 5.7.1 message refused as spam"),
        ("5.7.26", "550 5.7.26 DMARC did not pass"),
        ("5.6.0", "554 5.6.0 malformed message"),
        ("4.4.7", "delivery time expired: connection timed out"),
    ];
    for (status, words) in blames {
        let report = notification(&sender_of(1, 1), "failed", "reader1@example.com", status, words);
        assert_eq!(comes(&mail_in, &sender_of(1, 1), &report).await, InboundKind::Bounce, "{words}");
    }
    assert_eq!(standing(&mail_in.store, 1).await, Active);
    assert!(mail_in.store.score(SubscriberId(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn without_a_valid_token_nothing_changes_and_the_owner_reads_it() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let (report, signed) = (no_such_user(1, 2), sender_of(1, 2));
    assert_eq!(comes(&mail_in, "media-bounces@lists.example.org", &report).await, InboundKind::Forwarded);
    assert_eq!(notices_to_owner(&mail_in.store).await, 1);
    // Other tokens are refused at RCPT.
    let directory = Directory::new(mail_in.store.clone(), key());
    let misused = format!("media-bounces+{}@lists.example.org", key().sign(Purpose::Unsubscribe, &[1, 2]));
    for address in [signed.replace('+', "+a"), misused] {
        let answer = directory.resolve(&address).await.unwrap();
        assert!(matches!(answer, Resolved::No(Recipient::Forged)), "{address}: {answer:?}");
    }
    assert_eq!(standing(&mail_in.store, 2).await, Active);
    assert_eq!(effect(&mail_in.store, 2).await, None);
}

#[tokio::test]
async fn what_a_person_writes_to_the_sender_reaches_a_person() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let notice = "From: Karin Ek <reader2@example.com>\r\nSubject: Re: Ny skola\r\nMessage-ID: <1@example.com>\r\n\r\n\
                  Hej! Kan jag få bilden i större format?\r\n";
    assert_eq!(comes(&mail_in, &sender_of(1, 2), notice).await, InboundKind::Forwarded);
    assert_eq!(notices_to_owner(&mail_in.store).await, 1);
    assert_eq!(effect(&mail_in.store, 2).await, None);
}

#[tokio::test]
async fn a_full_mailbox_counts_once_for_each_mailing() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let full = |mailing: u64| {
        notification(&sender_of(mailing, 1), "failed", "reader1@example.com", "5.2.2", "552 5.2.2 mailbox full")
    };
    for _ in 0..4 {
        comes(&mail_in, &sender_of(1, 1), &full(1)).await;
        mail_in.clock.advance(Duration::days(3));
    }
    assert_eq!(effect(&mail_in.store, 1).await, Some((BounceEffect::Scored, Verdict::Permanent, 4)));
    comes(&mail_in, &sender_of(2, 1), &full(2)).await;
    assert_eq!(standing(&mail_in.store, 1).await, Active);
    comes(&mail_in, &sender_of(3, 1), &full(3)).await;
    assert_eq!(standing(&mail_in.store, 1).await, Suspended);
}

#[tokio::test]
async fn a_former_colleague_does_not_unsubscribe_the_newsroom() {
    let mail_in = MailIn::new().await;
    mailed(&mail_in).await;
    let words = "550 5.1.1 <anna.lind@paper.example>: no such user";
    let report = notification(&sender_of(1, 1), "failed", "anna.lind@paper.example", "5.1.1", words);
    comes(&mail_in, &sender_of(1, 1), &report).await;
    assert_eq!(standing(&mail_in.store, 1).await, Active, "an address behind theirs is not theirs");
    assert_eq!(effect(&mail_in.store, 1).await.unwrap().0, BounceEffect::Scored);
    let alias = notification(&sender_of(1, 2), "failed", "Reader2@mail.example.net", "5.1.1", "550 5.1.1 unknown");
    comes(&mail_in, &sender_of(1, 2), &alias).await;
    assert_eq!(standing(&mail_in.store, 2).await, Suspended, "the same mailbox under its system's other name");
}

/// Dies at one commit of handling two reports about one delivery.
async fn die_at(commit: usize, failure: Failure) {
    let disk: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let mail_in = MailIn::over(disk.clone()).await;
    mailed(&mail_in).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(mail_in.arrives(None, &sender_of(1, 1), &no_such_user(1, 1)).await);
    }
    let doomed = mail_in.reborn(FailingCommits::new(disk.clone(), commit, failure));
    let (worker, _) = doomed.triage();
    let running = tokio::spawn(worker.run(std::future::pending()));
    for _ in 0..20_000 {
        tokio::task::yield_now().await;
        if doomed.store.waiting_inbound(None, 1).await.unwrap().is_empty() {
            break;
        }
    }
    running.abort();

    let reborn = mail_in.reborn(disk);
    reborn.handle_all(&reborn.triage().0).await;
    let store = &reborn.store;
    assert_eq!(standing(store, 1).await, Suspended, "died at {commit}");
    assert_eq!(store.score(SubscriberId(1)).await.unwrap().unwrap().value.hits.len(), 1, "died at {commit}");
    assert_eq!(effect(store, 1).await, Some((BounceEffect::Suspended, Verdict::Permanent, 2)), "died at {commit}");
}

#[tokio::test]
async fn wherever_the_daemon_dies_each_report_counts_once() {
    for failure in [Failure::Before, Failure::After] {
        for commit in 0..=2 {
            die_at(commit, failure).await;
        }
    }
}
