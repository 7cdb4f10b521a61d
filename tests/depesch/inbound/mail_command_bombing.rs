//! Limits on what strangers can make us send to a person: four questions a day, and a limit per hour. Programs get
//! nothing.

use depesch::subscribers::limits::AskSettings;

use crate::support::commands::World;
use crate::support::inbound::list;

#[tokio::test]
async fn one_question_about_leaving_one_about_joining_and_two_about_settings_for_each_address_and_day() {
    let world = World::new().await;
    world.store.create_list(&list("sport")).await.unwrap();
    let settings = ["ämnen: skola", "ämnen: vård", "ämnen: kultur", "regioner: Skåne"];
    for what in ["subscribe", "unsubscribe", "pause", "resume", "subscribe"] {
        world.writes("Karin@press.example", what, "", "").await;
        world.writes("karin@PRESS.example", "request", "prenumerera", "").await;
        let mail = "From: karin@press.example\nSubject: x\n\n";
        world.arrives(Some("karin@press.example"), "sport-subscribe@lists.example.org", mail).await;
    }
    let asked = async || world.sent().await.iter().filter(|sent| sent.starts_with("confirm to ")).count();
    for text in settings {
        world.writes("karin@press.example", "set", "", text).await;
    }
    assert_eq!(asked().await, 4, "{:?}", world.sent().await);
    world.clock.advance(chrono::Duration::days(1));
    world.writes("karin@press.example", "subscribe", "", "").await;
    assert_eq!(asked().await, 5);
}

#[tokio::test]
async fn tags_after_a_plus_do_not_make_another_mailbox() {
    let world = World::new().await;
    for tag in ["", "+a", "+b", "+c+d", "+E"] {
        world.writes(&format!("karin{tag}@press.example"), "subscribe", "", "").await;
    }
    assert_eq!(world.sent().await, ["confirm to karin@press.example"]);
    world.writes("karina@press.example", "subscribe", "", "").await;
    assert_eq!(world.sent().await.len(), 2, "another person");
}

#[tokio::test]
async fn a_forged_request_to_join_does_not_prevent_leaving() {
    let world = World::new().await;
    world.subscribes("karin@press.example").await;
    world.clock.advance(chrono::Duration::days(1));
    world.writes("karin@press.example", "subscribe", "", "").await;
    assert_eq!(
        world.writes("karin@press.example", "request", "avsluta", "").await,
        "command: asked for a confirmation"
    );
    // If the day's question about leaving was used up by a forged mail, a person sees the real request.
    let note = world.writes("karin@press.example", "unsubscribe", "", "").await;
    assert!(note.contains("forwarded to the owner"), "{note}");
    let passed = world.sent().await.into_iter().filter(|sent| sent.starts_with("passed-on")).count();
    assert_eq!(passed, 1, "{:?}", world.sent().await);
}

#[tokio::test]
async fn the_same_answer_once_a_day() {
    let world = World::new().await;
    for _ in 0..5 {
        world.writes("karin@press.example", "help", "", "").await;
        world.writes("karin@press.example", "which", "", "").await;
    }
    assert_eq!(world.sent().await, ["help to karin@press.example", "which to karin@press.example"]);
}

#[tokio::test]
async fn answers_are_limited_per_hour_by_domain_and_machine() {
    let settings = AskSettings { answers_per_hour: 3, ..AskSettings::default() };
    let world = World::with(list("media"), settings).await;
    for number in 0..5 {
        world.writes(&format!("p{number}@press.example"), "subscribe", "", "").await;
    }
    assert_eq!(world.notices().await.len(), 3);
    // The machine that sent them all has used up its share too.
    let note = world.writes("karin@other.example", "subscribe", "", "").await;
    assert_eq!(note, "command: no \u{201c}confirm\u{201d} now: too many answers this hour; handled again at 12:00 UTC");
    world.clock.advance(chrono::Duration::hours(1));
    // A question that was held back does not count towards the day's limit.
    world.writes("p4@press.example", "subscribe", "", "").await;
    assert_eq!(world.notices().await.len(), 4);
}

#[tokio::test]
async fn programs_get_no_answer() {
    let world = World::new().await;
    for (sender, field) in [
        (None, "X-Mailer: x"),
        (Some("MAILER-DAEMON@press.example"), "X-Mailer: x"),
        (Some("other-request@press.example"), "X-Mailer: x"),
        (Some("owner-other@press.example"), "X-Mailer: x"),
        (Some("karin@press.example"), "Auto-Submitted: auto-generated"),
        (Some("karin@press.example"), "Auto-Submitted: auto-replied (vacation)"),
        (Some("karin@press.example"), "Precedence: list"),
        (Some("karin@press.example"), "List-Id: <other.example>"),
    ] {
        for what in ["subscribe", "unsubscribe", "request", "help", "which", "pause", "set"] {
            let mail = format!("From: karin@press.example\nSubject: help\n{field}\n\nunsubscribe\n");
            world.arrives(sender, &format!("media-{what}@lists.example.org"), &mail).await;
        }
    }
    let answers: Vec<_> = world.sent().await.into_iter().filter(|sent| !sent.starts_with("passed-on")).collect();
    assert!(answers.is_empty(), "{answers:?}");
}
