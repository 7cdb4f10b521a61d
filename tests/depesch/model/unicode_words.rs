//! Words are equal however they were typed or pasted: `Skåne` decomposed, with a zero width space, in capitals. Words
//! stored before normalisation was introduced are found as well.

use depesch::mailings::audience;
use depesch::model::mailing::AudienceQuery;
use depesch::subscribers::profile::{PersonError, PersonFields};

use crate::support::commands::World;
use crate::support::mailings::{list, put_subscriber};
use crate::support::people::{import_text, service, store, subscriber};

/// How people type one region.
const SPELLINGS: [&str; 7] = [
    "Skåne",
    "Ska\u{30a}ne",
    "skåne\u{200b}",
    "\u{feff}SKÅNE",
    "Sk\u{ad}åne",
    "\u{a0}Skåne\u{2060} ",
    "Ska\u{200d}\u{30a}ne",
];

#[tokio::test]
async fn an_import_and_an_operator_store_one_word_for_all_spellings() {
    let store = store().await;
    let mut file = "e-post;regioner\n".to_owned();
    SPELLINGS.iter().enumerate().for_each(|(n, word)| file.push_str(&format!("r{n}@example.org;{word}\n")));
    assert!(import_text(&store, &file).await.summary.unwrap().is_clean());
    for (n, word) in SPELLINGS.iter().enumerate() {
        let imported = subscriber(&store, &format!("r{n}@example.org")).await.unwrap();
        assert_eq!(imported.regions.iter().collect::<Vec<_>>(), ["skåne"], "{word:?}");
        let fields = PersonFields {
            address: Some(format!("p{n}@example.org")),
            name: Some(format!("A\u{30a}sa {word}")),
            regions: Some((*word).to_owned()),
            attributes: [("o\u{308}\u{200b}".to_owned(), format!("{word}!"))].into(),
            ..Default::default()
        };
        let added = service(&store, 1).add(&fields).await.unwrap();
        assert_eq!(added.regions.iter().collect::<Vec<_>>(), ["skåne"], "{word:?}");
        assert!(added.name.unwrap().starts_with("Åsa "));
        assert_eq!(added.attributes.keys().collect::<Vec<_>>(), ["ö"]);
    }
    let query = AudienceQuery {
        lists: ["media".parse().unwrap()].into(),
        regions: ["skåne".to_owned()].into(),
        ..Default::default()
    };
    assert_eq!(audience::count(&store, &query).await.unwrap(), SPELLINGS.len() as u64);
}

#[tokio::test]
async fn what_was_stored_before_is_found_in_any_spelling() {
    let store = crate::support::mailings::store();
    assert!(store.create_list(&list("media")).await.unwrap());
    for (n, word) in SPELLINGS.iter().enumerate() {
        put_subscriber(&store, n as u64 + 1, &["media"], |s| s.regions = [word.to_lowercase()].into()).await;
    }
    put_subscriber(&store, 100, &["media"], |s| s.regions = ["skane".to_owned()].into()).await;
    for word in SPELLINGS {
        let query = AudienceQuery {
            lists: ["media".parse().unwrap()].into(),
            regions: [word.to_lowercase()].into(),
            ..Default::default()
        };
        assert_eq!(audience::count(&store, &query).await.unwrap(), SPELLINGS.len() as u64, "{word:?}");
    }
}

#[tokio::test]
async fn a_setting_by_mail_stores_the_same_word() {
    let service = World::new().await;
    for (n, word) in SPELLINGS.iter().enumerate() {
        let who = format!("karin{n}@press.example");
        service.subscribes(&who).await;
        service.clock.advance(chrono::Duration::days(1));
        service.writes(&who, "request", "", &format!("a\u{308}mnen: Va\u{30a}rd\nregioner: {word}\n")).await;
        service.replies(&service.last().await, "ja").await;
        let karin = service.subscriber(&who).await.unwrap();
        assert_eq!(karin.regions.iter().collect::<Vec<_>>(), ["skåne"], "{word:?}");
        assert_eq!(karin.beats.iter().collect::<Vec<_>>(), ["vård"], "{word:?}");
    }
}

#[tokio::test]
async fn an_address_with_an_invisible_character_is_refused_by_name() {
    let store = store().await;
    let fields = |address: &str| PersonFields { address: Some(address.to_owned()), ..Default::default() };
    for (address, said) in [
        ("ev\u{200b}a@press.example", "invisible character U+200B (zero width space)"),
        ("\u{ff45}va@press.example", "U+FF45"),
    ] {
        let added = service(&store, 1).add(&fields(address)).await;
        assert!(matches!(&added, Err(PersonError::Wrong(reason)) if reason.contains(said)), "{added:?}");
        let found = service(&store, 1).find(address).await;
        assert!(matches!(&found, Err(PersonError::Wrong(reason)) if reason.contains(said)), "{found:?}");
    }
    service(&store, 1).add(&fields("\u{200b}eva@press.example\u{feff}")).await.unwrap();
    let again = service(&store, 1).add(&fields("eva@press.example")).await;
    assert!(matches!(again, Err(PersonError::Taken { .. })));
}
