//! A file that states who may get mail is obeyed: rows of people who may not are left out, and an unknown word is
//! refused. No import activates a subscription of a person whom another program lists as unsubscribed or blocked.

use depesch::model::subscriber::SubscriptionState;
use depesch::subscribers::import::ImportSettings;
use depesch::subscribers::import::states::Standing;

use crate::support::people::{import_text, import_with, settings, state, store, subscriber};

/// Imports a file in which eva is active and the others are not.
async fn check(file: &str, others: &[&str]) {
    let store = store().await;
    let done = import_text(&store, file).await;
    let summary = done.summary.as_ref().unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!((summary.created, summary.left_out), (1, others.len() as u64), "{file}: {done:?}");
    assert_eq!(state(&store, "eva@press.example", "media").await, Some(SubscriptionState::Active), "{file}");
    for (other, reject) in others.iter().zip(&done.rejects) {
        assert!(subscriber(&store, other).await.is_none(), "{file}: {other}");
        assert!(reject.reason.starts_with("left out: "), "{}", reject.reason);
    }
}

#[tokio::test]
async fn exports_of_mailing_programs_bring_only_those_who_may_get_mail() {
    let three = ["bo@press.example", "cia@press.example"];
    // listmonk.
    let file = "uuid,email,name,attributes,status,created_at,updated_at\n\
        1-a,eva@press.example,Eva Ek,{},enabled,2025-01-02T10:00:00Z,2025-01-02T10:00:00Z\n\
        1-b,bo@press.example,Bo Ek,{},blocklisted,2025-01-02T10:00:00Z,2025-01-02T10:00:00Z\n\
        1-c,cia@press.example,Cia Ek,{},disabled,2025-01-02T10:00:00Z,2025-01-02T10:00:00Z\n";
    check(file, &three).await;
    // phpList.
    let file = "Email;Is the email of this user confirmed;Is this user blacklisted;bounce count\n\
        eva@press.example;1;0;3\nbo@press.example;0;0;0\ncia@press.example;1;1;0\n";
    check(file, &three).await;
    // An association's register.
    let file =
        "E-post;Namn;Avregistrerad\neva@press.example;Eva;\nbo@press.example;Bo;ja\ncia@press.example;Cia;2025-03-01\n";
    check(file, &three).await;
    // Google Groups.
    let file = "Email address,Nickname,Group status,Email status\neva@press.example,eva,member,\n\
        bo@press.example,bo,member,Bouncing\ncia@press.example,cia,invited,\n";
    check(file, &three).await;
    // HubSpot.
    let file = "Email,First Name,Unsubscribed from all email,Email hard bounce reason\neva@press.example,Eva,false,\n\
        bo@press.example,Bo,true,\ncia@press.example,Cia,false,UNKNOWN_USER\n";
    check(file, &three).await;
    // Mailchimp, the file of unsubscribed contacts.
    let file = "Email Address,OPTIN_TIME,CONFIRM_TIME,UNSUB_TIME\neva@press.example,,2024-01-01 10:00:00,\n\
        bo@press.example,2024-01-01 10:00:00,2024-01-01 10:00:00,2025-05-01 08:00:00\n\
        cia@press.example,,2024-01-01 10:00:00,2025-05-01 08:00:00\n";
    check(file, &three).await;
}

#[tokio::test]
async fn an_unknown_word_is_refused_until_a_user_defines_it() {
    let file = "e-post;status\neva@press.example;Hedersmedlem\nbo@press.example;B\n";
    let empty = store().await;
    let done = import_text(&empty, file).await;
    assert_eq!(done.summary.as_ref().unwrap().invalid, 2, "{done:?}");
    assert!(done.rejects[1].reason.contains("--state \"B=out\""), "{}", done.rejects[1].reason);
    assert!(empty.has_no_subscribers().await.unwrap());
    let said = [("hedersmedlem".to_owned(), Standing::Active), ("B".to_owned(), Standing::Out)];
    let store = store().await;
    let done = import_with(&store, ImportSettings { states: said.into(), ..settings() }, file.as_bytes(), 4096).await;
    let summary = done.summary.as_ref().unwrap();
    assert_eq!((summary.created, summary.left_out, summary.is_clean()), (1, 1, true), "{done:?}");
    assert!(subscriber(&store, "bo@press.example").await.is_none());
}

#[tokio::test]
async fn an_end_in_a_column_with_another_heading_is_refused() {
    let file = "email,Läge\neva@press.example,Utträder aldrig\nbo@press.example,Avregistrerad\n";
    let store = store().await;
    let done = import_text(&store, file).await;
    assert!(subscriber(&store, "bo@press.example").await.is_none());
    assert!(done.rejects[0].reason.contains("--column \"subscription state=Läge\""), "{:?}", done.rejects);
    // A user's statement about the column counts.
    let named = [("Läge".to_owned(), "anteckning".to_owned())].into();
    import_with(&store, ImportSettings { columns: named, ..settings() }, file.as_bytes(), 4096).await.summary.unwrap();
    assert_eq!(subscriber(&store, "bo@press.example").await.unwrap().attributes["anteckning"], "Avregistrerad");
}

#[tokio::test]
async fn an_address_that_was_left_out_is_not_taken_from_a_later_row() {
    let file = "email,status\nbo@press.example,unsubscribed\nBo@Press.example,subscribed\n";
    let store = store().await;
    let done = import_text(&store, file).await;
    assert_eq!((done.summary.as_ref().unwrap().left_out, done.summary.as_ref().unwrap().duplicates), (1, 1));
    assert!(store.has_no_subscribers().await.unwrap());
}

#[tokio::test]
async fn who_is_on_the_list_here_stays() {
    let store = store().await;
    import_text(&store, "email\nbo@press.example\n").await.summary.unwrap();
    import_text(&store, "email,status\nbo@press.example,unsubscribed\n").await.summary.unwrap();
    assert_eq!(state(&store, "bo@press.example", "media").await, Some(SubscriptionState::Active));
}
