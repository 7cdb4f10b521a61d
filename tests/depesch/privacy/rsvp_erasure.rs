//! Erasure removes a person's answers; before it, the person's record contains them.

use depesch::subscribers::profile::SubscriberService;

use crate::support::mailings::put_subscriber;
use crate::support::people::{erase, everything};
use crate::support::rsvps::Hosts;

fn service(hosts: &Hosts) -> SubscriberService {
    let (store, key) = (hosts.world.store.clone(), hosts.world.key.clone());
    SubscriberService { store, key, at: hosts.now(), who: "anna".to_owned() }
}

#[tokio::test]
async fn a_subscriber_s_answers_are_in_the_record_and_go_with_it() {
    let hosts = Hosts::with_one().await;
    put_subscriber(&hosts.world.store, 4, &["media"], |_| {}).await;
    hosts.writes("reader4", "Jag kommer. Mvh\nKarin Ekman").await;
    hosts.writes("nils", "Jag kommer.").await;
    // An answer under a former address is still theirs.
    let fields =
        depesch::subscribers::profile::PersonFields { address: Some("karin@example.com".into()), ..Default::default() };
    service(&hosts).edit(depesch::base::id::SubscriberId(4), &fields).await.unwrap();
    let record = service(&hosts).record("s4", None).await.unwrap();
    assert_eq!(record.rsvps.len(), 1);
    erase(&service(&hosts), "s4").await.unwrap();
    let left = hosts.overview(1).await.answers;
    assert_eq!(left.iter().map(|a| a.rsvp.address.local_part()).collect::<Vec<_>>(), ["nils"]);
}

#[tokio::test]
async fn a_stranger_s_answer_can_be_erased_too() {
    let hosts = Hosts::with_one().await;
    hosts.writes("nils", "Tyvärr inte.\n\nMvh\nNils Holmgren").await;
    erase(&service(&hosts), "nils@example.com").await.unwrap();
    assert!(hosts.overview(1).await.answers.is_empty());
    for (key, value) in everything(&hosts.world.store).await {
        // Notices have separate retention rules.
        if [b'J', b'j', b's', b'x'].contains(&key[0]) {
            let text = String::from_utf8_lossy(&value).to_lowercase();
            assert!(!text.contains("nils") && !text.contains("holmgren"), "{text:?}");
        }
    }
    assert!(erase(&service(&hosts), "eva@example.com").await.is_err(), "nothing is known of her");
}
