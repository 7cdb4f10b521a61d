//! The control API of mailings: queueing, showing, changing, reporting.

use depesch::api::client::{Client, ClientError};
use depesch::api::mailing::change::{
    ApproveRequest, ChangeAnswer, ChoiceRequest, ReopenAnswer, RescheduleRequest, ResolutionWord, ResolveRequest,
};
use depesch::api::mailing::queue::{Missed, QueueAnswer, QueueRequest, Uncertain};
use depesch::api::mailing::report::{DeliveriesEnd, ReportView};
use depesch::api::mailing::view::{AudienceView, DeliveryView, MailingView};
use depesch::api::status::Status;
use depesch::composition::release::record_of;
use depesch::render::source::{SourceSettings, parse};
use depesch::store::Store;

use crate::support::api::{TestApi, start_with};
use crate::support::mailings::{
    accepted, failed, list, mailing, minute, put, put_frozen, put_subscriber, settle, store,
};
use crate::support::wanting::Wanting;

async fn daemon() -> (TestApi, Store) {
    let store = store();
    let source = include_str!("../../../docs/samples/inbjudan-riksmote.md");
    let settings = SourceSettings::default();
    let draft = parse(source, &settings).draft.unwrap();
    let record = record_of(source, &draft, &Default::default(), Default::default(), &settings, (minute(0), "anna"));
    store.add_release(record).await.unwrap();
    store.create_list(&list("media")).await.unwrap();
    for id in 1..=3 {
        put_subscriber(&store, id, &["media"], |_| {}).await;
    }
    (start_with(store.clone(), std::sync::Arc::new(Wanting::default())).await, store)
}

fn request(at: &str) -> QueueRequest {
    QueueRequest {
        release: "r1".into(),
        audience: AudienceView { lists: vec!["media".into()], ..AudienceView::default() },
        at: at.into(),
        zone: Some("Europe/Stockholm".into()),
        uncertain: Uncertain::Resend,
        missed: None,
        grace_seconds: None,
        again: false,
    }
}

async fn post<T: serde::Serialize>(client: &Client, path: &str, body: &T) -> Result<MailingView, (u16, String)> {
    let answer: Result<ChangeAnswer, ClientError> = client.post(path, body).await;
    answer.map(|answer| answer.mailing).map_err(refusal)
}

fn refusal(error: ClientError) -> (u16, String) {
    match error {
        ClientError::Refused(refusal) => (refusal.status, refusal.code),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_mailing_is_checked_queued_once_and_shown() {
    let (daemon, _store) = daemon().await;
    let client = &daemon.client;
    let looked: QueueAnswer = client.post("/v1/mailings?check=true", &request("2026-11-23 09:00")).await.unwrap();
    assert_eq!((looked.audience, looked.mailing.local_time.as_str()), (Some(3), "Mon 2026-11-23 09:00 CET"));
    let queue = |at| async move { client.post_once::<_, QueueAnswer>("/v1/mailings", "key", &request(at)).await };
    let queued = queue("2026-11-23 09:00").await.unwrap();
    assert!(!queued.repeated);
    assert!(queue("2026-11-23 09:00").await.unwrap().repeated);
    assert_eq!(refusal(client_error(queue("2026-11-23 10:00").await)), (422, "key-used".into()));
    let listed: Vec<MailingView> = client.get("/v1/mailings").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].headline.as_deref().unwrap().contains("Riksmöte"));
    let shown: MailingView = client.get(format!("/v1/mailings/{}", queued.mailing.id).as_str()).await.unwrap();
    assert_eq!(shown, listed[0]);
    assert_eq!(shown.stage, "scheduled");
}

fn client_error<T: std::fmt::Debug>(result: Result<T, ClientError>) -> ClientError {
    result.unwrap_err()
}

#[tokio::test]
async fn wrong_times_and_names_are_reported() {
    let (daemon, _store) = daemon().await;
    let queue = |request: QueueRequest| {
        let client = daemon.client.clone();
        async move { refusal(client_error(client.post::<_, QueueAnswer>("/v1/mailings", &request).await)) }
    };
    let with = |change: fn(&mut QueueRequest)| {
        let mut request = request("now");
        change(&mut request);
        request
    };
    assert_eq!(queue(request("soon")).await.0, 400);
    assert_eq!(queue(with(|r| r.zone = Some("Mars".into()))).await.0, 400);
    assert_eq!(queue(with(|r| r.release = "r9".into())).await.0, 404);
    assert_eq!(queue(with(|r| r.audience.lists = vec!["nobody".into()])).await.0, 404);
    assert_eq!(queue(with(|r| r.at = "2026-11-20 09:00".into())).await, (422, "past".into()));
    let gap: QueueAnswer = daemon.client.post("/v1/mailings", &request("2027-03-28 02:30")).await.unwrap();
    assert_eq!(gap.mailing.local_time, "Sun 2027-03-28 03:00 CEST");
    assert!(gap.warnings[0].contains("does not exist"), "{:?}", gap.warnings);
}

#[tokio::test]
async fn a_mailing_is_held_moved_and_withdrawn() {
    let (daemon, _store) = daemon().await;
    let client = &daemon.client;
    client.post::<_, QueueAnswer>("/v1/mailings", &request("2026-11-23 09:00")).await.unwrap();
    let paused = post(client, "/v1/mailings/m1/pause", &()).await.unwrap();
    assert_eq!(paused.pause.unwrap().reason, "person");
    assert_eq!(post(client, "/v1/mailings/m1/pause", &()).await.unwrap_err(), (409, "paused".into()));
    assert!(post(client, "/v1/mailings/m1/resume", &()).await.unwrap().pause.is_none());
    let later = RescheduleRequest { at: "2026-11-24 10:30".into(), zone: None, missed: Some(Missed::Send) };
    let moved = post(client, "/v1/mailings/m1/reschedule", &later).await.unwrap();
    assert_eq!((moved.local_time.as_str(), moved.missed.as_str()), ("Tue 2026-11-24 10:30 CET", "send"));
    let free = post(client, "/v1/mailings/m1/approve", &ApproveRequest::default()).await;
    assert_eq!(free.unwrap_err(), (409, "no-approval-needed".into()));
    assert_eq!(post(client, "/v1/mailings/m1/cancel", &()).await.unwrap().stage, "cancelled");
    assert_eq!(post(client, "/v1/mailings/m1/resume", &()).await.unwrap_err(), (409, "stage".into()));
    assert_eq!(post(client, "/v1/mailings/m7/cancel", &()).await.unwrap_err(), (404, "not-found".into()));
}

#[tokio::test]
async fn an_approval_is_by_another_person_for_the_content_they_saw() {
    let (daemon, store) = daemon().await;
    let mut m = mailing(5, depesch::model::mailing::MissedPolicy::Ask);
    m.approval_required = true;
    m.created_by = "another user".into();
    put(&store, &m).await;
    let approve = |hash: &str| ApproveRequest { content_hash: Some(hash.into()) };
    let client = &daemon.client;
    let status: Status = client.get("/v1/status").await.unwrap();
    assert!(status.mailings.iter().any(|m| m.id == "m5" && m.approval_missing), "{status:?}");
    let changed = post(client, "/v1/mailings/m5/approve", &approve("ffffffff")).await;
    assert_eq!(changed.unwrap_err(), (409, "changed".into()));
    let approved = post(client, "/v1/mailings/m5/approve", &approve("01234567")).await.unwrap();
    assert!(approved.approved && approved.approved_by.is_some());
    let status: Status = client.get("/v1/status").await.unwrap();
    assert!(status.mailings.iter().any(|m| m.id == "m5" && !m.approval_missing), "{status:?}");
    let mut own = mailing(6, depesch::model::mailing::MissedPolicy::Ask);
    own.approval_required = true;
    own.created_by = approved.approved_by.unwrap();
    put(&store, &own).await;
    let own = post(client, "/v1/mailings/m6/approve", &ApproveRequest::default()).await;
    assert_eq!(own.unwrap_err(), (403, "own-approval".into()));
}

#[tokio::test]
async fn a_report_adds_up_and_every_delivery_comes_as_a_line() {
    let (daemon, store) = daemon().await;
    let m = put_frozen(&store, 4, 300).await;
    settle(&store, &m, vec![accepted(), failed(550, "5.1.1 <reader2@example.com> unknown")]).await;
    let client = &daemon.client;
    let report: ReportView = client.get("/v1/mailings/m4/report").await.unwrap();
    let counts = report.mailing.counts.unwrap();
    assert_eq!((counts.audience, counts.accepted, counts.failed, counts.waiting), (300, 1, 1, 298));
    assert_eq!(report.troubles[0].example, "5.1.1 <r***@example.com> unknown");
    assert_eq!(report.deliveries[0].address, "r***@example.com");
    let mut lines = 0;
    let answer = client.download("/v1/mailings/m4/deliveries").await.unwrap();
    let end: DeliveriesEnd = answer.follow(|_: DeliveryView| lines += 1).await.unwrap();
    assert_eq!((lines, end.deliveries), (300, 300));
    let answer = client.download("/v1/mailings/m4/deliveries?state=failed&addresses=true").await.unwrap();
    let mut addresses = Vec::new();
    answer.follow::<DeliveryView, DeliveriesEnd>(|line| addresses.push(line.address)).await.unwrap();
    assert_eq!(addresses, ["reader2@example.com"]);
    let one: DeliveryView = client.get("/v1/mailings/m4/deliveries/s2").await.unwrap();
    assert_eq!((one.state.as_str(), one.code), ("failed", Some(550)));
    let none = client.get::<DeliveryView>("/v1/mailings/m4/deliveries/s301").await;
    assert_eq!(refusal(client_error(none)), (404, "not-found".into()));
}

#[tokio::test]
async fn failed_notices_are_retried_on_request() {
    let (daemon, store) = daemon().await;
    let m = put_frozen(&store, 4, 3).await;
    settle(&store, &m, vec![accepted(), failed(550, "5.1.1 unknown"), failed(554, "5.7.1 spam")]).await;
    let choice = ChoiceRequest { codes: vec![554], ..ChoiceRequest::default() };
    let done: ReopenAnswer = daemon.client.post("/v1/mailings/m4/retry", &choice).await.unwrap();
    assert_eq!((done.changed, done.mailing.counts.unwrap().waiting), (1, 1));
    let resolve = ResolveRequest { choice: ChoiceRequest::default(), resolution: ResolutionWord::Failed };
    let done: ReopenAnswer = daemon.client.post("/v1/mailings/m4/resolve", &resolve).await.unwrap();
    assert_eq!(done.changed, 0);
}

#[tokio::test]
async fn an_audience_is_found_however_its_words_are_typed() {
    let (daemon, store) = daemon().await;
    put_subscriber(&store, 9, &["media"], |s| s.regions = ["skåne".to_owned()].into()).await;
    for word in ["skåne", "Ska\u{30a}ne", "SKÅNE\u{200b}", " Skåne\u{a0}"] {
        let audience = AudienceView { regions: vec![word.into()], ..request("now").audience };
        let request = QueueRequest { audience, ..request("2026-11-23 09:00") };
        let looked: QueueAnswer = daemon.client.post("/v1/mailings?check=true", &request).await.unwrap();
        assert_eq!(looked.audience, Some(1), "{word:?}");
    }
}
