//! For an event that was moved or cancelled, the newest release decides what calendars and people who answer are told.

use depesch::base::id::ReleaseId;
use depesch::composition::enclosures::EventIdentity;
use depesch::composition::event::{identity, warnings};
use depesch::model::rsvp::RsvpAnswer;

use crate::support::rsvps::{Hosts, RSVP, with_fields};

const RELATION: &str = "[[relations]]\nkind = \"update-of\"\nto = \"r1\"\n";

/// Adds a release of the same event: the lines of its `[event]`, and those after it.
async fn update(hosts: &Hosts, headline: &str, event: &str, more: &str) -> ReleaseId {
    hosts.invite_with(headline, &format!("[event]\nvenue = \"Salen\"\n{event}\n"), more).await
}

async fn moved(hosts: &Hosts, mailing: u64) -> ReleaseId {
    let event = "start = 2026-11-27T13:00:00\nstatus = \"moved\"\nprevious_start = 2026-11-26T09:30:00";
    let release = update(hosts, "Ny tid: Så bygger vi", event, RELATION).await;
    hosts.send(mailing, release).await;
    release
}

/// A cancellation written in a hurry: no uid, no sequence, no reply address.
async fn cancelled(hosts: &Hosts, mailing: u64) -> ReleaseId {
    let source = format!(
        "+++\nkind = \"invitation\"\nlanguage = \"sv\"\nheadline = \"Inställt: Så bygger vi\"\nissuers = [\"Exempelförbundet\"]\n\
         media_welcome = \"Ja\"\n\n[event]\nstart = 2026-11-26T09:30:00\nvenue = \"Salen\"\nstatus = \"cancelled\"\n\n{RELATION}+++\n\nTyvärr.\n"
    );
    let release = hosts.add(&source).await;
    hosts.send(mailing, release).await;
    release
}

async fn known_as(hosts: &Hosts, release: ReleaseId) -> EventIdentity {
    identity(&hosts.world.store, release, "lists.example.org").await.unwrap().unwrap()
}

fn is(uid: &str, sequence: u32) -> EventIdentity {
    EventIdentity { uid: uid.to_owned(), sequence }
}

#[tokio::test]
async fn the_sequence_rises_by_itself_under_one_uid() {
    let hosts = Hosts::with_one().await;
    let again = update(&hosts, "Påminnelse", "start = 2026-11-26T09:30:00", RELATION).await;
    let moved = moved(&hosts, 2).await;
    let given = "start = 2026-11-27T14:00:00\nsequence = 7\nuid = \"annat@press.example\"";
    let given = update(&hosts, "Senare", given, &RELATION.replace("r1", &moved.to_string())).await;
    let cancelled = cancelled(&hosts, 3).await;
    let uid = "event-r1@lists.example.org";
    assert_eq!(known_as(&hosts, ReleaseId(1)).await, is(uid, 0));
    assert_eq!(known_as(&hosts, again).await, is(uid, 0), "a reminder changes nothing");
    assert_eq!(known_as(&hosts, moved).await, is(uid, 1));
    assert_eq!(known_as(&hosts, given).await, is(uid, 7));
    assert_eq!(known_as(&hosts, cancelled).await, is(uid, 8));
    assert_eq!(known_as(&hosts, moved).await, is(uid, 1), "an earlier one stays what it was");
}

#[tokio::test]
async fn an_author_s_uid_and_an_old_sequence_still_make_a_higher_one() {
    let hosts = Hosts::new().await;
    let event = |more: &str| format!("start = 2026-11-26T09:30:00\nuid = \"mote@press.example\"\nsequence = 3\n{more}");
    let first = update(&hosts, "Mötet", &event(""), "").await;
    let second = update(&hosts, "Inställt: mötet", &event("status = \"cancelled\""), "").await;
    assert_eq!(known_as(&hosts, first).await, is("mote@press.example", 3));
    assert_eq!(known_as(&hosts, second).await, is("mote@press.example", 4));
}

#[tokio::test]
async fn an_answer_after_a_move_confirms_the_new_time() {
    let hosts = Hosts::with_one().await;
    hosts.writes("karin", "Jag kommer!").await;
    moved(&hosts, 2).await;
    // By the address, and by the Message-ID of the first invitation.
    hosts.writes("karin", "Jag kommer!").await;
    let fields = format!("In-Reply-To: <{}>\n", hosts.message_id(1, 17));
    hosts.comes(Some("nils@example.com"), RSVP, &with_fields("nils", &fields, "Jag kommer!")).await;
    let receipts = hosts.receipts().await;
    let texts: Vec<&str> = receipts.iter().map(|(_, text)| text.as_str()).collect();
    let [before, after, nils] = texts[..] else { panic!("{receipts:?}") };
    assert!(before.contains("torsdag 26 november 2026, kl. 9.30") && !before.contains("flyttats"), "{before}");
    for text in [after, nils] {
        assert!(text.contains("Du kommer.") && text.contains("flyttats"), "{text}");
        assert!(text.contains("fredag 27 november 2026, kl. 13") && !text.contains("26 november"), "{text}");
    }
    let start = hosts.overview(1).await.start.unwrap();
    assert_eq!(start.to_string(), "2026-11-27 12:00:00 UTC", "the list of guests has the new time, too");
}

#[tokio::test]
async fn an_answer_to_a_cancelled_event_is_told_that_it_is_cancelled() {
    for text in ["Jag kommer!", "Jag kommer inte.", "Jag kanske kommer."] {
        for by_message_id in [true, false] {
            let hosts = Hosts::with_one().await;
            let release = cancelled(&hosts, 2).await;
            let fields = format!("In-Reply-To: <{}>\n", hosts.message_id(1, 17));
            let fields = if by_message_id { fields.as_str() } else { "" };
            hosts.comes(Some("karin@example.com"), RSVP, &with_fields("karin", fields, text)).await;
            let receipts = hosts.receipts().await;
            let [(_, receipt)] = receipts.as_slice() else { panic!("{text} {receipts:?}") };
            assert!(!receipt.contains("Du kommer"), "{receipt}");
            assert!(receipt.contains("evenemanget inställt"), "{receipt}");
            let overview = hosts.overview(release.0).await;
            assert_eq!((overview.event, overview.answers.len()), (ReleaseId(1), 1), "the answer itself is kept");
            assert_ne!(overview.answers[0].rsvp.answer(), RsvpAnswer::Unclear);
        }
    }
}

#[tokio::test]
async fn a_cancelled_event_does_not_take_the_answers_of_another() {
    let hosts = Hosts::with_one().await;
    let other = hosts.invite("Ett annat möte", "2026-12-03T09:30:00", "").await;
    hosts.send(2, other).await;
    cancelled(&hosts, 3).await;
    hosts.writes("karin", "Jag kommer!").await;
    assert_eq!(hosts.overview(other.0).await.answers.len(), 1);
}

#[tokio::test]
async fn an_unsent_release_changes_no_answer() {
    let hosts = Hosts::with_one().await;
    let event = "start = 2026-11-27T13:00:00\nstatus = \"moved\"";
    update(&hosts, "Ny tid: Så bygger vi", event, RELATION).await;
    hosts.writes("karin", "Jag kommer!").await;
    assert!(hosts.receipts().await[0].1.contains("torsdag 26 november 2026, kl. 9.30"));
}

#[tokio::test]
async fn queueing_warns_of_a_change_to_nothing_and_of_old_news() {
    let hosts = Hosts::with_one().await;
    let store = &hosts.world.store;
    let lost = update(&hosts, "Inställt", "start = 2026-12-26T09:30:00\nstatus = \"cancelled\"", "").await;
    let said = warnings(store, lost).await.unwrap();
    assert!(said.len() == 1 && said[0].contains("no earlier release announces it"), "{said:?}");
    assert!(warnings(store, ReleaseId(1)).await.unwrap().is_empty());
    let cancelled = cancelled(&hosts, 2).await;
    assert!(warnings(store, cancelled).await.unwrap().is_empty());
    let said = warnings(store, ReleaseId(1)).await.unwrap();
    assert_eq!(said, [format!("release {cancelled} is newer and says that the event is cancelled")]);
}
