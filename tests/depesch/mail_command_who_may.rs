//! Closed lists, sensitive lists, suppressed and erased addresses.

use depesch::inbound::command::CommandSettings;
use depesch::model::list::{Joining, Privacy};
use depesch::model::subscriber::SubscriptionState;
use depesch::model::suppression::SuppressionReason;
use depesch::privacy::erasure::Eraser;
use depesch::privacy::personal_data::Files;
use depesch::subscribers::profile::Desk as PersonDesk;

use crate::support::commands::Desk;
use crate::support::inbound::list;

const KARIN: &str = "karin@press.example";

fn people(desk: &Desk) -> PersonDesk {
    PersonDesk { store: desk.store.clone(), key: desk.key.clone(), at: desk.clock.now(), who: "anna".to_owned() }
}

#[tokio::test]
async fn an_open_list_asks_too() {
    let open = depesch::model::list::List { joining: Joining::Open, ..list("media") };
    let desk = Desk::with(open, CommandSettings::default()).await;
    desk.writes(KARIN, "subscribe", "", "").await;
    assert_eq!(desk.last().await.about, "confirm", "a From field proves nothing");
    assert_eq!(desk.standing(KARIN).await, None);
}

#[tokio::test]
async fn a_closed_list_passes_on_to_its_owner() {
    let closed = depesch::model::list::List { joining: Joining::Closed, ..list("media") };
    let desk = Desk::with(closed, CommandSettings::default()).await;
    desk.writes(KARIN, "subscribe", "", "").await;
    assert_eq!(desk.sent().await, ["passed-on to press@example.org", &format!("closed to {KARIN}")]);
}

#[tokio::test]
async fn a_sensitive_list_is_named_in_no_letter() {
    let title = "Strejkfonden".to_owned();
    let sensitive = depesch::model::list::List { privacy: Privacy::Sensitive, title, ..list("media") };
    let desk = Desk::with(sensitive, CommandSettings::default()).await;
    desk.subscribes(KARIN).await;
    desk.writes(KARIN, "which", "", "").await;
    desk.writes(KARIN, "help", "", "").await;
    assert_eq!(desk.letters().await.len(), 4);
    for letter in desk.letters().await {
        let fields: String =
            letter.mail.headers().iter().map(|field| format!("{} {}\n", field.name, field.value)).collect();
        let whole = format!("{fields}{}{}", letter.mail.text(), letter.mail.html().unwrap());
        assert!(!whole.contains("Strejkfonden") && !whole.contains("media-") && !whole.contains("media@"), "{whole}");
    }
}

#[tokio::test]
async fn their_own_confirmed_wish_lifts_their_own_no_for_that_list_alone() {
    let desk = Desk::new().await;
    desk.store.create_list(&list("sport")).await.unwrap();
    desk.subscribes(KARIN).await;
    let id = desk.subscriber(KARIN).await.unwrap().id;
    let sport = "sport".parse().unwrap();
    let subscribe = depesch::subscribers::profile::SubscriptionChange::Subscribe;
    people(&desk).change_subscription(id, &sport, subscribe, "asked by phone").await.unwrap();
    let address = KARIN.parse().unwrap();
    people(&desk).suppress(&address, SuppressionReason::Request, "").await.unwrap();
    desk.clock.advance(chrono::Duration::days(1));
    let before = desk.letters().await.len();
    for what in ["help", "which", "pause"] {
        desk.writes(KARIN, what, "", "").await;
    }
    let answers = desk.sent().await;
    assert!(answers[before..].iter().all(|sent| sent.starts_with("passed-on")), "{answers:?}");
    desk.writes(KARIN, "subscribe", "", "").await;
    assert!(desk.store.is_suppressed(&desk.key.hash_address(&address)).await.unwrap(), "not before the reply");
    desk.replies(&desk.last().await, "ja").await;
    assert!(!desk.store.is_suppressed(&desk.key.hash_address(&address)).await.unwrap());
    assert_eq!(desk.standing(KARIN).await, Some(SubscriptionState::Active));
    assert_eq!(desk.subscriber(KARIN).await.unwrap().state_on(&sport), Some(SubscriptionState::Ended));
}

#[tokio::test]
async fn a_complaint_or_an_operators_word_is_for_a_person_to_lift() {
    for reason in [SuppressionReason::Complaint, SuppressionReason::Operator] {
        let desk = Desk::new().await;
        people(&desk).suppress(&KARIN.parse().unwrap(), reason, "").await.unwrap();
        desk.writes(KARIN, "subscribe", "", "").await;
        assert_eq!(desk.sent().await, ["passed-on to press@example.org"]);
        // Suppressed between question and reply: the same.
        let other = "bo@press.example";
        desk.writes(other, "subscribe", "", "").await;
        let question = desk.last().await;
        people(&desk).suppress(&other.parse().unwrap(), reason, "").await.unwrap();
        desk.replies(&question, "ja").await;
        assert_eq!(desk.standing(other).await, None);
    }
}

#[tokio::test]
async fn the_erased_may_come_back_by_themselves() {
    let desk = Desk::new().await;
    desk.subscribes(KARIN).await;
    people(&desk).erase(KARIN, None).await.unwrap();
    desk.clock.advance(chrono::Duration::days(1));
    desk.subscribes(KARIN).await;
    assert_eq!(desk.subscriber(KARIN).await.unwrap().subscriptions.len(), 1);
}

#[tokio::test]
async fn evidence_outlives_retention_and_not_erasure() {
    let desk = Desk::new().await;
    desk.subscribes(KARIN).await;
    let depesch::model::consent::ConsentSource::Mail { evidence: Some(hash), .. } =
        desk.subscriber(KARIN).await.unwrap().subscriptions[&"media".parse().unwrap()].events[0].source.clone()
    else {
        panic!("no evidence")
    };
    // The files are of today by the machine's own clock; all of them are old enough in this look.
    let late: depesch::base::clock::Timestamp = "2999-01-01T00:00:00Z".parse().unwrap();
    let drop = async || depesch::privacy::retention::drop_attachments(&desk.store, &desk.blobs, late).await.unwrap();
    assert_eq!(drop().await, 0);
    assert!(desk.blobs.size(&hash).await.unwrap().is_some());
    assert!(desk.state_directory().join("blobs").exists());
    desk.writes("bo@press.example", "subscribe", "", "").await;
    let erase = async |who: &str| {
        let files = Files { spool: desk.spool.clone(), blobs: desk.blobs.clone(), capture: None };
        let people = people(&desk);
        people.erase(who, Some(&files)).await.unwrap();
        let eraser = Eraser { store: desk.store.clone(), key: people.key.clone(), files: Some(files) };
        assert_eq!(eraser.work(people.at).await.unwrap().open, []);
    };
    erase("bo@press.example").await;
    assert!(desk.store.scan_wishes(None, 10).await.unwrap().0.iter().all(|wish| wish.value.address.as_str() == KARIN));
    erase(KARIN).await;
    assert_eq!(desk.store.scan_wishes(None, 10).await.unwrap().0.len(), 0);
    assert!(desk.blobs.size(&hash).await.unwrap().is_none());
    assert_eq!(drop().await, 0);
}
