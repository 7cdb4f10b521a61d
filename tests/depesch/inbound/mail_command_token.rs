//! The token of a question: valid for one yes or no, until it expires, for its own purpose, and not in automatic
//! replies.

use depesch::base::id::ListName;
use depesch::base::token::Purpose;
use depesch::inbound::destination::{Directory, Resolved};
use depesch::inbound::recipients::Recipient;
use depesch::model::subscriber::SubscriptionState;

use crate::support::commands::{Sent, World, reply};

const KARIN: &str = "karin@press.example";

async fn asked() -> (World, Sent) {
    let world = World::new().await;
    world.writes(KARIN, "subscribe", "", "").await;
    let question = world.last().await;
    (world, question)
}

#[tokio::test]
async fn it_expires_after_seven_days() {
    let (world, question) = asked().await;
    world.clock.advance(chrono::Duration::days(7));
    assert!(world.replies(&question, "ja").await.starts_with("command: the question had expired"));
    assert_eq!(world.standing(KARIN).await, None);
    assert_eq!(world.last().await.about, "expired");

    let (world, question) = asked().await;
    world.clock.advance(chrono::Duration::days(7) - chrono::Duration::minutes(2));
    world.replies(&question, "ja").await;
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Active));
}

#[tokio::test]
async fn it_works_once() {
    let (world, question) = asked().await;
    world.replies(&question, "ja").await;
    let media: ListName = "media".parse().unwrap();
    let karin = world.subscriber(KARIN).await.unwrap();
    world.clock.advance(chrono::Duration::days(1));
    world.writes(KARIN, "unsubscribe", "", "").await;
    world.replies(&world.last().await, "ja").await;
    let notices = world.notices().await.len();
    let note = world.replies(&question, "ja").await;
    assert_eq!(note, "command: the question was answered before; nothing is done");
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Ended));
    assert_eq!(world.notices().await.len(), notices);
    assert_eq!(karin.subscriptions[&media].events.len(), 1);
}

#[tokio::test]
async fn two_replies_at_once_grant_it_once() {
    let (world, question) = asked().await;
    let mail = reply(&question, "ja");
    let first = world.effects(Some(KARIN), &question.reply_to, &mail).await;
    let second = world.effects(Some(KARIN), &question.reply_to, &mail).await;
    assert_eq!(world.store.commit(first.batch).await.unwrap(), depesch::store::engine::Commit::Applied);
    assert_ne!(world.store.commit(second.batch).await.unwrap(), depesch::store::engine::Commit::Applied);
}

#[tokio::test]
async fn an_altered_token_or_one_for_another_purpose_is_invalid() {
    let (world, question) = asked().await;
    let code = question.reply_to.split(['+', '@']).nth(1).unwrap();
    let mut altered = code.to_owned();
    altered.replace_range(3..4, if altered[3..].starts_with('a') { "b" } else { "a" });
    let directory = Directory::new(world.store.clone(), world.key.clone());
    let others = [Purpose::Unsubscribe, Purpose::Bounce, Purpose::MessageId]
        .map(|purpose| world.key.sign(purpose, &world.key.verify(Purpose::Confirm, code).unwrap()));
    for token in others.iter().chain([&altered]) {
        let address = format!("media-confirm+{token}@lists.example.org");
        let Resolved::No(answer) = directory.resolve(&address).await.unwrap() else { panic!("{token} was taken") };
        assert_eq!(answer, Recipient::Forged);
        // Nor with the token in subject and text.
        world.writes(KARIN, "request", &format!("Sv: [{token}]"), &format!("ja\n> {token}")).await;
        assert_eq!(world.standing(KARIN).await, None, "{token}");
    }
}

#[tokio::test]
async fn a_no_is_a_no_and_a_letter_is_for_a_person() {
    let (world, question) = asked().await;
    assert!(world.replies(&question, "Jag har inte bett om det här. Vad är det?").await.starts_with("forwarded"));
    assert_eq!(world.standing(KARIN).await, None);
    assert_eq!(world.replies(&question, "Nej tack").await, "command: the answer was no: nothing is done");
    world.replies(&question, "ja").await;
    assert_eq!(world.standing(KARIN).await, None, "a no is the answer");
}

#[tokio::test]
async fn an_automatic_answer_confirms_nothing() {
    let (world, question) = asked().await;
    let plain = reply(&question, "Jag är på semester till den 15 augusti.");
    let marked = format!("Auto-Submitted: auto-replied\n{}", reply(&question, ""));
    let answerer = format!("X-Autoresponder: 1\n{}", reply(&question, "ja"));
    let precedence = format!("Precedence: bulk\n{}", reply(&question, ""));
    let subject = reply(&question, "").replace("Subject: Sv:", "Subject: Autosvar:");
    // Without marks of a program, a person reads it.
    for mail in [plain, precedence, subject] {
        let note = world.arrives(Some(KARIN), &question.reply_to, &mail).await;
        assert!(note.starts_with("forwarded"), "{note}: {mail}");
    }
    let notices = world.notices().await.len();
    for mail in [marked, answerer] {
        let note = world.arrives(Some(KARIN), &question.reply_to, &mail).await;
        assert!(note.starts_with("auto-reply"), "{note}: {mail}");
    }
    let note = world.arrives(None, &question.reply_to, &reply(&question, "")).await;
    assert!(note.starts_with("auto-reply"), "{note}");
    assert_eq!(world.standing(KARIN).await, None);
    assert_eq!(world.notices().await.len(), notices, "nothing is answered");
}

#[tokio::test]
async fn an_older_question_does_not_bring_back_who_left_since() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    let welcome = world.last().await;
    world.clock.advance(chrono::Duration::days(1));
    world.writes(KARIN, "subscribe", "", "").await;
    let question = world.last().await;
    world.clock.advance(chrono::Duration::minutes(1));
    let unsubscribe = welcome.mail.header("List-Unsubscribe").unwrap();
    let unsubscribe = unsubscribe.trim_start_matches("<mailto:").trim_end_matches('>').to_owned();
    world.arrives(Some(KARIN), &unsubscribe, "From: karin@press.example\nSubject: x\n\n").await;
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Ended));
    world.clock.advance(chrono::Duration::minutes(1));
    let note = world.replies(&question, "ja").await;
    assert_eq!(note, "command: not subscribed: the person left after asking");
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Ended));
    let answer = world.last().await;
    assert_eq!((answer.about.as_str(), answer.to.as_str()), ("left-since", KARIN));
    // Who else replies to it learns nothing: the answer goes to the person.
    let note = world.arrives(Some("eva@press.example"), &question.reply_to, &reply(&question, "ja")).await;
    assert!(note.starts_with("command: not subscribed: the person left after asking"), "{note}");
    assert!(world.notices().await.iter().all(|notice| notice.to == KARIN), "{:?}", world.sent().await);
    // A new question does.
    world.clock.advance(chrono::Duration::days(1));
    world.subscribes(KARIN).await;
}
