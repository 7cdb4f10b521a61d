//! The report: counts that add up, problems in groups, and every delivery as a row without spreadsheet formulas.

use depesch::api::mailing::view::{COLUMNS, DeliveryView, csv_line};
use depesch::mailings::report;
use depesch::mailings::report::Report;
use depesch::model::ledger::{Cause, DeliveryState, SuppressedWhy};
use depesch::model::mailing::Mailing;
use depesch::store::Store;

use crate::support::mailings::{accepted, failed, minute, put_frozen, put_subscriber, settle, store, uncertain};

async fn mixed(store: &Store) -> Mailing {
    let m = put_frozen(store, 1, 300).await;
    for id in 1..=6 {
        put_subscriber(store, id, &["media"], |_| {}).await;
    }
    let states = vec![
        accepted(),
        failed(550, "5.1.1 <reader2@example.com>: no such user"),
        failed(550, "5.1.1 <reader3@example.com>: no such user"),
        DeliveryState::Failed { at: minute(61), cause: Cause::Message("=cmd()".into()) },
        uncertain(),
        DeliveryState::Suppressed { at: minute(61), why: SuppressedWhy::Unsubscribed },
    ];
    settle(store, &m, states).await;
    m
}

async fn report(store: &Store, rows: usize) -> Report {
    let m = mixed(store).await;
    report::report(store, &m, rows).await.unwrap()
}

#[tokio::test]
async fn the_counts_add_up_and_similar_failures_are_grouped() {
    let report = report(&store(), 3).await;
    assert_eq!(report.tally.audience(), 300);
    assert_eq!((report.tally.waiting, report.tally.failed), (294, 3));
    let troubles: Vec<_> =
        report.troubles.iter().map(|t| (t.state, t.account.code, t.account.stage, t.count)).collect();
    assert_eq!(troubles[0], ("failed", Some(550), "RCPT", 2));
    assert_eq!(troubles.len(), 4, "{troubles:?}");
    assert_eq!(troubles.iter().map(|t| t.3).sum::<u64>(), 5);
    assert_eq!((report.rows.len(), report.more), (3, true));
    assert_eq!(report.rows[0].address.as_ref().unwrap().as_str(), "reader2@example.com");
}

#[tokio::test]
async fn every_delivery_is_a_row_of_the_file() {
    let store = store();
    let m = mixed(&store).await;
    let mut file = csv_line(&COLUMNS);
    for chunk in 0..2 {
        for row in report::rows(&store, &m, chunk).await.unwrap() {
            file.extend(DeliveryView::new(&row, false).csv());
        }
    }
    let text = String::from_utf8(file).unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines.len(), 302);
    assert_eq!(
        lines[0],
        "subscriber,address,state,at,attempts,resent,stage,code,status,reply,bounced_at,bounce_class,bounce_status,bounce,message_id"
    );
    assert_eq!(
        lines[2],
        "s2,r***@example.com,failed,2026-11-21T10:01:00Z,1,0,RCPT,550,5.1.1,5.1.1 <r***@example.com>: no such user,,,,,"
    );
    assert!(lines[4].ends_with(",content,,,\"'=cmd()\",,,,,"), "{}", lines[4]);
    assert_eq!(lines[7], "s7,erased,waiting,,0,0,,,,,,,,,");
    let row = &report::rows(&store, &m, 0).await.unwrap()[1];
    let open = String::from_utf8(DeliveryView::new(row, true).csv()).unwrap();
    assert!(open.contains("reader2@example.com"));
}
