//! Answering an invitation: how an answer counts depends on its proof, not on the channel.

use depesch::api::rsvp::RsvpView;
use depesch::base::id::{InboundId, ReleaseId};
use depesch::base::peer::Network;
use depesch::events::RsvpError;
use depesch::events::answer::{Answering, Proof, Recorded, answer_invitation};
use depesch::model::rsvp::{Detail, RsvpAnswer, RsvpPerson, RsvpSource};

use crate::support::rsvps::Hosts;

fn by_each_way() -> [RsvpSource; 5] {
    let inbound = InboundId(7);
    [
        RsvpSource::Calendar { inbound },
        RsvpSource::Words { inbound },
        RsvpSource::Operator { who: "anna".into() },
        RsvpSource::Web { network: Network::of("192.0.2.77".parse().unwrap()) },
        RsvpSource::Api { client: "union-website".into() },
    ]
}

fn yes(hosts: &Hosts, by: RsvpSource, proof: Proof) -> Answering {
    let name = Some(Detail { text: "Karin Ek".into(), given: true });
    Answering {
        release: ReleaseId(1),
        address: "karin@example.com".parse().unwrap(),
        proof,
        by,
        answer: RsvpAnswer::Yes,
        person: RsvpPerson { name, people: Some(2), ..RsvpPerson::default() },
        comment: "Vi kommer.".into(),
        why: String::new(),
        at: hosts.now(),
    }
}

async fn answers(hosts: &Hosts, answering: &Answering) -> Result<Recorded, RsvpError> {
    let (store, key) = (&hosts.world.store, &hosts.world.key);
    store.carry_out(|| answer_invitation(store, key, answering)).await
}

#[tokio::test]
async fn the_same_answer_is_the_same_by_each_way() {
    for by in by_each_way() {
        let hosts = Hosts::with_one().await;
        let recorded = answers(&hosts, &yes(&hosts, by.clone(), Proof::Own)).await.unwrap();
        assert_eq!((recorded.rsvp.answer(), recorded.doubted), (RsvpAnswer::Yes, None));
        let kept = hosts.answer_of("karin").await.unwrap();
        assert_eq!(kept, recorded.rsvp);
        assert_eq!((kept.person.people, &kept.current().unwrap().source), (Some(2), &by));
    }
}

#[tokio::test]
async fn an_unproven_answer_is_for_the_press_contact_and_replaces_nothing() {
    for by in by_each_way() {
        let hosts = Hosts::with_one().await;
        answers(&hosts, &yes(&hosts, by.clone(), Proof::Own)).await.unwrap();
        let other = Some(Detail { text: "Falsk".into(), given: true });
        let person = RsvpPerson { name: other, people: Some(40), ..RsvpPerson::default() };
        let forged = Answering { person, ..yes(&hosts, by, Proof::Unproven) };
        let recorded = answers(&hosts, &forged).await.unwrap();
        assert!(recorded.doubted.is_some());
        assert_eq!(recorded.rsvp.changes.last().unwrap().answer, RsvpAnswer::Unclear);
        assert_eq!(recorded.rsvp.answer(), RsvpAnswer::Yes, "what counted before still counts");
        let kept = hosts.answer_of("karin").await.unwrap().person;
        assert_eq!((kept.name.unwrap().text, kept.people), ("Karin Ek".to_owned(), Some(2)));
    }
}

#[tokio::test]
async fn a_uid_alone_counts_only_from_those_who_are_known() {
    let hosts = Hosts::with_one().await;
    let [calendar, words, ..] = by_each_way();
    let stranger = answers(&hosts, &yes(&hosts, calendar.clone(), Proof::OwnByUid)).await.unwrap();
    assert!(stranger.doubted.is_some_and(|why| why.contains("its sender is not known")));
    answers(&hosts, &yes(&hosts, words, Proof::Own)).await.unwrap();
    let known = answers(&hosts, &yes(&hosts, calendar, Proof::OwnByUid)).await.unwrap();
    assert_eq!((known.doubted, known.rsvp.answer()), (None, RsvpAnswer::Yes));
}

/// The newest release of the event decides what is late, even for an operator who names the first.
#[tokio::test]
async fn the_newest_release_decides_what_is_late() {
    let hosts = Hosts::new().await;
    let first = hosts.invite("Så bygger vi", "2026-12-26T09:30:00", "deadline = 2026-12-20").await;
    hosts.send(1, first).await;
    for by in by_each_way() {
        let answering = yes(&hosts, by, Proof::Stated);
        assert!(!answers(&hosts, &answering).await.unwrap().rsvp.current().unwrap().late);
        let late = Answering { at: "2026-12-21T12:00:00Z".parse().unwrap(), ..answering };
        assert!(answers(&hosts, &late).await.unwrap().rsvp.current().unwrap().late);
    }
}

#[tokio::test]
async fn a_release_without_an_event_takes_no_answer() {
    let hosts = Hosts::with_one().await;
    let [_, _, operator, ..] = by_each_way();
    let unknown = Answering { release: ReleaseId(9), ..yes(&hosts, operator, Proof::Stated) };
    assert!(matches!(answers(&hosts, &unknown).await, Err(RsvpError::NoRelease(ReleaseId(9)))));
}

#[tokio::test]
async fn the_api_names_the_way_and_where_it_came_from() {
    let hosts = Hosts::with_one().await;
    for by in by_each_way() {
        answers(&hosts, &yes(&hosts, by, Proof::Own)).await.unwrap();
    }
    let view = RsvpView::from(&hosts.answer_of("karin").await.unwrap());
    let ways: Vec<_> = view.changes.iter().map(|change| (change.way.as_str(), change.from.as_str())).collect();
    let expected =
        [("calendar", "i7"), ("words", "i7"), ("operator", "anna"), ("web", "192.0.2.0/24"), ("api", "union-website")];
    assert_eq!(ways, expected);
}
