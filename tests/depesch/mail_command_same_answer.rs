//! Invariant 9: whoever writes learns nothing about who is subscribed. Members and strangers get the same answer, with the
//! same reads of the store, and it goes to the address itself.

use crate::support::commands::Desk;

/// The letter without what is each reader's own: address and code.
async fn answer(desk: &Desk, address: &str, what: &str, subject: &str) -> (String, String, String) {
    desk.writes(address, what, subject, "").await;
    let letter = desk.last().await;
    assert_eq!(letter.to, address);
    let code = letter.reply_to.split(['+', '@']).nth(1).unwrap_or_default().to_owned();
    let own = |text: &str| {
        let text = text.replace(address, "ADDRESS");
        match code.len() > 20 {
            true => text.replace(&code, "CODE"),
            false => text,
        }
    };
    (own(letter.mail.subject()), own(letter.mail.text()), own(letter.mail.html().unwrap()))
}

#[tokio::test]
async fn members_and_strangers_get_the_same_question() {
    let desk = Desk::new().await;
    desk.subscribes("member@press.example").await;
    for (what, subject) in [
        ("subscribe", ""),
        ("unsubscribe", ""),
        ("pause", ""),
        ("resume", ""),
        ("request", "språk: engelska"),
        ("set", "ämnen: skola"),
        ("help", ""),
    ] {
        desk.clock.advance(chrono::Duration::days(1));
        let member = answer(&desk, "member@press.example", what, subject).await;
        let stranger = answer(&desk, "nobody@press.example", what, subject).await;
        assert_eq!(member, stranger, "{what} {subject}");
    }
}

#[tokio::test]
async fn which_lists_goes_to_the_address_only() {
    let desk = Desk::new().await;
    desk.subscribes("member@press.example").await;
    let member = answer(&desk, "member@press.example", "which", "").await;
    let stranger = answer(&desk, "stranger@press.example", "which", "").await;
    assert_eq!(member.0, stranger.0);
    assert!(member.1.contains("Media och redaktioner"));
    let about = stranger.1.split("________").next().unwrap();
    assert!(!about.contains("Media och redaktioner"), "{about}");
    // Asked for somebody else, the answer still goes to them and not to who asked.
    desk.clock.advance(chrono::Duration::days(1));
    let mail = "From: member@press.example\nReply-To: thief@evil.example\nSubject: which\n\n";
    desk.arrives(Some("thief@evil.example"), "media-request@lists.example.org", mail).await;
    assert!(desk.sent().await.iter().all(|sent| !sent.contains("thief")), "{:?}", desk.sent().await);
}

#[tokio::test]
async fn a_confirmed_wish_ends_alike_for_both() {
    let desk = Desk::new().await;
    desk.subscribes("member@press.example").await;
    let mut ends = Vec::new();
    for address in ["member@press.example", "stranger@press.example"] {
        desk.clock.advance(chrono::Duration::days(1));
        desk.writes(address, "unsubscribe", "", "").await;
        desk.replies(&desk.last().await, "ja").await;
        let last = desk.last().await;
        ends.push((last.about.clone(), last.mail.text().replace(address, "ADDRESS")));
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0].0, "goodbye");
    assert!(desk.subscriber("stranger@press.example").await.is_none());
}
