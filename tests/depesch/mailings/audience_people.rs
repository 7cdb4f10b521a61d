//! Who gets a mailing, who does not, and why: before the audience is taken and after.

use depesch::base::id::{ListName, SubscriberId};
use depesch::base::token::Key;
use depesch::mailings::audience::count;
use depesch::mailings::people::{Of, Who, people};
use depesch::model::consent::ConsentSource;
use depesch::model::mailing::{AudienceQuery, MissedPolicy};
use depesch::model::subscriber::{Subscriber, SubscriptionState};
use depesch::model::suppression::{Suppression, SuppressionReason};
use depesch::store::engine::Batch;
use depesch::store::{Store, suppressions};

use crate::support::mailings::{accepted, mailing, minute, put_frozen, put_subscriber, settle, store};

fn key() -> Key {
    Key::new([7; 32])
}

fn media() -> ListName {
    "media".parse().unwrap()
}

/// Subscribers on `media`: 1 active and covering vård, 2 active, 3 paused, 4 ended, 5 suppressed, 6 English; 7 elsewhere.
async fn house() -> Store {
    let store = store();
    let state = |state: SubscriptionState| {
        move |s: &mut Subscriber| {
            let source = ConsentSource::Operator { who: "anna".into() };
            s.change(&media(), state, minute(0), source, String::new()).unwrap();
        }
    };
    let covers = |s: &mut Subscriber| {
        s.beats.insert("vård".into());
    };
    put_subscriber(&store, 1, &["media"], covers).await;
    put_subscriber(&store, 2, &["media"], |_| {}).await;
    put_subscriber(&store, 3, &["media"], state(SubscriptionState::Paused)).await;
    put_subscriber(&store, 4, &["media"], state(SubscriptionState::Ended)).await;
    let sam = put_subscriber(&store, 5, &["media"], covers).await;
    put_subscriber(&store, 6, &["media"], |s| s.language = "en".parse().unwrap()).await;
    put_subscriber(&store, 7, &["members"], |_| {}).await;
    let mut batch = Batch::new();
    let suppression =
        Suppression { address: None, reason: SuppressionReason::Request, since: minute(0), note: String::new() };
    suppressions::put(&mut batch, &key().hash_address(&sam.address), None, &suppression);
    store.commit(batch).await.unwrap();
    store
}

async fn listed(store: &Store, of: Of<'_>, who: Who, limit: usize) -> Vec<String> {
    let (mut lines, mut after) = (Vec::new(), Some(SubscriberId(0)));
    while let Some(from) = after {
        let (found, next) = people(store, &key(), of, who, (from, limit)).await.unwrap();
        assert!(found.len() <= limit);
        let line = |one: &depesch::mailings::people::Standing| {
            format!("{} {}: {}", one.subscriber.id, if one.is_in { "in" } else { "out" }, one.why)
        };
        lines.extend(found.iter().map(line));
        after = next;
    }
    lines
}

#[tokio::test]
async fn each_person_of_the_lists_is_named_with_the_reason() {
    let store = house().await;
    let query = AudienceQuery {
        lists: [media()].into(),
        beats: ["vård".to_owned()].into(),
        languages: ["sv".parse().unwrap()].into(),
        ..AudienceQuery::default()
    };
    let expected = [
        "s1 in: active on media",
        "s2 out: covers none of the beats",
        "s3 out: paused on media; covers none of the beats",
        "s4 out: has left media; covers none of the beats",
        "s5 out: suppressed: no mail is sent to this address",
        "s6 out: covers none of the beats; reads en",
    ];
    for limit in [1, 2, 100] {
        assert_eq!(listed(&store, Of::Query(&query), Who::All, limit).await, expected, "{limit} a page");
        assert_eq!(listed(&store, Of::Query(&query), Who::In, limit).await, expected[..1]);
        assert_eq!(listed(&store, Of::Query(&query), Who::Out, limit).await, expected[1..]);
    }
}

#[tokio::test]
async fn who_is_in_is_who_is_counted_but_for_suppressed_addresses() {
    let store = house().await;
    let query = AudienceQuery { lists: [media(), "members".parse().unwrap()].into(), ..AudienceQuery::default() };
    let members = listed(&store, Of::Query(&query), Who::In, 100).await;
    assert_eq!(count(&store, &query).await.unwrap(), members.len() as u64 + 1);
}

#[tokio::test]
async fn once_taken_the_ledger_says_who_was_in_it() {
    let store = house().await;
    // The ledger holds 1 to 3, though 3 has paused since.
    let m = put_frozen(&store, 4, 3).await;
    settle(&store, &m, vec![accepted()]).await;
    let expected = [
        "s1 in: accepted",
        "s2 in: waiting",
        "s3 in: waiting",
        "s4 out: has left media",
        "s5 out: came after the audience was taken",
        "s6 out: came after the audience was taken",
    ];
    assert_eq!(listed(&store, Of::Mailing(&m), Who::All, 100).await, expected);
    let waits = mailing(9, MissedPolicy::Ask);
    assert_eq!(listed(&store, Of::Mailing(&waits), Who::In, 100).await.len(), 3, "a waiting one as of now");
}
