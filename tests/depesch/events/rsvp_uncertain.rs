//! Uncertain answers are sent to the press contact and listed as unclear; mail written by a program is not an answer.

use depesch::base::id::ReleaseId;
use depesch::events::answer::set;
use depesch::model::inbound::InboundKind;
use depesch::model::rsvp::{RsvpAnswer, RsvpSource};

use crate::support::mailings::put_subscriber;
use crate::support::rsvps::{CONTACT, Hosts, RSVP, calendar, plain, with_fields};

#[tokio::test]
async fn uncertain_answers_go_to_the_contact_and_are_listed() {
    for text in
        ["Hej!", "Kommer ni att sända?", "Jag kommer om jag hinner.", "Jag kan inte men min kollega Eva kommer.", ""]
    {
        let hosts = Hosts::with_one().await;
        let (kind, note) = hosts.writes("karin", text).await;
        assert_eq!(kind, InboundKind::Rsvp);
        assert!(note.contains("unclear") && !note.contains("karin"), "{note}");
        assert_eq!(hosts.forwarded_to().await, [CONTACT], "{text}");
        assert!(hosts.receipts().await.is_empty(), "nothing was understood, so nothing is confirmed");
        let rsvp = hosts.answer_of("karin").await.unwrap();
        assert_eq!((rsvp.answer(), rsvp.to_be_seen()), (RsvpAnswer::Unclear, true), "{text}");
        // The contact has called the person and enters the answer.
        let told = (hosts.now(), "anna", "by phone");
        set(&hosts.world.store, &hosts.world.key, ReleaseId(1), &rsvp.address, RsvpAnswer::Yes, told).await.unwrap();
        let rsvp = hosts.answer_of("karin").await.unwrap();
        assert_eq!((rsvp.answer(), rsvp.to_be_seen()), (RsvpAnswer::Yes, false));
        assert_eq!(rsvp.current().unwrap().source, RsvpSource::Operator { who: "anna".into() });
    }
}

#[tokio::test]
async fn an_answer_with_a_question_counts_and_goes_to_the_contact() {
    let hosts = Hosts::with_one().await;
    hosts.writes("karin", "Jag kommer! Finns det parkering?").await;
    assert_eq!(hosts.answer_of("karin").await.unwrap().answer(), RsvpAnswer::Yes);
    assert_eq!(hosts.forwarded_to().await, [CONTACT]);
}

#[tokio::test]
async fn a_calendar_part_that_proposes_or_contradicts_itself_goes_to_the_contact() {
    let event = "BEGIN:VEVENT\nUID:event-r1@lists.example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:karin@example.com\nEND:VEVENT\n";
    for (content_type, method) in [
        ("text/calendar; method=COUNTER", "COUNTER"),
        ("text/calendar; method=REQUEST", "REPLY"),
        ("text/calendar", "REPLY"),
        ("text/calendar; method=REPLY", "REQUEST"),
    ] {
        let hosts = Hosts::with_one().await;
        let text = format!("BEGIN:VCALENDAR\nMETHOD:{method}\n{event}END:VCALENDAR");
        let mail = calendar("karin", "", content_type, &text);
        hosts.comes(Some("karin@example.com"), RSVP, &mail).await;
        assert_eq!(hosts.answer_of("karin").await.unwrap().answer(), RsvpAnswer::Unclear, "{content_type} {method}");
        assert_eq!(hosts.forwarded_to().await, [CONTACT]);
    }
}

#[tokio::test]
async fn an_absence_notice_is_not_an_answer() {
    let hosts = Hosts::with_one().await;
    let away = "Jag är på semester och kan inte komma.";
    let mails = [
        (Some("karin@example.com"), with_fields("karin", "Auto-Submitted: auto-replied (vacation)\n", away)),
        (Some("karin@example.com"), with_fields("karin", "X-Mail-Autoreply: yes\n", away)),
        (None, plain("karin", away)),
    ];
    for (sender, mail) in mails {
        let (kind, _) = hosts.comes(sender, RSVP, &mail).await;
        assert_eq!(kind, InboundKind::AutoReply, "{mail}");
    }
    assert!(hosts.overview(1).await.answers.is_empty());
    assert!(hosts.notices().await.is_empty(), "no receipt, and nothing is passed on");
}

#[tokio::test]
async fn what_only_looks_automatic_goes_to_the_contact_and_is_no_answer() {
    let away = "Jag är på semester och kan inte komma.";
    for mail in [
        with_fields("karin", "Precedence: bulk\n", away),
        plain("karin", away).replace("Sv: Inbjudan", "Autosvar: Inbjudan"),
    ] {
        let hosts = Hosts::with_one().await;
        let (kind, note) = hosts.comes(Some("karin@example.com"), RSVP, &mail).await;
        assert_eq!(kind, InboundKind::Rsvp, "{note}");
        assert_eq!(hosts.answer_of("karin").await.unwrap().answer(), RsvpAnswer::Unclear);
        assert_eq!(hosts.forwarded_to().await, [CONTACT]);
        assert!(hosts.receipts().await.is_empty());
    }
}

#[tokio::test]
async fn a_mail_without_an_author_goes_to_the_owner() {
    let hosts = Hosts::with_one().await;
    let mail = plain("karin", "Jag kommer.").replace("From: karin <karin@example.com>\n", "");
    let (kind, _) = hosts.comes(Some("karin@example.com"), RSVP, &mail).await;
    assert_eq!((kind, hosts.forwarded_to().await), (InboundKind::Forwarded, vec!["press@example.org".to_owned()]));
}

#[tokio::test]
async fn a_mail_that_was_forwarded_before_is_not_forwarded_again() {
    let hosts = Hosts::with_one().await;
    hosts.writes("karin", "Hej!").await;
    let header = hosts.notices().await.into_iter().find_map(|notice| match notice.body {
        depesch::model::notice::NoticeBody::Forwarded { header, .. } => Some(String::from_utf8(header).unwrap()),
        _ => None,
    });
    let back = format!("{}{}", header.unwrap().replace("\r\n", "\n"), plain("karin", "Hej!"));
    hosts.comes(Some("oskar@press.example"), "media-rsvp@lists.example.org", &back).await;
    hosts.comes(Some("oskar@press.example"), RSVP, &back).await;
    assert_eq!(hosts.forwarded_to().await.len(), 1);
}

/// A calendar reply that names an event by its UID alone.
fn guess(who: &str, release: ReleaseId) -> String {
    let reply = format!(
        "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:event-{release}@lists.example.org\n\
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:{who}@example.com\nEND:VEVENT\nEND:VCALENDAR"
    );
    calendar(who, "", "text/calendar; method=REPLY", &reply)
}

#[tokio::test]
async fn an_unsent_release_is_not_mentioned() {
    let hosts = Hosts::new().await;
    let release = hosts.invite("Hemligt", "2026-11-26T09:30:00", "").await;
    for _ in 0..2 {
        let fields = format!("In-Reply-To: <{}>\n", hosts.message_id(1, 17));
        hosts.comes(Some("karin@example.com"), RSVP, &with_fields("karin", &fields, "Jag kommer.")).await;
        hosts.writes("karin", "Jag kommer!").await;
        for to in [RSVP, "media@lists.example.org"] {
            hosts.comes(Some("karin@example.com"), to, &guess("karin", release)).await;
        }
        assert!(hosts.overview(release.0).await.answers.is_empty());
        assert!(hosts.receipts().await.is_empty());
    }
    hosts.send(1, release).await;
    hosts.writes("karin", "Jag kommer!").await;
    assert_eq!(hosts.receipts().await.len(), 1);
}

#[tokio::test]
async fn a_stranger_who_guesses_a_uid_learns_nothing() {
    let hosts = Hosts::with_one().await;
    put_subscriber(&hosts.world.store, 4, &["media"], |_| {}).await;
    // Neither does a second guess, nor one in a subscriber's name.
    for (who, sender) in [("eve", "eve"), ("eve", "eve"), ("reader4", "eve")] {
        let mail = guess(who, ReleaseId(1));
        hosts.comes(Some(&format!("{sender}@example.com")), "media@lists.example.org", &mail).await;
        assert_eq!(hosts.answer_of(who).await.unwrap().answer(), RsvpAnswer::Unclear);
    }
    // The same mail twice is forwarded once.
    assert_eq!(hosts.forwarded_to().await, [CONTACT; 2]);
    // A subscriber's own answer counts, and gets no reply either, like a stranger's.
    hosts.comes(Some("reader4@example.com"), "media@lists.example.org", &guess("reader4", ReleaseId(1))).await;
    assert_eq!(hosts.answer_of("reader4").await.unwrap().answer(), RsvpAnswer::Yes);
    assert!(hosts.receipts().await.is_empty());
}
