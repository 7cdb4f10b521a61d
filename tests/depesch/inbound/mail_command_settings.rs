//! Language, beats, regions, pause and resume: one question for everything a mail requests, and no change before its
//! answer.

use depesch::model::subscriber::SubscriptionState;

use crate::support::commands::World;

const KARIN: &str = "karin@press.example";

#[tokio::test]
async fn several_requests_have_one_question() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    world.clock.advance(chrono::Duration::days(1));
    let text = "Hej,\n\nspråk: engelska\nämnen: Skola, vård\nregioner: Skåne\npausa\n\nMvh\nKarin\n";
    world.writes(KARIN, "request", "Inställningar", text).await;
    let question = world.last().await;
    let said = question.mail.text().split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["på engelska", "bevakar skola, vård.", "regionerna skåne.", "Gör uppehåll"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let before = world.subscriber(KARIN).await.unwrap();
    assert_eq!((before.language.as_str(), before.beats.len()), ("sv", 0), "nothing before the answer");
    world.replies(&question, "ok").await;
    let karin = world.subscriber(KARIN).await.unwrap();
    assert_eq!(karin.language.as_str(), "en");
    assert_eq!(karin.beats.iter().collect::<Vec<_>>(), ["skola", "vård"]);
    assert_eq!(karin.regions.iter().collect::<Vec<_>>(), ["skåne"]);
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Paused));
    assert_eq!(world.last().await.about, "done");
}

#[tokio::test]
async fn a_pause_ends_with_resume() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    for (what, state) in [("pause", SubscriptionState::Paused), ("resume", SubscriptionState::Active)] {
        world.clock.advance(chrono::Duration::days(1));
        world.writes(KARIN, what, "", "").await;
        world.replies(&world.last().await, "").await;
        assert_eq!(world.standing(KARIN).await, Some(state));
    }
}

#[tokio::test]
async fn a_new_subscriber_may_say_all_in_the_first_mail() {
    let world = World::new().await;
    world.writes(KARIN, "subscribe", "subscribe", "language: english\nbeats: schools\n").await;
    let question = world.last().await;
    assert!(question.mail.subject().starts_with("Confirm your subscription"));
    world.replies(&question, "yes").await;
    let karin = world.subscriber(KARIN).await.unwrap();
    assert_eq!((karin.language.as_str(), karin.beats.len()), ("en", 1));
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Active));
}

#[tokio::test]
async fn mail_without_a_command_gets_help_and_a_letter_goes_to_the_owner() {
    let world = World::new().await;
    world.writes(KARIN, "request", "Hej", "").await;
    assert_eq!(world.last().await.about, "help");
    let letter = "Jag undrar om ni kan sätta mig i kontakt med någon som kan berätta mer om förra veckans rapport.";
    world.writes(KARIN, "request", "Fråga", letter).await;
    world.writes(KARIN, "request", "owner", "").await;
    assert_eq!(
        world.sent().await,
        [&format!("help to {KARIN}"), "passed-on to press@example.org", "passed-on to press@example.org"]
    );
}
