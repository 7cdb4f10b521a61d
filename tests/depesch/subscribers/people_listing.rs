//! Subscribers are listed by what is known of them, page by page.

use depesch::base::id::SubscriberId;
use depesch::model::consent::ConsentSource;
use depesch::model::subscriber::SubscriptionState;
use depesch::store::Store;
use depesch::subscribers::listing::{Wanted, list};

use crate::support::mailings::{minute, put_subscriber, store};

async fn house() -> Store {
    let store = store();
    put_subscriber(&store, 1, &["media"], |s| {
        s.organisation = Some("Sveriges Radio".into());
        s.beats.insert("vård".into());
    })
    .await;
    put_subscriber(&store, 2, &["media", "members"], |s| {
        let source = ConsentSource::Operator { who: "anna".into() };
        s.change(&"media".parse().unwrap(), SubscriptionState::Paused, minute(0), source, String::new()).unwrap();
        s.regions.insert("skåne".into());
    })
    .await;
    put_subscriber(&store, 3, &["members"], |s| s.language = "en-GB".parse().unwrap()).await;
    put_subscriber(&store, 4, &[], |s| s.organisation = Some("Radio Öst".into())).await;
    store
}

async fn ids(store: &Store, wanted: &Wanted, limit: usize) -> Vec<u64> {
    let (mut ids, mut after) = (Vec::new(), Some(SubscriberId(0)));
    while let Some(from) = after {
        let (found, next) = list(store, wanted, from, limit).await.unwrap();
        assert!(found.len() <= limit);
        ids.extend(found.iter().map(|read| read.value.id.0));
        after = next;
    }
    ids
}

#[tokio::test]
async fn each_filter_restricts_and_pages_leave_no_one_out() {
    let store = house().await;
    let media = Some("media".parse().unwrap());
    let cases: [(Wanted, &[u64]); 9] = [
        (Wanted::default(), &[1, 2, 3, 4]),
        (Wanted { list: media.clone(), ..Wanted::default() }, &[1, 2]),
        (Wanted { list: media, state: Some(SubscriptionState::Paused), ..Wanted::default() }, &[2]),
        (Wanted { state: Some(SubscriptionState::Active), ..Wanted::default() }, &[1, 2, 3]),
        (Wanted { language: Some("en".parse().unwrap()), ..Wanted::default() }, &[3]),
        (Wanted { beat: Some("Vård".into()), ..Wanted::default() }, &[1]),
        (Wanted { region: Some("Ska\u{30a}ne".into()), ..Wanted::default() }, &[2]),
        (Wanted { organisation: Some("radio".into()), ..Wanted::default() }, &[1, 4]),
        (Wanted { organisation: Some("öst".into()), beat: Some("vård".into()), ..Wanted::default() }, &[]),
    ];
    for (wanted, expected) in cases {
        for limit in [1, 3, 100] {
            assert_eq!(ids(&store, &wanted, limit).await, expected, "{wanted:?}, {limit} a page");
        }
    }
}
