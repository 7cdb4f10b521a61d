//! Unsubscribing by mail: the signed address in a mail takes effect immediately, also during a mailing; without it,
//! people can unsubscribe only themselves.

use std::sync::Arc;

use depesch::base::token::Purpose;
use depesch::model::mailing::UncertainPolicy;
use depesch::model::subscriber::SubscriptionState;
use depesch::store::memory::MemoryEngine;
use depesch::subscribers::limits::AskSettings;
use depesch::subscribers::tokens::UnsubscribeToken;

use crate::support::commands::World;
use crate::support::inbound::list;
use crate::support::office::Office;

const KARIN: &str = "karin@press.example";

/// The address that a welcome letter names.
async fn signed_address(world: &World) -> String {
    let id = world.subscriber(KARIN).await.unwrap().id;
    let token = UnsubscribeToken::of_notice(&world.key, &"media".parse().unwrap(), id);
    format!("media-unsubscribe+{token}@lists.example.org")
}

#[tokio::test]
async fn the_address_in_a_notice_acts_at_once() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    let address = signed_address(&world).await;
    let welcome = world.last().await;
    assert_eq!(welcome.mail.header("List-Unsubscribe"), Some(format!("<mailto:{address}>").as_str()));
    // As a provider sends it for its user: from any address, empty, marked as automatic.
    let mail = "From: unsubscribe@provider.example\nAuto-Submitted: auto-generated\nSubject: unsubscribe\n\n";
    let note = world.arrives(Some("unsubscribe@provider.example"), &address, mail).await;
    assert_eq!(note, "command: unsubscribed by a signed address");
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Ended));
    let notices = world.notices().await.len();
    let note = world.arrives(Some(KARIN), &address, "From: karin@press.example\nSubject: x\n\n").await;
    assert_eq!(note, "command: unsubscribes, but the subscription had already ended");
    assert_eq!(world.notices().await.len(), notices, "said once");
}

#[tokio::test]
async fn a_person_gets_one_goodbye() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    let address = signed_address(&world).await.replacen('-', "+", 1);
    world.arrives(Some(KARIN), &address, "From: karin@press.example\nSubject: x\n\n").await;
    assert_eq!(world.last().await.about, "goodbye");
    assert_eq!(world.last().await.to, KARIN);
}

#[tokio::test]
async fn reports_and_automatic_replies_do_not_unsubscribe() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    let address = signed_address(&world).await;
    for (sender, head) in [
        (None, "Subject: Undelivered"),
        (Some("MAILER-DAEMON@press.example"), "Content-Type: multipart/report; boundary=b"),
        (Some(KARIN), "Auto-Submitted: auto-replied"),
    ] {
        world.arrives(sender, &address, &format!("From: karin@press.example\n{head}\n\nunsubscribe\n")).await;
        assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Active), "{head}");
    }
}

#[tokio::test]
async fn a_person_cannot_unsubscribe_another() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    world.clock.advance(chrono::Duration::days(1));
    // With her address in From: only she can answer the question.
    for (what, subject, text) in
        [("unsubscribe", "", ""), ("request", "unsubscribe", "unsubscribe karin@press.example"), ("leave", "STOP", "")]
    {
        world.writes(KARIN, what, subject, text).await;
    }
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Active));
    // The first leads to a question to her, the others go to the owner: she was already asked today.
    let since = world.sent().await.split_off(2);
    let owner = "passed-on to press@example.org".to_owned();
    assert_eq!(since, [format!("confirm to {KARIN}"), owner.clone(), owner]);
    // With her address as an argument: a person reads it, or nothing happens.
    world.writes("thief@evil.example", "request", "unsubscribe karin@press.example", "").await;
    assert!(!world.sent().await.contains(&format!("confirm to {}", "thief@evil.example")));
    // With the sender's own token and another person's address.
    world.subscribes("thief@evil.example").await;
    let thief = world.subscriber("thief@evil.example").await.unwrap().id;
    let token = UnsubscribeToken::of_notice(&world.key, &"media".parse().unwrap(), thief);
    let mail = "From: karin@press.example\nSubject: unsubscribe karin@press.example\n\n";
    world.arrives(Some(KARIN), &format!("media-unsubscribe+{token}@lists.example.org"), mail).await;
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Active));
    assert_eq!(world.standing("thief@evil.example").await, Some(SubscriptionState::Ended));
}

#[tokio::test]
async fn a_notices_token_holds_for_its_own_list() {
    let world = World::new().await;
    world.store.create_list(&list("sport")).await.unwrap();
    world.subscribes(KARIN).await;
    let id = world.subscriber(KARIN).await.unwrap().id;
    let token = UnsubscribeToken::of_notice(&world.key, &"sport".parse().unwrap(), id);
    let mail = "From: karin@press.example\nSubject: x\n\n";
    world.arrives(Some(KARIN), &format!("media-unsubscribe+{token}@lists.example.org"), mail).await;
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Active));
}

#[tokio::test]
async fn who_leaves_in_the_middle_of_a_mailing_gets_no_further_mail() {
    let engine = Arc::new(MemoryEngine::new());
    let mut office = Office::over(engine.clone());
    office.connections = 1;
    let world = Arc::new(World::over(engine, list("media"), AskSettings::default()).await);
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(office.subscriber(&format!("p{number}")).await);
    }
    let mailing = office.mailing(UncertainPolicy::Resend).await;
    let token = world.key.sign(Purpose::Unsubscribe, &[mailing.0, ids[4].0, 0]);
    let address = format!("media-unsubscribe+{token}@lists.example.org");
    let leaving = world.clone();
    *office.relay.witness.lock().unwrap() = Some(Box::new(move |to| {
        let (world, address, now) = (leaving.clone(), address.clone(), to == "p1");
        Box::pin(async move {
            if now {
                world.arrives(Some("p4@press.example"), &address, "From: p4@press.example\nSubject: x\n\n").await;
            }
        })
    }));
    let _dispatcher = office.dispatcher().await.unwrap();
    office.until_finished(mailing).await;
    assert_eq!(office.relay.given(), ["p0", "p1", "p2", "p3", "p5"]);
    assert_eq!(office.tally(mailing).await.suppressed, 1);
}
