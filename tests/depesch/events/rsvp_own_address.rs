//! Each reader of an invitation has an address of their own for the answer: mail to it is recorded for that event,
//! whatever the mail contains.

use depesch::base::token::Purpose;
use depesch::inbound::destination::{Directory, Resolved};
use depesch::inbound::recipients::Recipient;
use depesch::model::inbound::InboundKind;
use depesch::model::rsvp::RsvpAnswer;

use crate::support::rsvps::{CONTACT, Hosts, plain};

/// The address for the answer of subscriber 4 to mailing `mailing`.
fn own(hosts: &Hosts, mailing: u64) -> String {
    format!("media-rsvp+{}@lists.example.org", hosts.world.key.sign(Purpose::Rsvp, &[mailing, 4]))
}

#[tokio::test]
async fn of_two_events_it_is_the_one_that_the_address_was_made_for() {
    let hosts = Hosts::with_one().await;
    let other = hosts.invite("Pressfrukost", "2026-11-26T08:00:00", "").await;
    hosts.send(2, other).await;
    // The address for all answers cannot tell two events apart.
    hosts.writes("bo", "Jag kommer.").await;
    assert_eq!(hosts.overview(1).await.answers.len() + hosts.overview(2).await.answers.len(), 0);
    for (mailing, release) in [(1, 1), (2, 2)] {
        let to = own(&hosts, mailing);
        let (kind, note) = hosts.comes(Some("karin@example.com"), &to, &plain("karin", "Jag kommer.")).await;
        assert_eq!((kind, note), (InboundKind::Rsvp, format!("yes to release r{release}")));
    }
    for release in [1, 2] {
        let answers = hosts.overview(release).await.answers;
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].rsvp.answer(), RsvpAnswer::Yes);
        assert_eq!(answers[0].rsvp.address.as_str(), "karin@example.com", "a colleague answers in her own name");
    }
}

#[tokio::test]
async fn a_question_to_it_reaches_the_press_contact() {
    let hosts = Hosts::with_one().await;
    let to = own(&hosts, 1);
    hosts.comes(Some("karin@example.com"), &to, &plain("karin", "Går det att få en intervju efteråt?")).await;
    assert_eq!(hosts.forwarded_to().await, [CONTACT]);
}

#[tokio::test]
async fn a_forged_address_is_refused_at_rcpt() {
    let hosts = Hosts::with_one().await;
    let directory = Directory::new(hosts.world.store.clone(), hosts.world.key.clone());
    let unsubscribe = hosts.world.key.sign(Purpose::Bounce, &[1, 4]);
    for token in ["abcdefgh", &unsubscribe] {
        let resolved = directory.resolve(&format!("media-rsvp+{token}@lists.example.org")).await.unwrap();
        assert!(matches!(resolved, Resolved::No(Recipient::Forged)), "{token}: {resolved:?}");
    }
}

#[tokio::test]
async fn the_receipt_repeats_what_the_person_wrote_in_words() {
    let hosts = Hosts::with_one().await;
    let text =
        "Jag kommer gärna! Har med mig en fotograf.\n\nNamn: Karin Ek\nRedaktion: Exempelbladet\nPresskort: 12345\n";
    hosts.comes(Some("karin@example.com"), &own(&hosts, 1), &plain("karin", text)).await;
    hosts.comes(Some("bo@example.com"), &own(&hosts, 1), &plain("bo", "Tyvärr kan jag inte komma.")).await;
    let receipts = hosts.receipts().await;
    let [(_, karin), (_, bo)] = receipts.as_slice() else { panic!("{receipts:?}") };
    for part in [
        "Du kommer.",
        "Namn: Karin Ek\n",
        "Redaktion: Exempelbladet\n",
        "Presskort: 12345\n",
        "Antal personer: 2\n",
        "Så bygger vi fler bostäder, torsdag 26 november 2026, kl. 9.30, Salen",
    ] {
        assert!(karin.contains(part), "{part}: {karin}");
    }
    assert!(bo.contains("Du kommer inte.") && !bo.contains("Namn:") && !bo.contains("Antal"), "{bo}");
}
