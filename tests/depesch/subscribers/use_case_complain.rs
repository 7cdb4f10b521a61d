//! A complaint, and a bounce that arrives later: what they end depends on the proof that it was our mail.

use depesch::base::id::{MailingId, SubscriberId};
use depesch::model::bounce::{BouncePolicy, BounceSource, Verdict};
use depesch::model::channel::Channel;
use depesch::model::classify::Class;
use depesch::model::mailing::MissedPolicy;
use depesch::model::subscriber::SubscriptionState::{Active, Ended, Suspended};
use depesch::model::suppression::SuppressionReason;
use depesch::store::StoreError;
use depesch::subscribers::bounced::{Bounced, PROBE};
use depesch::subscribers::bounces::{Doubts, Report};
use depesch::subscribers::complaint::{Complained, Complaint, ComplaintProof};
use depesch::subscribers::tokens::{BounceToken, UnsubscribeToken};

use crate::support::channels::{World, media};
use crate::support::mailings::{mailing, minute, put};

const KARIN: &str = "karin@press.example";

async fn complains(world: &World, proof: ComplaintProof) -> Complained {
    let words = "feedback-type: abuse".to_owned();
    let complaint = Complaint { proof, at: minute(30), words, source: BounceSource::Session };
    world.store.carry_out::<_, StoreError, _>(|| world.rules.complain(&complaint)).await.unwrap()
}

/// A world with a member of `media` and `members` who received mailing 1 to `media`.
async fn mailed() -> (World, SubscriberId) {
    let world = World::new().await;
    put(&world.store, &mailing(1, MissedPolicy::Send)).await;
    let karin = world.member(KARIN).await;
    (world, karin)
}

#[tokio::test]
async fn the_delivery_itself_ends_its_lists_and_suppresses() {
    let (world, subscriber) = mailed().await;
    let proof = ComplaintProof::Delivery(BounceToken { mailing: MailingId(1), subscriber });
    assert_eq!(complains(&world, proof).await, Complained::Suppressed(vec![media()]));
    let karin = world.person(KARIN).await.unwrap();
    assert_eq!((karin.state_on(&media()), karin.state_on(&"members".parse().unwrap())), (Some(Ended), Some(Active)));
    let last = karin.subscriptions[&media()].events.last().unwrap();
    assert_eq!(last.source.channel(), Channel::System);
    assert!(last.words.ends_with("(mailing m1): feedback-type: abuse"), "{}", last.words);
    let hash = world.rules.key.hash_address(&karin.address);
    let reason = world.store.suppression(&hash).await.unwrap().unwrap().value.reason;
    assert_eq!(reason, SuppressionReason::Complaint);
    // A repetition ends nothing more.
    assert_eq!(complains(&world, proof).await, Complained::Suppressed(Vec::new()));
    assert_eq!(world.person(KARIN).await.unwrap().subscriptions[&media()].events.len(), 2);
}

#[tokio::test]
async fn a_link_ends_its_own_list_and_suppresses_nothing() {
    let (world, subscriber) = mailed().await;
    let token = UnsubscribeToken { mailing: MailingId(1), subscriber, place: 0 };
    assert_eq!(complains(&world, ComplaintProof::List(token)).await, Complained::Left(vec![media()]));
    assert_eq!(world.standing(KARIN).await, Some(Ended));
    assert!(!world.store.is_suppressed(&world.rules.key.hash_address(&KARIN.parse().unwrap())).await.unwrap());
}

#[tokio::test]
async fn a_report_about_something_unknown_changes_nothing() {
    let (world, subscriber) = mailed().await;
    let gone = MailingId(9);
    let of_delivery = |mailing, subscriber| ComplaintProof::Delivery(BounceToken { mailing, subscriber });
    assert_eq!(complains(&world, of_delivery(gone, subscriber)).await, Complained::Unknown);
    assert_eq!(complains(&world, of_delivery(MailingId(1), SubscriberId(99))).await, Complained::NoSubscriber);
    let token = UnsubscribeToken { mailing: gone, subscriber, place: 0 };
    assert_eq!(complains(&world, ComplaintProof::List(token)).await, Complained::Unknown);
    assert_eq!(world.standing(KARIN).await, Some(Active));
}

fn refusal(mailing: MailingId, subscriber: SubscriberId) -> Report {
    Report {
        mailing,
        subscriber,
        at: minute(40),
        sent_to: None,
        verdict: Verdict::Permanent,
        class: Class::Address,
        counts: true,
        names_other: false,
        status: Some("5.1.1".into()),
        words: "550 5.1.1 no such user".into(),
        source: BounceSource::Session,
    }
}

#[tokio::test]
async fn a_later_bounce_suspends_like_one_in_the_session_but_a_probe_bounce_does_not() {
    let (world, karin) = mailed().await;
    let (policy, doubts) = (BouncePolicy::default(), Doubts::default());
    let person = world.person(KARIN).await.unwrap();
    let bounces = async |report: Report| {
        let decide = || world.rules.bounce(&policy, &doubts, &person, report.clone());
        world.store.carry_out::<_, StoreError, _>(decide).await.unwrap()
    };
    assert_eq!(bounces(refusal(PROBE, karin)).await, Bounced::Probe);
    assert_eq!(world.standing(KARIN).await, Some(Active));
    let mut noted = Vec::new();
    for id in 1..=5 {
        put(&world.store, &mailing(id + 10, MissedPolicy::Send)).await;
        noted.push(bounces(refusal(MailingId(id + 10), karin)).await);
    }
    assert!(noted.iter().all(|one| matches!(one, Bounced::Noted(_))), "{noted:?}");
    assert_eq!(world.standing(KARIN).await, Some(Suspended), "{noted:?}");
}
