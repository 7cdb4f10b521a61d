//! Comments in calendar replies are read in the same way as the text of mails.

use depesch::model::rsvp::RsvpAnswer;

use crate::support::rsvps::{CONTACT, Hosts, RSVP, calendar};

/// Karin's calendar reply with these parameters of her ATTENDEE line and this additional line.
async fn answers(parameters: &str, line: &str) -> Hosts {
    let hosts = Hosts::with_one().await;
    let reply = format!(
        "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:event-r1@lists.example.org\n\
         ATTENDEE;{parameters}:mailto:karin@example.com\n{line}SEQUENCE:0\nEND:VEVENT\nEND:VCALENDAR"
    );
    let mail = calendar("karin", "", "text/calendar; method=REPLY; charset=utf-8", &reply);
    hosts.comes(Some("karin@example.com"), RSVP, &mail).await;
    hosts
}

#[tokio::test]
async fn a_comment_is_kept_and_read_like_a_mail() {
    let google = "PARTSTAT=ACCEPTED;CN=Karin ^'Kajan^' Ek;X-RESPONSE-COMMENT=\"Vi blir tre, presskort 12345\"";
    let hosts = answers(google, "").await;
    let rsvp = hosts.answer_of("karin").await.unwrap();
    assert_eq!((rsvp.answer(), rsvp.person.people), (RsvpAnswer::Yes, Some(3)));
    assert_eq!(rsvp.person.name.unwrap().text, "Karin \"Kajan\" Ek");
    assert_eq!(rsvp.person.press_card.unwrap().text, "12345");
    assert!(rsvp.changes[0].comment.contains("Vi blir tre, presskort 12345"));
    assert!(hosts.forwarded_to().await.is_empty());
    let hosts = answers("PARTSTAT=ACCEPTED;X-NUM-GUESTS=2", "").await;
    assert_eq!(hosts.overview(1).await.heads(), 3, "with two guests they are three");
}

#[tokio::test]
async fn a_comment_that_contradicts_or_asks_goes_to_the_contact() {
    for (status, comment, expected) in [
        ("ACCEPTED", "Jag kommer tyvärr inte.", RsvpAnswer::Unclear),
        ("DECLINED", "Jag kommer!", RsvpAnswer::Unclear),
        ("ACCEPTED", "Finns det parkering?", RsvpAnswer::Yes),
    ] {
        let hosts = answers(&format!("PARTSTAT={status}"), &format!("COMMENT:{comment}\n")).await;
        assert_eq!(hosts.answer_of("karin").await.unwrap().answer(), expected, "{status} {comment}");
        assert_eq!(hosts.forwarded_to().await, [CONTACT], "{status} {comment}");
    }
}
