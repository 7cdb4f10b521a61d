//! Language, beats, regions, pause and resume: one question for all that a mail asks, and nothing before its answer.

use depesch::model::subscriber::SubscriptionState;

use crate::support::commands::Desk;

const KARIN: &str = "karin@press.example";

#[tokio::test]
async fn several_wishes_have_one_question() {
    let desk = Desk::new().await;
    desk.subscribes(KARIN).await;
    desk.clock.advance(chrono::Duration::days(1));
    let text = "Hej,\n\nspråk: engelska\nämnen: Skola, vård\nregioner: Skåne\npausa\n\nMvh\nKarin\n";
    desk.writes(KARIN, "request", "Inställningar", text).await;
    let question = desk.last().await;
    let said = question.mail.text().split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["på engelska", "bevakar skola, vård.", "regionerna skåne.", "Gör uppehåll"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let before = desk.subscriber(KARIN).await.unwrap();
    assert_eq!((before.language.as_str(), before.beats.len()), ("sv", 0), "nothing before the answer");
    desk.replies(&question, "ok").await;
    let karin = desk.subscriber(KARIN).await.unwrap();
    assert_eq!(karin.language.as_str(), "en");
    assert_eq!(karin.beats.iter().collect::<Vec<_>>(), ["skola", "vård"]);
    assert_eq!(karin.regions.iter().collect::<Vec<_>>(), ["skåne"]);
    assert_eq!(desk.standing(KARIN).await, Some(SubscriptionState::Paused));
    assert_eq!(desk.last().await.about, "done");
}

#[tokio::test]
async fn a_pause_ends_with_resume() {
    let desk = Desk::new().await;
    desk.subscribes(KARIN).await;
    for (what, state) in [("pause", SubscriptionState::Paused), ("resume", SubscriptionState::Active)] {
        desk.clock.advance(chrono::Duration::days(1));
        desk.writes(KARIN, what, "", "").await;
        desk.replies(&desk.last().await, "").await;
        assert_eq!(desk.standing(KARIN).await, Some(state));
    }
}

#[tokio::test]
async fn a_new_subscriber_may_say_all_in_the_first_mail() {
    let desk = Desk::new().await;
    desk.writes(KARIN, "subscribe", "subscribe", "language: english\nbeats: schools\n").await;
    let question = desk.last().await;
    assert!(question.mail.subject().starts_with("Confirm your subscription"));
    desk.replies(&question, "yes").await;
    let karin = desk.subscriber(KARIN).await.unwrap();
    assert_eq!((karin.language.as_str(), karin.beats.len()), ("en", 1));
    assert_eq!(desk.standing(KARIN).await, Some(SubscriptionState::Active));
}

#[tokio::test]
async fn what_is_no_command_gets_help_and_a_letter_goes_to_the_owner() {
    let desk = Desk::new().await;
    desk.writes(KARIN, "request", "Hej", "").await;
    assert_eq!(desk.last().await.about, "help");
    let letter = "Jag undrar om ni kan sätta mig i kontakt med någon som kan berätta mer om förra veckans rapport.";
    desk.writes(KARIN, "request", "Fråga", letter).await;
    desk.writes(KARIN, "request", "owner", "").await;
    assert_eq!(
        desk.sent().await,
        [&format!("help to {KARIN}"), "passed-on to press@example.org", "passed-on to press@example.org"]
    );
}
