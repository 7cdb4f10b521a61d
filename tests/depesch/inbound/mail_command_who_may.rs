//! Closed lists, sensitive lists, suppressed and erased addresses.

use depesch::model::list::{Joining, Privacy};
use depesch::model::subscriber::SubscriptionState;
use depesch::model::suppression::SuppressionReason;
use depesch::privacy::erasure::Eraser;
use depesch::privacy::personal_data::Files;
use depesch::subscribers::limits::AskSettings;
use depesch::subscribers::profile::SubscriberService;

use crate::support::commands::World;
use crate::support::inbound::list;

const KARIN: &str = "karin@press.example";

fn people(world: &World) -> SubscriberService {
    SubscriberService {
        store: world.store.clone(),
        key: world.key.clone(),
        at: world.clock.now(),
        who: "anna".to_owned(),
    }
}

#[tokio::test]
async fn an_open_list_asks_too() {
    let open = depesch::model::list::List { joining: Joining::Open, ..list("media") };
    let world = World::with(open, AskSettings::default()).await;
    world.writes(KARIN, "subscribe", "", "").await;
    assert_eq!(world.last().await.about, "confirm", "a From field proves nothing");
    assert_eq!(world.standing(KARIN).await, None);
}

#[tokio::test]
async fn a_request_to_a_closed_list_is_forwarded_to_its_owner() {
    let closed = depesch::model::list::List { joining: Joining::Closed, ..list("media") };
    let world = World::with(closed, AskSettings::default()).await;
    world.writes(KARIN, "subscribe", "", "").await;
    assert_eq!(world.sent().await, ["passed-on to press@example.org", &format!("closed to {KARIN}")]);
}

#[tokio::test]
async fn a_sensitive_list_is_named_in_no_notice() {
    let title = "Strejkfonden".to_owned();
    let sensitive = depesch::model::list::List { privacy: Privacy::Sensitive, title, ..list("media") };
    let world = World::with(sensitive, AskSettings::default()).await;
    world.subscribes(KARIN).await;
    world.writes(KARIN, "which", "", "").await;
    world.writes(KARIN, "help", "", "").await;
    assert_eq!(world.notices().await.len(), 4);
    for notice in world.notices().await {
        let fields: String =
            notice.mail.headers().iter().map(|field| format!("{} {}\n", field.name, field.value)).collect();
        let whole = format!("{fields}{}{}", notice.mail.text(), notice.mail.html().unwrap());
        assert!(!whole.contains("Strejkfonden") && !whole.contains("media-") && !whole.contains("media@"), "{whole}");
    }
}

#[tokio::test]
async fn their_own_confirmed_request_lifts_their_own_no_for_that_list_alone() {
    let world = World::new().await;
    world.store.create_list(&list("sport")).await.unwrap();
    world.subscribes(KARIN).await;
    let id = world.subscriber(KARIN).await.unwrap().id;
    let sport = "sport".parse().unwrap();
    let subscribe = depesch::subscribers::profile::SubscriptionChange::Subscribe;
    people(&world).change_subscription(id, &sport, subscribe, "asked by phone").await.unwrap();
    let address = KARIN.parse().unwrap();
    people(&world).suppress(&address, SuppressionReason::Request, "").await.unwrap();
    world.clock.advance(chrono::Duration::days(1));
    let before = world.notices().await.len();
    for what in ["help", "which", "pause"] {
        world.writes(KARIN, what, "", "").await;
    }
    let answers = world.sent().await;
    assert!(answers[before..].iter().all(|sent| sent.starts_with("passed-on")), "{answers:?}");
    world.writes(KARIN, "subscribe", "", "").await;
    assert!(world.store.is_suppressed(&world.key.hash_address(&address)).await.unwrap(), "not before the reply");
    world.replies(&world.last().await, "ja").await;
    assert!(!world.store.is_suppressed(&world.key.hash_address(&address)).await.unwrap());
    assert_eq!(world.standing(KARIN).await, Some(SubscriptionState::Active));
    assert_eq!(world.subscriber(KARIN).await.unwrap().state_on(&sport), Some(SubscriptionState::Ended));
}

#[tokio::test]
async fn a_complaint_or_an_operators_suppression_is_lifted_only_by_a_person() {
    for reason in [SuppressionReason::Complaint, SuppressionReason::Operator] {
        let world = World::new().await;
        people(&world).suppress(&KARIN.parse().unwrap(), reason, "").await.unwrap();
        world.writes(KARIN, "subscribe", "", "").await;
        assert_eq!(world.sent().await, ["passed-on to press@example.org"]);
        // Suppressed between question and reply: same result.
        let other = "bo@press.example";
        world.writes(other, "subscribe", "", "").await;
        let question = world.last().await;
        people(&world).suppress(&other.parse().unwrap(), reason, "").await.unwrap();
        world.replies(&question, "ja").await;
        assert_eq!(world.standing(other).await, None);
    }
}

#[tokio::test]
async fn the_erased_may_come_back_by_themselves() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    people(&world).erase(KARIN, None).await.unwrap();
    world.clock.advance(chrono::Duration::days(1));
    world.subscribes(KARIN).await;
    assert_eq!(world.subscriber(KARIN).await.unwrap().subscriptions.len(), 1);
}

#[tokio::test]
async fn evidence_outlives_retention_and_not_erasure() {
    let world = World::new().await;
    world.subscribes(KARIN).await;
    let depesch::model::consent::ConsentSource::Mail { evidence: Some(hash), .. } =
        world.subscriber(KARIN).await.unwrap().subscriptions[&"media".parse().unwrap()].events[0].source.clone()
    else {
        panic!("no evidence")
    };
    // The files' times are from the machine's clock, not the test's: at this instant all of them are old enough.
    let late: depesch::base::clock::Timestamp = "2999-01-01T00:00:00Z".parse().unwrap();
    let drop = async || depesch::privacy::retention::drop_attachments(&world.store, &world.blobs, late).await.unwrap();
    assert_eq!(drop().await, 0);
    assert!(world.blobs.size(&hash).await.unwrap().is_some());
    assert!(world.state_directory().join("blobs").exists());
    world.writes("bo@press.example", "subscribe", "", "").await;
    let erase = async |who: &str| {
        let files = Files { spool: world.spool.clone(), blobs: world.blobs.clone(), capture: None };
        let people = people(&world);
        people.erase(who, Some(&files)).await.unwrap();
        let eraser = Eraser { store: world.store.clone(), key: people.key.clone(), files: Some(files) };
        assert_eq!(eraser.work(people.at).await.unwrap().open, []);
    };
    erase("bo@press.example").await;
    assert!(
        world
            .store
            .scan_requests(None, 10)
            .await
            .unwrap()
            .0
            .iter()
            .all(|pending| pending.value.address.as_str() == KARIN)
    );
    erase(KARIN).await;
    assert_eq!(world.store.scan_requests(None, 10).await.unwrap().0.len(), 0);
    assert!(world.blobs.size(&hash).await.unwrap().is_none());
    assert_eq!(drop().await, 0);
}
