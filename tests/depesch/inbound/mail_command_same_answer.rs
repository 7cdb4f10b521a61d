//! Invariant 9: senders learn nothing about who is subscribed. Members and strangers get the same answer, with the same
//! reads of the store, sent to the address itself.

use crate::support::commands::World;

/// The answer without what differs for each reader: address and code.
async fn answer(world: &World, address: &str, what: &str, subject: &str) -> (String, String, String) {
    world.writes(address, what, subject, "").await;
    let notice = world.last().await;
    assert_eq!(notice.to, address);
    let code = notice.reply_to.split(['+', '@']).nth(1).unwrap_or_default().to_owned();
    let own = |text: &str| {
        let text = text.replace(address, "ADDRESS");
        match code.len() > 20 {
            true => text.replace(&code, "CODE"),
            false => text,
        }
    };
    (own(notice.mail.subject()), own(notice.mail.text()), own(notice.mail.html().unwrap()))
}

#[tokio::test]
async fn members_and_strangers_get_the_same_question() {
    let world = World::new().await;
    world.subscribes("member@press.example").await;
    for (what, subject) in [
        ("subscribe", ""),
        ("unsubscribe", ""),
        ("pause", ""),
        ("resume", ""),
        ("request", "språk: engelska"),
        ("set", "ämnen: skola"),
        ("help", ""),
    ] {
        world.clock.advance(chrono::Duration::days(1));
        let member = answer(&world, "member@press.example", what, subject).await;
        let stranger = answer(&world, "nobody@press.example", what, subject).await;
        assert_eq!(member, stranger, "{what} {subject}");
    }
}

#[tokio::test]
async fn which_lists_goes_to_the_address_only() {
    let world = World::new().await;
    world.subscribes("member@press.example").await;
    let member = answer(&world, "member@press.example", "which", "").await;
    let stranger = answer(&world, "stranger@press.example", "which", "").await;
    assert_eq!(member.0, stranger.0);
    assert!(member.1.contains("Media och redaktioner"));
    let about = stranger.1.split("________").next().unwrap();
    assert!(!about.contains("Media och redaktioner"), "{about}");
    // A request for another address is answered at that address, not at the sender's.
    world.clock.advance(chrono::Duration::days(1));
    let mail = "From: member@press.example\nReply-To: thief@evil.example\nSubject: which\n\n";
    world.arrives(Some("thief@evil.example"), "media-request@lists.example.org", mail).await;
    assert!(world.sent().await.iter().all(|sent| !sent.contains("thief")), "{:?}", world.sent().await);
}

#[tokio::test]
async fn a_confirmed_request_ends_the_same_for_members_and_strangers() {
    let world = World::new().await;
    world.subscribes("member@press.example").await;
    let mut ends = Vec::new();
    for address in ["member@press.example", "stranger@press.example"] {
        world.clock.advance(chrono::Duration::days(1));
        world.writes(address, "unsubscribe", "", "").await;
        world.replies(&world.last().await, "ja").await;
        let last = world.last().await;
        ends.push((last.about.clone(), last.mail.text().replace(address, "ADDRESS")));
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0].0, "goodbye");
    assert!(world.subscriber("stranger@press.example").await.is_none());
}
