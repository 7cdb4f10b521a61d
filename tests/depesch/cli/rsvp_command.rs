//! `rsvp` over the socket: by release and by mailing, as JSON and as CSV, and entering an answer.

use depesch::api::client::ClientError;
use depesch::api::path::ApiPath;
use depesch::api::rsvp::{AnswerWord, NewAnswer, OverviewView, RsvpView};
use depesch::base::id::ReleaseId;

use crate::support::api::{TestApi, start_on};
use crate::support::rsvps::Hosts;

fn path(event: &str) -> ApiPath {
    ApiPath::new("/v1/rsvps").segment(event)
}

async fn office() -> (Hosts, TestApi) {
    let hosts = Hosts::with_one().await;
    hosts.writes("karin", "Jag kommer.\nNamn: Karin Ek\n").await;
    hosts.writes("nils", "Hej!").await;
    let control = start_on(hosts.world.store.clone()).await;
    (hosts, control)
}

#[tokio::test]
async fn the_answers_are_counted_and_listed_by_release_and_by_mailing() {
    let (_hosts, control) = office().await;
    let by_release: OverviewView = control.client.get(path("r1")).await.unwrap();
    assert_eq!((by_release.yes, by_release.no, by_release.maybe, by_release.unclear), (1, 0, 0, 1));
    assert_eq!((by_release.people, by_release.to_be_seen, by_release.answers.len()), (1, 1, 2));
    assert_eq!(by_release.answers[0].name.as_deref(), Some("Karin Ek"));
    let by_mailing: OverviewView = control.client.get(path("m1")).await.unwrap();
    assert_eq!(by_mailing.answers, by_release.answers);
    let mut download = control.client.download(path("r1").segment("export")).await.unwrap();
    let mut file = Vec::new();
    while let Some(bytes) = download.chunk().await.unwrap() {
        file.extend_from_slice(&bytes);
    }
    assert!(String::from_utf8(file).unwrap().contains("\r\nKarin Ek,,,,yes,"));
}

#[tokio::test]
async fn an_operator_enters_an_answer_given_to_the_contact() {
    let (hosts, control) = office().await;
    let new = NewAnswer { address: "eva@example.com".into(), answer: AnswerWord::Maybe, comment: "by phone".into() };
    let set: RsvpView = control.client.post(path("r1"), &new).await.unwrap();
    assert_eq!(
        (set.answer.as_str(), set.changes[0].way.as_str(), set.comment.as_str()),
        ("maybe", "operator", "by phone")
    );
    assert_eq!(hosts.overview(1).await.answers.len(), 3);
}

#[tokio::test]
async fn a_release_without_an_event_or_a_missing_one_is_refused() {
    let (hosts, control) = office().await;
    let plain = "+++\nkind = \"press-release\"\nlanguage = \"sv\"\nheadline = \"Nytt\"\nissuers = [\"X\"]\nlead = \"y\"\n+++\n\nText\n";
    assert_eq!(hosts.add(plain).await, ReleaseId(2));
    for (event, status) in [("r2", 409), ("r99", 404), ("m99", 404), ("x", 400)] {
        match control.client.get::<OverviewView>(path(event)).await {
            Err(ClientError::Refused(refusal)) => assert_eq!(refusal.status, status, "{event}: {refusal}"),
            other => panic!("{event}: {other:?}"),
        }
    }
}
