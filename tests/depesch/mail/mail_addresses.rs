//! Our addresses and their purposes; a token that is not ours is not accepted.

use std::sync::Arc;

use depesch::base::id::{MailingId, SubscriberId};
use depesch::base::token::{Key, Purpose};
use depesch::composition::list_identity;
use depesch::inbound::destination::{Destination, Directory, Resolved, Role};
use depesch::inbound::recipients::Recipient;
use depesch::model::list::{Joining, List, ListKind, Privacy};
use depesch::store::Store;
use depesch::store::memory::MemoryEngine;
use depesch::subscribers::tokens::{BounceToken, UnsubscribeToken};

use crate::support::office::noon;

fn list(name: &str, privacy: Privacy) -> List {
    List {
        name: name.parse().unwrap(),
        title: name.to_uppercase(),
        address: format!("{name}@lists.example.org").parse().unwrap(),
        kind: ListKind::Announce,
        joining: Joining::Confirmed,
        owner: "press@example.org".parse().unwrap(),
        language: depesch::base::language::Language::swedish(),
        privacy,
        approval: false,
        approvals: 1,
        test_mail: Default::default(),
        posting: Default::default(),
        created: noon(),
    }
}

fn key() -> Key {
    Key::new([5; 32])
}

async fn directory() -> Directory {
    let store = Store::new(Arc::new(MemoryEngine::new()));
    for (name, privacy) in
        [("media", Privacy::Ordinary), ("media-sport", Privacy::Ordinary), ("members", Privacy::Sensitive)]
    {
        assert!(store.create_list(&list(name, privacy)).await.unwrap());
    }
    Directory::new(store, key())
}

async fn role(address: &str) -> (String, Role) {
    match directory().await.resolve(address).await.unwrap() {
        Resolved::Ours(Destination::List { list, role }) => (list.value.name.to_string(), role),
        other => panic!("{address}: {other:?}"),
    }
}

async fn refusal(address: &str) -> Recipient {
    match directory().await.resolve(address).await.unwrap() {
        Resolved::No(answer) => answer,
        other => panic!("{address}: {other:?}"),
    }
}

#[tokio::test]
async fn both_separators_and_both_languages_say_the_same() {
    let media = |role| ("media".to_owned(), role);
    assert_eq!(role("media@lists.example.org").await, media(Role::Post));
    for address in ["media-subscribe", "media+subscribe", "Media-Prenumerera", "media+join"] {
        assert_eq!(role(&format!("{address}@Lists.Example.org")).await, media(Role::Subscribe), "{address}");
    }
    for address in ["media-unsubscribe", "media+avsluta", "media-leave"] {
        assert_eq!(role(&format!("{address}@lists.example.org")).await, media(Role::Unsubscribe { token: None }));
    }
    assert_eq!(role("media-hjälp@lists.example.org").await, media(Role::Help));
    assert_eq!(role("media-confirm@lists.example.org").await, media(Role::Request), "the token may stand in the text");
    assert_eq!(role("media-agare@lists.example.org").await, media(Role::Owner));
}

#[tokio::test]
async fn the_longest_name_that_is_a_list_wins() {
    assert_eq!(role("media-sport@lists.example.org").await, ("media-sport".to_owned(), Role::Post));
    assert_eq!(role("media-sport-owner@lists.example.org").await, ("media-sport".to_owned(), Role::Owner));
}

#[tokio::test]
async fn a_signed_address_tells_whom_it_is_about() {
    let bounce = key().sign(Purpose::Bounce, &[7, 300]);
    let expected = BounceToken { mailing: MailingId(7), subscriber: SubscriberId(300) };
    for address in [format!("media-bounces+{bounce}"), format!("MEDIA+bounces-{}", bounce.to_uppercase())] {
        let found = role(&format!("{address}@lists.example.org")).await;
        assert_eq!(found.1, Role::Bounces { token: Some(expected) }, "{address}");
    }
    let leave = key().sign(Purpose::Unsubscribe, &[7, 300, 1]);
    let expected = UnsubscribeToken { mailing: MailingId(7), subscriber: SubscriberId(300), place: 1 };
    let found = role(&format!("media-unsubscribe+{leave}@lists.example.org")).await;
    assert_eq!(found.1, Role::Unsubscribe { token: Some(expected) });
}

#[tokio::test]
async fn a_forged_token_is_refused() {
    let mut forged = key().sign(Purpose::Bounce, &[7, 300]);
    forged.replace_range(0..1, if forged.starts_with('b') { "c" } else { "b" });
    for address in [
        format!("media-bounces+{forged}"),
        format!("media-bounces+{}", key().sign(Purpose::Unsubscribe, &[7, 300])),
        format!("media-bounces+{}", key().sign(Purpose::Bounce, &[7])),
        format!("media-unsubscribe+{}", key().sign(Purpose::Bounce, &[7, 300])),
        "media-confirm+abc".to_owned(),
        "media-decide+".to_owned(),
    ] {
        assert_eq!(refusal(&format!("{address}@lists.example.org")).await, Recipient::Forged, "{address}");
    }
}

#[tokio::test]
async fn a_sensitive_list_is_known_by_its_label() {
    let label = list_identity::label(&key(), &list("members", Privacy::Sensitive));
    let bounce = key().sign(Purpose::Bounce, &[7, 300]);
    for _ in 0..2 {
        let found = role(&format!("{label}-bounces+{bounce}@lists.example.org")).await;
        assert_eq!(found.0, "members");
    }
    assert_eq!(refusal("l0123456789abcdef@lists.example.org").await, Recipient::Unknown);
}

#[tokio::test]
async fn foreign_addresses_are_distinguished_and_never_relayed() {
    assert_eq!(refusal("nobody@lists.example.org").await, Recipient::Unknown);
    assert_eq!(refusal("media-subscribe+x@lists.example.org").await, Recipient::Unknown);
    assert_eq!(refusal("media@elsewhere.example").await, Recipient::Foreign);
    assert_eq!(refusal("media%elsewhere.example@lists.example.org").await, Recipient::Unknown);
    assert_eq!(refusal("media").await, Recipient::Unknown);
    assert_eq!(refusal("").await, Recipient::Unknown);
}

#[tokio::test]
async fn postmaster_is_always_there() {
    for address in ["postmaster", "POSTMASTER", "PostMaster@lists.example.org", "abuse@lists.example.org"] {
        let found = directory().await.resolve(address).await.unwrap();
        assert!(matches!(found, Resolved::Ours(Destination::Postmaster)), "{address}: {found:?}");
    }
    assert_eq!(refusal("postmaster@elsewhere.example").await, Recipient::Foreign);
}
