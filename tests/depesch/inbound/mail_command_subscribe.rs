//! Subscribing by mail: nothing happens before the reply to the question; then the subscription is active, with its
//! evidence.

use depesch::api::person_view::SubscriberView;
use depesch::base::token::{content_hash, to_hex};
use depesch::model::subscriber::SubscriptionState;

use crate::support::commands::{World, reply};

#[tokio::test]
async fn a_question_then_a_plain_reply_then_a_subscription() {
    let world = World::new().await;
    let note = world.writes("Karin Ek <karin@press.example>", "subscribe", "", "").await;
    assert_eq!(note, "command: asked for a confirmation");
    assert!(world.store.has_no_subscribers().await.unwrap(), "no subscriber exists before the confirmation");
    let question = world.last().await;
    assert_eq!((question.about.as_str(), question.to.as_str()), ("confirm", "karin@press.example"));
    assert_eq!(question.mail.header("Auto-Submitted"), Some("auto-replied"));
    assert!(question.mail.header("List-Id").unwrap().contains("media.lists.example.org"));
    assert_eq!(question.mail.answered_ids().first().copied(), Some("t1@mail.example"));
    assert!(question.mail.html().is_some() && question.mail.text().contains("karin@press.example"));
    assert!(question.reply_to.starts_with("media-confirm+"), "{}", question.reply_to);
    assert!(question.reply_to.len() <= "@lists.example.org".len() + 64);

    let answer = reply(&question, "Ja tack!\n\nMvh\nKarin").replace("From: ", "From: Karin Ek ");
    let answer = answer.replace("Karin Ek karin@press.example", "Karin Ek <karin@press.example>");
    assert_eq!(
        world.arrives(Some("karin@press.example"), &question.reply_to, &answer).await,
        "command: confirmed and done"
    );
    assert_eq!(world.standing("karin@press.example").await, Some(SubscriptionState::Active));
    let karin = world.subscriber("karin@press.example").await.unwrap();
    assert_eq!((karin.name.as_deref(), karin.language.as_str()), (Some("Karin Ek"), "sv"));
    assert_eq!(world.sent().await, ["confirm to karin@press.example", "welcome to karin@press.example"]);
}

#[tokio::test]
async fn the_consent_ledger_keeps_the_words_and_the_raw_confirmation() {
    let world = World::new().await;
    world.writes("karin@press.example", "request", "Prenumerera", "").await;
    let question = world.last().await;
    world.replies(&question, "Ja tack!").await;
    let shown = SubscriberView::from(&world.subscriber("karin@press.example").await.unwrap());
    let event = shown.subscriptions[&"media".parse().unwrap()].events[0].clone();
    let asked = "Ja, skicka utskicken från Media och redaktioner till karin@press.example.";
    assert_eq!(event.words, format!("{asked} [reply: \u{201c}Ja tack!\u{201d}]"));
    let text = question.mail.text().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(asked), "these words stood in the question: {text}");
    assert_eq!((event.way.as_str(), event.from.as_str()), ("mail", "reply@mail.example"));
    let raw = reply(&question, "Ja tack!").replace('\n', "\r\n");
    let hash = content_hash(raw.as_bytes());
    assert_eq!(event.evidence, Some(to_hex(&hash)));
    assert_eq!(world.blobs.read(&hash).await.unwrap(), raw.as_bytes());
}

#[tokio::test]
async fn every_way_of_asking_in_both_languages() {
    let asks = [
        ("subscribe", "", "", "sv"),
        ("join", "Hello", "", "sv"),
        ("request", "subscribe", "", "en"),
        ("request", "Sv: hej", "Hej!\nJag vill gärna prenumerera på era pressmeddelanden.\n", "sv"),
        ("prenumerera", "", "", "sv"),
        ("request", "", "subscribe media\n-- \nunsubscribe\n", "en"),
    ];
    for separator in ['-', '+'] {
        for (what, subject, text, language) in asks {
            let world = World::new().await;
            let mail = format!("From: karin@press.example\nSubject: {subject}\n\n{text}\n");
            let to = format!("media{separator}{what}@lists.example.org");
            world.arrives(Some("karin@press.example"), &to, &mail).await;
            let question = world.last().await;
            assert_eq!(question.about, "confirm", "{to} {subject} {text}");
            assert_eq!(question.mail.subject().starts_with("Confirm"), language == "en", "{to} {subject} {text}");
            world.replies(&question, "").await;
            let karin = world.subscriber("karin@press.example").await.unwrap();
            assert_eq!(karin.language.as_str(), language, "{to} {subject} {text}");
        }
    }
}

#[tokio::test]
async fn a_reply_is_understood_whatever_the_mail_program_loses() {
    for (to, keeps_subject, quotes) in [
        ("media-request@lists.example.org", true, false),
        ("media-request@lists.example.org", false, true),
        ("media-confirm@lists.example.org", true, false),
        ("media+confirm@lists.example.org", false, true),
    ] {
        let world = World::new().await;
        world.writes("karin@press.example", "subscribe", "", "").await;
        let question = world.last().await;
        let subject = if keeps_subject { question.mail.subject() } else { "Sv:" };
        let body = match quotes {
            // As Outlook does: HTML alone, the original below its own header block.
            true => format!(
                "Content-Type: text/html; charset=utf-8\n\n<div>OK</div><hr><div><b>Från:</b> Media</div><div><b>Skickat:</b> \
                 i dag</div><div>{}</div>",
                question.mail.html().unwrap().replace('\n', " ")
            ),
            false => "\n".to_owned(),
        };
        let quoted = if quotes { body.clone() } else { format!("\n{body}") };
        let code = question.reply_to.split(['+', '@']).nth(1).unwrap();
        let quoted = if quotes { quoted.replace("</div></div>", &format!("[{code}]</div></div>")) } else { quoted };
        let mail = format!("From: karin@press.example\nSubject: Re: {subject}\n{quoted}");
        let found = mail.contains(code);
        world.arrives(Some("karin@press.example"), to, &mail).await;
        assert!(found, "the question's own text or subject holds the code: {mail}");
        assert_eq!(world.standing("karin@press.example").await, Some(SubscriptionState::Active), "{to} {mail}");
    }
}

#[tokio::test]
async fn who_left_may_come_back_by_their_own_confirmed_request() {
    let world = World::new().await;
    world.subscribes("karin@press.example").await;
    world.clock.advance(chrono::Duration::days(1));
    world.writes("karin@press.example", "unsubscribe", "", "").await;
    world.replies(&world.last().await, "ja").await;
    assert_eq!(world.standing("karin@press.example").await, Some(SubscriptionState::Ended));
    assert_eq!(world.last().await.about, "goodbye");
    world.clock.advance(chrono::Duration::days(1));
    world.subscribes("karin@press.example").await;
    let karin = world.subscriber("karin@press.example").await.unwrap();
    assert_eq!(karin.subscriptions[&"media".parse().unwrap()].events.len(), 3);
}
