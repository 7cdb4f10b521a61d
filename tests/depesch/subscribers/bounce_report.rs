//! Bounces after acceptance are reported next to the ledger and do not change its counts.

use depesch::api::bounce::{BouncePage, PersonBouncesView};
use depesch::api::mailing::report::ReportView;
use depesch::api::mailing::view::DeliveryView;
use depesch::api::person_view::RecordView;
use depesch::base::id::{MailingId, SubscriberId};
use depesch::mailings::report;
use depesch::model::bounce::{BounceSource, Verdict};
use depesch::model::classify::Class;

use crate::support::api;
use crate::support::bounces::{full, gone, noted};
use crate::support::mailings::{accepted, failed, list, put_frozen, put_subscriber, settle, store};

#[tokio::test]
async fn a_later_bounce_is_shown_beside_the_counts_and_in_its_row() {
    let store = store();
    let mailing = put_frozen(&store, 1, 300).await;
    for id in 1..=4 {
        put_subscriber(&store, id, &["media"], |_| {}).await;
    }
    settle(&store, &mailing, vec![accepted(), accepted(), accepted(), failed(550, "5.1.1 no such user")]).await;
    noted(&store, &gone(1, 1, 1)).await;
    noted(&store, &full(1, 2, 1)).await;
    noted(&store, &full(1, 2, 2)).await;
    let delay = depesch::subscribers::bounces::Report {
        verdict: Verdict::Delayed,
        class: Class::Network,
        counts: false,
        ..full(1, 3, 1)
    };
    noted(&store, &delay).await;
    let at_once = depesch::subscribers::bounces::Report { source: BounceSource::Session, ..gone(1, 4, 0) };
    noted(&store, &at_once).await;

    let office = api::start_on(store.clone()).await;
    let shown: ReportView = office.client.get("/v1/mailings/m1/report").await.unwrap();
    let counts = shown.mailing.counts.unwrap();
    assert_eq!((counts.accepted, counts.failed, counts.audience), (3, 1, 300), "the ledger is as it was");
    assert_eq!((shown.later.bounced, shown.later.complained), (2, 0));
    let groups: Vec<_> = shown.later.groups.iter().map(|g| (g.class.as_str(), g.count, g.example.as_str())).collect();
    assert_eq!(
        groups,
        [("address", 1, "550 5.1.1 <r***@example.com>: no such user"), ("mailbox", 1, "552 5.2.2 mailbox full")]
    );
    let rows = report::rows(&store, &mailing, 0).await.unwrap();
    let csv = |at: usize| String::from_utf8(DeliveryView::new(&rows[at], false).csv()).unwrap();
    // The last column is the Message-ID, which is not known here.
    assert!(csv(0).ends_with("address,5.1.1,550 5.1.1 <r***@example.com>: no such user,\r\n"), "{}", csv(0));
    assert!(csv(0).contains(",accepted,") && csv(0).contains(",2026-11-22T09:00:00Z,"));
    assert!(csv(1).ends_with("mailbox,5.2.2,552 5.2.2 mailbox full,\r\n"), "{}", csv(1));
    assert!(
        csv(2).ends_with(",,,,,\r\n") && csv(3).ends_with(",,,,,\r\n"),
        "a delay and a failure are not later bounces"
    );
}

#[tokio::test]
async fn bounces_are_listed_shown_reset_and_part_of_the_persons_record() {
    let store = store();
    put_frozen(&store, 1, 3).await;
    put_frozen(&store, 2, 3).await;
    assert!(store.create_list(&list("media")).await.unwrap());
    for id in 1..=3 {
        put_subscriber(&store, id, &["media"], |_| {}).await;
    }
    noted(&store, &gone(1, 1, 1)).await;
    noted(&store, &full(2, 2, 1)).await;

    let office = api::start_on(store.clone()).await;
    let all: BouncePage = office.client.get("/v1/bounces").await.unwrap();
    let mailings: Vec<_> = all.bounces.iter().map(|bounce| bounce.mailing).collect();
    assert_eq!((mailings, all.more), (vec![MailingId(2), MailingId(1)], false));
    assert_eq!(all.bounces[1].address, "r***@example.com");
    let one: BouncePage = office.client.get("/v1/bounces?mailing=m1&addresses=true").await.unwrap();
    assert_eq!((one.bounces.len(), one.bounces[0].address.as_str()), (1, "reader1@example.com"));
    let one: BouncePage = office.client.get("/v1/bounces?subscriber=s2").await.unwrap();
    assert_eq!((one.bounces.len(), one.bounces[0].effect.as_str()), (1, "scored"));
    let record: RecordView = office.client.get("/v1/subscribers/s1/record").await.unwrap();
    assert_eq!(record.bounces[0].effect, "suspended");

    let shown: PersonBouncesView = office.client.get("/v1/bounces/reader1@example.com").await.unwrap();
    let suspension = shown.suspension.unwrap();
    assert_eq!((suspension.lists.len(), shown.counted.len(), shown.bounces.len()), (1, 1, 1));
    let reset: serde_json::Value = office.client.post("/v1/bounces/s1/reset", &()).await.unwrap();
    assert_eq!(reset["lists"], serde_json::json!(["media"]));
    let shown: PersonBouncesView = office.client.get("/v1/bounces/s1").await.unwrap();
    assert!(shown.suspension.is_none() && shown.counted.is_empty());
    assert_eq!(shown.bounces.len(), 1, "what happened stays known");
    let s1 = store.subscriber(SubscriberId(1)).await.unwrap().unwrap().value;
    assert_eq!(s1.state_on(&"media".parse().unwrap()).unwrap().word(), "active");
    // A relay that refused all recipients by mistake: all refusals are taken back at once.
    for id in 1..=3 {
        noted(&store, &gone(2, id, 2)).await;
    }
    let forgiven: serde_json::Value = office.client.post("/v1/mailings/m2/forgive", &()).await.unwrap();
    assert_eq!(forgiven["subscribers"], 2, "what counts already for a mailing does not count again");
    let missing = office.client.get::<PersonBouncesView>("/v1/bounces/s99").await.unwrap_err();
    assert!(missing.to_string().contains("s99"), "{missing}");
}
