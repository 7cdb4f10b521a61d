//! Erasure takes a person's answers with it; the person's record shows them before.

use depesch::subscribers::profile::Desk;

use crate::support::mailings::put_subscriber;
use crate::support::people::{erase, everything};
use crate::support::rsvps::Hosts;

fn desk(hosts: &Hosts) -> Desk {
    let (store, key) = (hosts.desk.store.clone(), hosts.desk.key.clone());
    Desk { store, key, at: hosts.now(), who: "anna".to_owned() }
}

#[tokio::test]
async fn a_subscriber_s_answers_are_in_the_record_and_go_with_it() {
    let hosts = Hosts::with_one().await;
    put_subscriber(&hosts.desk.store, 4, &["media"], |_| {}).await;
    hosts.writes("reader4", "Jag kommer. Mvh\nKarin Ekman").await;
    hosts.writes("nils", "Jag kommer.").await;
    // Under a new address it is still theirs.
    let fields =
        depesch::subscribers::profile::PersonFields { address: Some("karin@example.com".into()), ..Default::default() };
    desk(&hosts).edit(depesch::base::id::SubscriberId(4), &fields).await.unwrap();
    let record = desk(&hosts).record("s4", None).await.unwrap();
    assert_eq!(record.rsvps.len(), 1);
    erase(&desk(&hosts), "s4").await.unwrap();
    let left = hosts.overview(1).await.answers;
    assert_eq!(left.iter().map(|a| a.rsvp.address.local_part()).collect::<Vec<_>>(), ["nils"]);
}

#[tokio::test]
async fn a_stranger_s_answer_can_be_erased_too() {
    let hosts = Hosts::with_one().await;
    hosts.writes("nils", "Tyvärr inte.\n\nMvh\nNils Holmgren").await;
    erase(&desk(&hosts), "nils@example.com").await.unwrap();
    assert!(hosts.overview(1).await.answers.is_empty());
    for (key, value) in everything(&hosts.desk.store).await {
        // Letters are kept by rules of their own.
        if [b'J', b'j', b's', b'x'].contains(&key[0]) {
            let text = String::from_utf8_lossy(&value).to_lowercase();
            assert!(!text.contains("nils") && !text.contains("holmgren"), "{text:?}");
        }
    }
    assert!(erase(&desk(&hosts), "eva@example.com").await.is_err(), "nothing is known of her");
}
