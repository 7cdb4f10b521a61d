//! The consent of subscriptions: each with its basis and its proof, counted, and complete for any number.

use depesch::api::client::ClientError;
use depesch::api::consent::{ConsentRowView, ConsentSummary};
use depesch::base::clock::Clock;
use depesch::base::id::{ListName, SubscriberId};
use depesch::base::language::Language;
use depesch::base::peer::Network;
use depesch::model::consent::ConsentSource;
use depesch::model::subscriber::{Subscriber, SubscriptionState};
use depesch::store::blobs::Blobs;
use depesch::store::engine::Batch;
use depesch::store::subscribers;

use crate::support::api::{self, TestApi};
use crate::support::inbound::list;

use SubscriptionState::{Active, Ended, Paused};

fn media() -> ListName {
    "media".parse().unwrap()
}

fn operator() -> ConsentSource {
    ConsentSource::Operator { who: "kim".into() }
}

fn mail(evidence: Option<[u8; 32]>) -> ConsentSource {
    ConsentSource::Mail { message_id: "a@press.example".into(), evidence }
}

/// Stores a subscriber with these changes to their subscription to `media`.
async fn put(daemon: &TestApi, id: u64, changes: &[(SubscriptionState, ConsentSource, &str)]) {
    let at = daemon.clock.now();
    let mut subscriber = Subscriber {
        id: SubscriberId(id),
        address: format!("p{id}@press.example").parse().unwrap(),
        name: None,
        language: Language::swedish(),
        organisation: None,
        beats: Default::default(),
        regions: Default::default(),
        attributes: Default::default(),
        subscriptions: Default::default(),
        created: at,
        updated: at,
    };
    for (state, source, words) in changes {
        subscriber.change(&media(), *state, at, source.clone(), (*words).to_owned()).unwrap();
    }
    let mut batch = Batch::new();
    subscribers::put_new(&mut batch, &subscriber);
    daemon.control.store.commit(batch).await.unwrap();
}

async fn report(daemon: &TestApi, query: &str) -> (Vec<ConsentRowView>, ConsentSummary) {
    let mut rows = Vec::new();
    let answer = daemon.client.download(format!("/v1/lists/media/consent?{query}").as_str()).await.unwrap();
    let summary = answer.follow(|row| rows.push(row)).await.unwrap();
    (rows, summary)
}

fn short(row: &ConsentRowView) -> String {
    let words = row.basis.as_ref().map_or("-", |basis| basis.words.as_str());
    format!("{} {} {} {} {words}", row.subscriber, row.address, row.state, row.proof)
}

#[tokio::test]
async fn each_subscription_has_a_basis_or_none() {
    let daemon = api::start().await;
    daemon.control.store.create_list(&list("media")).await.unwrap();
    let mut incoming = Blobs::in_state_directory(daemon.directory.path()).receive().await.unwrap();
    incoming.write(b"Subject: Re: confirm\r\n\r\nja\r\n").await.unwrap();
    let kept = incoming.finish(None).await.unwrap().sha256;
    let imported = || ConsentSource::Import { file: "press.csv".into(), line: 7 };
    put(&daemon, 1, &[(Active, mail(Some(kept)), "I agree"), (Paused, operator(), "leave"), (Active, operator(), "")])
        .await;
    put(&daemon, 2, &[(Active, mail(Some([1; 32])), "I agree")]).await;
    put(&daemon, 3, &[(Active, imported(), "asked at the fair")]).await;
    put(&daemon, 4, &[(Active, imported(), "")]).await;
    put(&daemon, 5, &[(Active, operator(), "by telephone"), (Ended, mail(None), "stop")]).await;
    put(&daemon, 6, &[(SubscriptionState::Pending, operator(), "asked")]).await;
    put(&daemon, 7, &[]).await;
    let (rows, summary) = report(&daemon, "").await;
    let expected = [
        "s1 p***@press.example active own-mail-kept I agree",
        "s2 p***@press.example active own-mail I agree",
        "s3 p***@press.example active stated asked at the fair",
        "s4 p***@press.example active none ",
        "s5 p***@press.example ended stated by telephone",
        "s6 p***@press.example pending none -",
    ];
    assert_eq!(rows.iter().map(short).collect::<Vec<_>>(), expected);
    assert_eq!(rows[2].basis.as_ref().unwrap().from, "press.csv, line 7");
    assert_eq!(
        rows.iter().map(|row| row.evidence_missing).collect::<Vec<_>>(),
        [false, true, false, false, false, false]
    );
    assert_eq!((summary.subscriptions, summary.evidence_missing), (6, 1));
    let (rows, same) = report(&daemon, "unproven=true&state=active&addresses=true").await;
    let asked = ["s3 p3@press.example active stated asked at the fair", "s4 p4@press.example active none "];
    assert_eq!(rows.iter().map(short).collect::<Vec<_>>(), asked);
    assert_eq!(same, summary, "all are counted, whatever is shown");
    let one: Vec<ConsentRowView> = daemon.client.get("/v1/subscribers/p5@press.example/consent").await.unwrap();
    assert_eq!(one.iter().map(short).collect::<Vec<_>>(), expected[4..5]);
    let missing = daemon.client.download("/v1/lists/nosuch/consent").await;
    assert!(matches!(missing, Err(ClientError::Refused(refusal)) if refusal.status == 404));
}

#[tokio::test]
async fn a_form_is_shown_with_its_text_its_revision_and_its_network() {
    let daemon = api::start().await;
    daemon.control.store.create_list(&list("media")).await.unwrap();
    let machine: std::net::IpAddr = "2001:db8:1:2::9".parse().unwrap();
    let form = ConsentSource::Web { network: Network::of(machine), revision: "2026-11-01".into() };
    put(&daemon, 1, &[(Active, form, "Yes, send me press releases")]).await;
    let (rows, _) = report(&daemon, "").await;
    let one: Vec<ConsentRowView> = daemon.client.get("/v1/subscribers/s1/consent").await.unwrap();
    for row in [&rows[0], &one[0]] {
        assert_eq!(short(row), "s1 p***@press.example active own-form Yes, send me press releases");
        let basis = row.basis.as_ref().unwrap();
        assert_eq!((basis.way.as_str(), basis.from.as_str()), ("web", "2001:db8:1::/48, form 2026-11-01"));
        assert_eq!(basis.at, daemon.clock.now());
    }
    let (unproven, _) = report(&daemon, "unproven=true").await;
    assert!(unproven.is_empty());
}

#[tokio::test]
async fn more_than_are_read_at_once_are_all_there() {
    let daemon = api::start().await;
    daemon.control.store.create_list(&list("media")).await.unwrap();
    for id in 1..=2500 {
        put(&daemon, id, &[(Active, operator(), "by telephone")]).await;
    }
    let (rows, summary) = report(&daemon, "").await;
    assert_eq!((rows.len(), summary.subscriptions), (2500, 2500));
    let (rows, summary) = report(&daemon, "limit=3").await;
    assert_eq!((rows.len(), summary.subscriptions), (3, 2500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spreadsheet_export_runs_nothing_and_shows_what_is_unproven() {
    let daemon = api::start().await;
    daemon.control.store.create_list(&list("media")).await.unwrap();
    put(&daemon, 1, &[(Active, operator(), "=HYPERLINK(\"x\"), said by telephone")]).await;
    let file = daemon.directory.path().join("consent.csv");
    let socket = daemon.directory.path().join("control.sock");
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_depesch"));
        command.arg("--socket").arg(&socket).args(arguments).output().unwrap()
    };
    let done = run(&["list", "consent", "media", "--csv", "--output", file.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(1), "a subscription has no proof: {}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(&file).unwrap();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let row = rows.records().next().unwrap().unwrap();
    let cells: Vec<&str> = [1, 2, 3, 5, 7, 8, 9, 11].iter().map(|cell| &row[*cell]).collect();
    let words = "'=HYPERLINK(\"x\"), said by telephone";
    assert_eq!(cells, ["s1", "p***@press.example", "active", "stated", "operator", "kim", words, "false"]);
    let shown = String::from_utf8(run(&["list", "consent", "media"]).stdout).unwrap();
    assert!(shown.contains("stated") && shown.contains("said by telephone"), "{shown}");
    let shown = String::from_utf8(run(&["subscriber", "consent", "s1"]).stdout).unwrap();
    assert!(shown.contains("p***@press.example") && shown.contains("stated"), "{shown}");
}
