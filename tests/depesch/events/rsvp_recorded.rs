//! Answers to invitations are recorded as given: from text and from common calendar programs.

use depesch::base::id::ReleaseId;
use depesch::model::inbound::InboundKind;
use depesch::model::rsvp::{Detail, RsvpAnswer, RsvpSource};

use crate::support::mailings::put_subscriber;
use crate::support::rsvps::{Hosts, RSVP, calendar, with_fields};

fn given(text: &str) -> Option<Detail> {
    Some(Detail { text: text.to_owned(), given: true })
}

fn known(text: &str) -> Option<Detail> {
    Some(Detail { text: text.to_owned(), given: false })
}

#[tokio::test]
async fn words_and_fields_are_kept_as_given() {
    let hosts = Hosts::with_one().await;
    let text = "Jag kommer gärna!\n\nNamn: Karin Ek\nRedaktion: Exempelbladet\nFunktion: reporter\nPresskort: 12345\n\n\
        Den 18 nov 2026 skrev Press <media@lists.example.org>:\n> Jag kommer inte.";
    let (kind, note) = hosts.writes("karin", text).await;
    assert_eq!((kind, note.as_str()), (InboundKind::Rsvp, "yes to release r1"));
    let rsvp = hosts.answer_of("karin").await.unwrap();
    assert_eq!(rsvp.answer(), RsvpAnswer::Yes);
    let person = &rsvp.person;
    assert_eq!((&person.name, &person.newsroom), (&given("Karin Ek"), &given("Exempelbladet")));
    assert_eq!((&person.function, &person.press_card), (&given("reporter"), &given("12345")));
    assert_eq!(rsvp.current().unwrap().comment, "Jag kommer gärna!");
    // For a stranger too, details known from elsewhere are used, and marked as such.
    hosts.writes("nils", "Tyvärr kan jag inte komma.").await;
    let nils = hosts.answer_of("nils").await.unwrap();
    assert_eq!((nils.answer(), nils.person.name, nils.subscriber), (RsvpAnswer::No, known("nils"), None));
}

#[tokio::test]
async fn what_is_known_of_a_subscriber_is_marked_as_known() {
    let hosts = Hosts::with_one().await;
    put_subscriber(&hosts.world.store, 4, &["media"], |s| s.organisation = Some("Exempelposten".into())).await;
    hosts.writes("reader4", "Jag kommer. Funktion: fotograf").await;
    let rsvp = hosts.answer_of("reader4").await.unwrap();
    assert_eq!((rsvp.person.name, rsvp.person.newsroom), (known("Reader 4"), known("Exempelposten")));
    assert_eq!(rsvp.subscriber.unwrap().0, 4);
}

/// Replies as the three big calendar programs write them, with invented people.
fn replies(status: &str) -> [(&'static str, String); 3] {
    let google = format!(
        "BEGIN:VCALENDAR\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\nVERSION:2.0\nCALSCALE:GREGORIAN\nMETHOD:REPLY\n\
         BEGIN:VEVENT\nDTSTART:20261126T083000Z\nDTEND:20261126T093000Z\nDTSTAMP:20261118T101112Z\nORGANIZER;CN=Press:mailto:{RSVP}\n\
         UID:event-r1@lists.example.org\nATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT={status};CN=Karin Ek;X\n \
         -NUM-GUESTS=0:mailto:karin@example.com\nSEQUENCE:0\nSTATUS:CONFIRMED\nSUMMARY:Så bygger vi\nEND:VEVENT\nEND:VCALENDAR"
    );
    let outlook = format!(
        "BEGIN:VCALENDAR\nMETHOD:REPLY\nPRODID:Microsoft Exchange Server 2010\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:W. Europe Standard \
         Time\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n\
         BEGIN:VEVENT\nATTENDEE;PARTSTAT={status};CN=Karin Ek:mailto:Karin@Example.com\nCOMMENT;LANGUAGE=sv-SE:\\n\n\
         UID:event-r1@lists.example.org\nSUMMARY;LANGUAGE=sv-SE:Så bygger vi\nDTSTART;TZID=W. Europe Standard Time:20261126T093000\n\
         DTSTAMP:20261118T101112Z\nSEQUENCE:0\nX-MICROSOFT-CDO-APPT-SEQUENCE:0\nEND:VEVENT\nEND:VCALENDAR"
    );
    let apple = format!(
        "BEGIN:VCALENDAR\nCALSCALE:GREGORIAN\nVERSION:2.0\nX-WR-CALNAME:Invitation\nMETHOD:REPLY\nPRODID:-//Apple Inc.//macOS 14.1//EN\n\
         BEGIN:VEVENT\nATTENDEE;CN=\"Karin Ek\";CUTYPE=INDIVIDUAL;EMAIL=\"karin@example.com\";PARTSTAT={status}:mailto:karin@exa\n mple.com\n\
         DTEND;TZID=Europe/Stockholm:20261126T103000\nDTSTAMP:20261118T101112Z\nDTSTART;TZID=Europe/Stockholm:20261126T093000\n\
         ORGANIZER;CN=\"Press\":mailto:{RSVP}\nSEQUENCE:0\nSUMMARY:Så bygger vi\nUID:event-r1@lists.example.org\nEND:VEVENT\nEND:VCALENDAR"
    );
    [("google", google), ("outlook", outlook), ("apple", apple)]
}

#[tokio::test]
async fn calendar_programs_answer_for_their_owners() {
    for (status, expected) in
        [("ACCEPTED", RsvpAnswer::Yes), ("DECLINED", RsvpAnswer::No), ("TENTATIVE", RsvpAnswer::Maybe)]
    {
        for (program, reply) in replies(status) {
            let hosts = Hosts::with_one().await;
            // Google marks its replies as automatic, although a person sent them.
            let fields = if program == "google" { "Auto-Submitted: auto-generated\n" } else { "" };
            let mail = calendar("karin", fields, "text/calendar; charset=\"utf-8\"; method=REPLY", &reply);
            let (kind, _) = hosts.comes(Some("karin@example.com"), RSVP, &mail).await;
            assert_eq!(kind, InboundKind::Rsvp, "{program}");
            let rsvp = hosts.answer_of("karin").await.unwrap_or_else(|| panic!("{program}: no answer"));
            assert_eq!((rsvp.answer(), rsvp.person.name.clone()), (expected, given("Karin Ek")), "{program}");
            assert!(matches!(rsvp.changes[0].source, RsvpSource::Calendar { .. }));
            assert!(hosts.forwarded_to().await.is_empty());
        }
    }
}

#[tokio::test]
async fn a_calendar_answers_to_the_list_where_the_list_is_the_organiser() {
    let hosts = Hosts::with_one().await;
    let (_, reply) = &replies("ACCEPTED")[1];
    put_subscriber(&hosts.world.store, 4, &["media"], |_| {}).await;
    let mail = calendar("reader4", "", "text/calendar; method=REPLY", reply);
    hosts.comes(Some("reader4@example.com"), "media@lists.example.org", &mail).await;
    assert_eq!(hosts.answer_of("reader4").await.unwrap().answer(), RsvpAnswer::Yes);
}

#[tokio::test]
async fn a_later_answer_counts_and_the_earlier_stays_in_the_history() {
    let hosts = Hosts::with_one().await;
    hosts.writes("karin", "Jag kommer, presskort 12345.").await;
    hosts.world.clock.advance(chrono::Duration::hours(5));
    hosts.writes("karin", "Tyvärr har jag fått förhinder.").await;
    let rsvp = hosts.answer_of("karin").await.unwrap();
    assert_eq!((rsvp.answer(), rsvp.since()), (RsvpAnswer::No, Some(hosts.now())));
    assert_eq!(rsvp.changes.iter().map(|c| c.answer).collect::<Vec<_>>(), [RsvpAnswer::Yes, RsvpAnswer::No]);
    assert_eq!(rsvp.person.press_card, given("12345"), "what was given before is not lost");
    assert_eq!(hosts.overview(1).await.heads(), 0);
    // A later unclear mail does not undo it, but is shown for review.
    hosts.writes("karin", "Eller vänta, kommer ni att sända?").await;
    let rsvp = hosts.answer_of("karin").await.unwrap();
    assert_eq!((rsvp.answer(), rsvp.to_be_seen()), (RsvpAnswer::No, true));
}

#[tokio::test]
async fn late_answers_and_those_beyond_the_capacity_are_kept_and_marked() {
    let hosts = Hosts::new().await;
    let more = "deadline = 2026-11-20\ncapacity = 3\n";
    let release = hosts.invite("Så bygger vi", "2026-11-26T09:30:00", more).await;
    hosts.send(1, release).await;
    hosts.writes("karin", "Vi kommer, två personer.").await;
    hosts.world.clock.advance(chrono::Duration::hours(1));
    hosts.writes("nils", "Vi kommer, 2 personer.").await;
    hosts.world.clock.advance(chrono::Duration::days(3));
    hosts.writes("eva", "Jag kommer inte.").await;
    let overview = hosts.overview(1).await;
    assert_eq!((overview.heads(), overview.capacity), (4, Some(3)));
    let marks: Vec<_> = overview
        .answers
        .iter()
        .map(|a| (a.rsvp.address.local_part(), a.over_capacity, a.rsvp.current().unwrap().late))
        .collect();
    assert_eq!(marks, [("karin", false, false), ("nils", true, false), ("eva", false, true)]);
}

#[tokio::test]
async fn who_answers_gets_one_receipt_for_each_answer() {
    let hosts = Hosts::with_one().await;
    for text in ["Jag kommer!", "Jag kommer, alltså.", "Tyvärr kan jag inte komma."] {
        hosts.writes("karin", text).await;
    }
    let receipts = hosts.receipts().await;
    assert_eq!(receipts.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), ["karin@example.com"; 2]);
    assert!(receipts[0].1.contains("Du kommer.") && receipts[1].1.contains("Du kommer inte."), "{receipts:?}");
    assert!(receipts[0].1.contains("Auto-Submitted: auto-replied"), "{receipts:?}");
    assert!(receipts[0].1.contains(RSVP), "an answer to the receipt is an answer to the invitation");
    // A program gets no reply, even if its answer counts (RFC 3834 §2).
    let (_, google) = &replies("ACCEPTED")[0];
    let mail = calendar("nils", "Auto-Submitted: auto-generated\n", "text/calendar; method=REPLY", google);
    hosts.comes(Some("nils@example.com"), RSVP, &mail).await;
    assert!(hosts.answer_of("nils").await.is_some());
    assert_eq!(hosts.receipts().await.len(), 2);
}

#[tokio::test]
async fn an_answer_to_the_receipt_or_to_the_mail_itself_finds_its_invitation() {
    let hosts = Hosts::with_one().await;
    let other = hosts.invite("Ett annat möte", "2026-11-27T09:30:00", "").await;
    hosts.send(2, other).await;
    let fields = format!("In-Reply-To: <{}>\n", hosts.message_id(2, 17));
    hosts.comes(Some("karin@example.com"), RSVP, &with_fields("karin", &fields, "Jag kommer.")).await;
    assert!(hosts.overview(1).await.answers.is_empty());
    assert_eq!(hosts.overview(other.0).await.answers[0].rsvp.changes[0].release, ReleaseId(2));
    let written = &hosts.receipts().await[0].1;
    assert!(written.contains(&hosts.message_id(2, 17)), "the receipt's References lead back: {written}");
}
