//! All mail that a person may have written is answered or forwarded: a second, different request on the same day is not
//! dropped.

use depesch::base::address::Address;
use depesch::model::subscriber::SubscriptionState;

use crate::support::commands::World;

const KARIN: &str = "karin@press.example";

async fn since(world: &World, before: usize) -> Vec<String> {
    world.sent().await.split_off(before)
}

#[tokio::test]
async fn a_second_request_on_one_day_is_answered_or_forwarded() {
    for (second, what) in [
        ("Jag har bytt jobb", "passed-on to press@example.org"),
        ("Ring mig", "passed-on to press@example.org"),
        ("avsluta", "confirm to karin@press.example"),
        ("ämnen: skola", "confirm to karin@press.example"),
        ("vilka", "which to karin@press.example"),
    ] {
        let world = World::new().await;
        world.writes(KARIN, "request", "hjälp", "").await;
        assert_eq!(world.sent().await, ["help to karin@press.example"]);
        let note = world.writes(KARIN, "request", "hej", second).await;
        assert_eq!(since(&world, 1).await, [what], "{second}: {note}");
    }
    // A repetition of the same request is not new.
    let world = World::new().await;
    for _ in 0..3 {
        world.writes(KARIN, "request", "hjälp", "").await;
    }
    assert_eq!(world.sent().await.len(), 1);
}

#[tokio::test]
async fn a_new_subscriber_sets_beats_the_same_day_as_the_welcome_invites() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    let note = world.writes(KARIN, "request", "ämnen: skola, vård", "").await;
    assert_eq!(note, "command: asked for a confirmation");
    let question = world.last().await;
    assert_eq!(question.about, "confirm");
    world.replies(&question, "ja").await;
    let beats = world.subscriber(KARIN).await.unwrap().beats;
    assert_eq!(beats.into_iter().collect::<Vec<_>>(), ["skola", "vård"]);
    let note = world.writes(KARIN, "request", "regioner: Skåne", "").await;
    assert_eq!(note, "command: asked for a confirmation");
    let note = world.writes(KARIN, "request", "ämnen: kultur", "").await;
    assert!(note.contains("forwarded to the owner"), "{note}");
    let note = world.writes(KARIN, "request", "ämnen: kultur", "").await;
    assert_eq!(note, "command: the same was asked today");
}

#[tokio::test]
async fn a_request_to_join_another_list_the_same_day_reaches_a_person() {
    let world = World::new().await;
    world.store.create_list(&crate::support::inbound::list("sport")).await.unwrap();
    world.writes(KARIN, "subscribe", "", "").await;
    let mail = "From: karin@press.example\nSubject: x\nMessage-ID: <s@press.example>\n\n";
    let note = world.arrives(Some(KARIN), "sport-subscribe@lists.example.org", mail).await;
    assert!(note.contains("forwarded to the owner"), "{note}");
}

#[tokio::test]
async fn a_request_to_be_erased_goes_to_a_person_and_its_author_is_informed() {
    for pending in
        ["Radera mig", "Ta bort mina uppgifter", "Glöm mig", "Delete my data", "erase", "Radera mina uppgifter tack"]
    {
        let world = World::new().await;
        world.subscribes(KARIN).await;
        let before = world.sent().await.len();
        world.writes(KARIN, "request", "hej", pending).await;
        assert_eq!(
            since(&world, before).await,
            ["passed-on to press@example.org", "erasure to karin@press.example"],
            "{pending}"
        );
        assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Active), "a From field proves nothing");
    }
    let world = World::new().await;
    world.writes(KARIN, "request", "hjälp", "").await;
    world.writes(KARIN, "request", "hej", "Radera mina uppgifter tack").await;
    assert_eq!(since(&world, 1).await, ["passed-on to press@example.org", "erasure to karin@press.example"]);
}

/// An older store may hold an address with a letter outside ASCII that in lower case is one inside.
#[tokio::test]
async fn a_question_goes_to_the_address_as_stored() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    world.clock.advance(chrono::Duration::days(1));
    let note = world.writes("KARIN@press.example", "unsubscribe", "", "").await;
    assert_eq!(note, "command: asked for a confirmation");
    assert_eq!(world.last().await.to, KARIN);
}

#[tokio::test]
async fn a_lookalike_letter_does_not_make_another_person() {
    let world = World::new().await;
    world.subscribes("kim@press.example").await;
    world.clock.advance(chrono::Duration::days(1));
    let before = world.sent().await.len();
    for from in ["\u{212a}im@press.example", "\u{ff4b}im@press.example"] {
        let mail = format!("From: {from}\nSubject: avsluta\nMessage-ID: <k@press.example>\n\navsluta\n");
        world.arrives(Some("eve@other.example"), "media-request@lists.example.org", &mail).await;
        assert!(from.parse::<Address>().is_err());
    }
    let sent = since(&world, before).await;
    assert!(sent.iter().all(|letter| letter == "passed-on to press@example.org"), "{sent:?}");
    assert_eq!(world.standing("kim@press.example").await, Some(SubscriptionState::Active));
}
