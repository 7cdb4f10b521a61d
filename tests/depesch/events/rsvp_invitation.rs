//! A mail is matched to the invitation it answers; if several are possible, none is chosen.

use depesch::base::id::ReleaseId;
use depesch::composition::enclosures::calendar as calendar_part;
use depesch::composition::event::identity;
use depesch::composition::release::load;
use depesch::events::{index_invitations, is_rsvp_address};
use depesch::inbound::destination::{Destination, Directory, Resolved};
use depesch::inbound::recipients::Recipient;
use depesch::mail::headers::Mailbox;
use depesch::model::inbound::InboundKind;
use depesch::store::engine::Batch;
use depesch::store::for_tests::engine as engine_of;
use depesch::store::for_tests::keys;

use crate::support::rsvps::{Hosts, RSVP, calendar, plain, with_fields};

async fn answered(hosts: &Hosts, release: u64) -> Vec<String> {
    let answers = hosts.overview(release).await.answers;
    answers.iter().map(|answered| answered.rsvp.address.local_part().to_owned()).collect()
}

/// Two open events with one address: release 1 and 2, both sent.
async fn two() -> Hosts {
    let hosts = Hosts::with_one().await;
    let second = hosts.invite("Skolan efter valet", "2026-12-03T09:30:00", "").await;
    hosts.send(2, second).await;
    hosts
}

#[tokio::test]
async fn an_ambiguous_answer_is_decided_by_a_person() {
    let hosts = two().await;
    let (kind, _) = hosts.writes("karin", "Jag kommer.").await;
    assert_eq!(kind, InboundKind::Forwarded);
    assert!(answered(&hosts, 1).await.is_empty() && answered(&hosts, 2).await.is_empty());
    assert_eq!(hosts.forwarded_to().await, ["press@example.org"]);
}

#[tokio::test]
async fn the_subject_decides_and_past_or_unsent_events_do_not_count() {
    let hosts = two().await;
    let mail = plain("karin", "Jag kommer.").replace("Sv: Inbjudan", "Sv: Skolan efter valet");
    hosts.comes(Some("karin@example.com"), RSVP, &mail).await;
    assert_eq!(answered(&hosts, 2).await, ["karin"]);
    // A third one, not sent yet, is not considered.
    hosts.invite("Nästa år", "2027-01-20T09:30:00", "").await;
    // The first is over by then.
    hosts.world.clock.advance(chrono::Duration::days(10));
    hosts.writes("nils", "Jag kommer.").await;
    assert_eq!(answered(&hosts, 2).await, ["karin", "nils"]);
}

#[tokio::test]
async fn a_message_id_that_is_not_ours_leads_nowhere() {
    let hosts = two().await;
    let forged = hosts.message_id(1, 4).replace("m1.", "m2.");
    for id in [forged.as_str(), "m1.aaaaaaaaaaaaaaaaaaaa@lists.example.org", "m1@x", "@", "m1."] {
        let mail = with_fields("karin", &format!("In-Reply-To: <{id}>\n"), "Jag kommer.");
        hosts.comes(Some("karin@example.com"), RSVP, &mail).await;
    }
    assert!(answered(&hosts, 1).await.is_empty() && answered(&hosts, 2).await.is_empty());
}

#[tokio::test]
async fn updates_of_an_event_share_its_answers() {
    let hosts = Hosts::with_one().await;
    hosts.writes("karin", "Jag kommer.").await;
    let relation = "[[relations]]\nkind = \"update-of\"\nto = \"r1\"\n";
    let update = hosts.invite("Så bygger vi: ny tid", "2026-11-27T09:30:00", relation).await;
    let again = hosts.invite("Så bygger vi: ny lokal", "2026-11-27T09:30:00", &relation.replace("r1", "r2")).await;
    hosts.send(2, update).await;
    hosts.send(3, again).await;
    hosts.writes("karin", "Jag kan inte komma den nya tiden.").await;
    for release in [1, update.0, again.0] {
        let overview = hosts.overview(release).await;
        assert_eq!((overview.event, overview.answers.len()), (ReleaseId(1), 1));
        assert_eq!(overview.answers[0].rsvp.changes[1].release, again);
    }
}

#[tokio::test]
async fn an_author_s_own_uid_joins_releases_and_finds_them() {
    let hosts = two().await;
    let event = "[event]\nstart = 2026-12-10T09:30:00\nvenue = \"Salen\"\nuid = \"mote-2026@press.example\"\n";
    let first = hosts.invite_with("Mötet", event, "").await;
    let second = hosts.invite_with("Mötet flyttas", event, "").await;
    hosts.send(3, first).await;
    hosts.send(4, second).await;
    let reply = "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:mote-2026@press.example\n\
        ATTENDEE;PARTSTAT=DECLINED:mailto:karin@example.com\nEND:VEVENT\nEND:VCALENDAR";
    hosts.comes(Some("karin@example.com"), RSVP, &calendar("karin", "", "text/calendar; method=REPLY", reply)).await;
    let overview = hosts.overview(second.0).await;
    assert_eq!((overview.event, answered(&hosts, first.0).await), (first, vec!["karin".to_owned()]));
    assert_eq!(overview.answers[0].rsvp.changes[0].release, second);
}

#[tokio::test]
async fn the_ingest_accepts_the_address_and_no_other() {
    let hosts = Hosts::with_one().await;
    let directory = Directory::new(hosts.world.store.clone(), hosts.world.key.clone());
    for (address, ours) in [(RSVP, true), ("ANMALAN@Press.Example", true), ("anmalan@lists.example.org", false)] {
        let resolved = directory.resolve(address).await.unwrap();
        match ours {
            true => assert!(matches!(resolved, Resolved::Ours(Destination::Rsvp)), "{address}"),
            false => assert!(matches!(resolved, Resolved::No(Recipient::Unknown)), "{address}"),
        }
    }
    let other = "anmalan@press.example.com".parse().unwrap();
    assert!(is_rsvp_address(&hosts.world.store, &other).await.unwrap().is_empty());
}

#[tokio::test]
async fn invitations_from_before_there_was_an_index_are_found_after_a_start() {
    let hosts = Hosts::with_one().await;
    let store = &hosts.world.store;
    let ways = engine_of(store).scan(keys::table(b'j'), 100).await.unwrap();
    assert_eq!(ways.len(), 2);
    let mut batch = Batch::new();
    ways.iter().for_each(|(key, _)| batch.delete(key.clone()));
    store.commit(batch).await.unwrap();
    let address = RSVP.parse().unwrap();
    assert!(is_rsvp_address(store, &address).await.unwrap().is_empty());
    assert_eq!(index_invitations(store).await.unwrap(), 1);
    assert_eq!(engine_of(store).scan(keys::table(b'j'), 100).await.unwrap(), ways);
    assert_eq!(index_invitations(store).await.unwrap(), 0, "once is enough");
}

#[tokio::test]
async fn calendar_programs_are_told_to_answer_to_the_address() {
    let hosts = Hosts::new().await;
    let release =
        hosts.invite_with("Bostäder", "[event]\nstart = 2026-11-26T09:30:00\ninvite = \"publish\"\n", "").await;
    hosts.send(1, release).await;
    let loaded = load(&hosts.world.store, ReleaseId(1)).await.unwrap().unwrap();
    let list = Mailbox { name: Some("Exempelförbundet".into()), address: "media@lists.example.org".parse().unwrap() };
    let identity = identity(&hosts.world.store, ReleaseId(1), "lists.example.org").await.unwrap().unwrap();
    let part = calendar_part(&loaded.release, identity, hosts.now(), &list).unwrap();
    let text = part.text.replace("\r\n ", "");
    assert!(text.contains(&format!("\r\nORGANIZER;CN=\"Exempelförbundet\":mailto:{RSVP}\r\n")), "{text}");
}
