//! An answer in another person's name is decided by a person, and replies do not reveal who is known.

use depesch::base::id::ReleaseId;
use depesch::model::inbound::InboundKind;
use depesch::model::rsvp::{Detail, RsvpAnswer};

use crate::support::mailings::put_subscriber;
use crate::support::rsvps::{CONTACT, Hosts, RSVP, calendar, plain, with_fields};

/// The answer of a calendar program, `attendee`'s, in a mail from `from`.
fn accepts(from: &str, attendee: &str, fields: &str) -> String {
    let reply = format!(
        "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:event-r1@lists.example.org\n\
         ATTENDEE;PARTSTAT=ACCEPTED;CN=Karin Ek:mailto:{attendee}@example.com\nEND:VEVENT\nEND:VCALENDAR"
    );
    calendar(from, fields, "text/calendar; method=REPLY", &reply)
}

/// Everything that Eve receives and the guest list, for each way of answering as `who`.
async fn attacked(who: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for to in [RSVP, "media-rsvp@lists.example.org", "media@lists.example.org"] {
        for mail in [
            accepts(who, who, ""),
            accepts(who, "eve", ""),
            plain(who, "Jag kommer!\nNamn: Eve Ek\nPresskort: 666"),
            accepts(who, who, "Reply-To: eve@example.com\nSender: eve@example.com\n"),
            plain(who, "Jag kommer!").replace("From: ", "From: eve <eve@example.com>, "),
            plain(who, "Jag kommer!").replace("\nTo: ", ", eve <eve@example.com>\nTo: "),
            with_fields(who, "In-Reply-To: <m1.aaaaaaaaaaaaaaaaaaaa@lists.example.org>\n", "Jag kommer!"),
        ] {
            // At a list's own addresses, only a UID identifies the event.
            if to != RSVP && !mail.contains("text/calendar") {
                continue;
            }
            let hosts = Hosts::with_one().await;
            put_subscriber(&hosts.world.store, 4, &["media"], |_| {}).await;
            hosts.comes(Some("eve@example.com"), to, &mail).await;
            assert_eq!(hosts.forwarded_to().await, [CONTACT], "{to}\n{mail}");
            let overview = hosts.overview(1).await;
            assert_eq!((overview.heads(), overview.to_be_seen()), (0, 1), "{to}\n{mail}");
            assert!(overview.answers.iter().all(|answered| answered.rsvp.person.press_card.is_none()), "{mail}");
            let notices = hosts.notices().await.into_iter();
            seen.extend(notices.map(|notice| format!("{} to {}", notice.about, notice.recipient)));
        }
    }
    seen
}

#[tokio::test]
async fn nothing_that_comes_back_says_who_is_known() {
    // reader4 is a subscriber; what Eve gets must not reveal that.
    let (known, unknown) = (attacked("reader4").await, attacked("karin").await);
    assert_eq!(known, unknown);
    assert!(known.iter().all(|notice| notice.starts_with("passed-on to")), "{known:?}");
}

#[tokio::test]
async fn a_forged_answer_replaces_nothing_that_the_person_gave() {
    let hosts = Hosts::with_one().await;
    hosts.writes("karin", "Jag kommer.\n\nNamn: Karin Ek\nPresskort: 12345").await;
    let forged = plain("karin", "Jag kommer inte.\n\nNamn: Eve\nPresskort: 666");
    let (kind, note) = hosts.comes(Some("eve@example.com"), RSVP, &forged).await;
    assert_eq!(kind, InboundKind::Rsvp);
    assert!(note.starts_with("unclear, for release r1: it was sent by another address"), "{note}");
    let rsvp = hosts.answer_of("karin").await.unwrap();
    assert_eq!((rsvp.answer(), rsvp.to_be_seen()), (RsvpAnswer::Yes, true));
    let given = |text: &str| Some(Detail { text: text.to_owned(), given: true });
    assert_eq!((rsvp.person.name, rsvp.person.press_card), (given("Karin Ek"), given("12345")));
    assert_eq!(hosts.receipts().await.len(), 1, "Karin's own");
}

#[tokio::test]
async fn the_mailbox_itself_or_having_the_invitation_is_proof() {
    let hosts = Hosts::with_one().await;
    // With another spelling of the same mailbox.
    hosts.comes(Some("Karin+svar@Example.com"), RSVP, &accepts("karin", "karin", "")).await;
    assert_eq!(hosts.answer_of("karin").await.unwrap().answer(), RsvpAnswer::Yes);
    // A server that signs its envelope senders; the mail answers ours.
    let fields = format!("In-Reply-To: <{}>\n", hosts.message_id(1, 17));
    hosts.comes(Some("prvs=12345=nils@example.com"), RSVP, &with_fields("nils", &fields, "Jag kommer.")).await;
    assert_eq!(hosts.answer_of("nils").await.unwrap().answer(), RsvpAnswer::Yes);
    // The calendar names another address of the sender: the answer is recorded for From.
    hosts.comes(Some("eva@example.com"), RSVP, &accepts("eva", "redaktion", "")).await;
    assert_eq!(hosts.answer_of("eva").await.unwrap().answer(), RsvpAnswer::Yes);
    assert!(hosts.answer_of("redaktion").await.is_none());
    let receipts: Vec<String> = hosts.receipts().await.into_iter().map(|(to, _)| to).collect();
    assert_eq!(receipts, ["Karin+svar@example.com", "prvs=12345=nils@example.com", "eva@example.com"]);
    // A signed Message-ID of another event proves nothing here.
    let other = hosts.invite("Ett annat möte", "2026-11-27T09:30:00", "").await;
    assert_eq!(other, ReleaseId(2));
    let fields = format!("In-Reply-To: <{}>\n", hosts.message_id(2, 17));
    hosts.comes(Some("eve@example.com"), RSVP, &with_fields("bo", &fields, "Jag kommer.")).await;
    assert_eq!(hosts.answer_of("bo").await.unwrap().answer(), RsvpAnswer::Unclear);
}
