//! The report of a mailing as it is printed for people and for programs, and the frozen audience as a file. `cargo insta
//! review`, or the `.snap.new` file, shows the effect of a change.

use depesch::model::ledger::{Cause, DeliveryState, SuppressedWhy};

use crate::support::api;
use crate::support::bounces::{full, noted};
use crate::support::mailings::{accepted, failed, list, minute, put_frozen, put_subscriber, settle, store, uncertain};

/// Seven readers: accepted twice, one of which bounced later, and one of each other outcome.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_reads_as_it_was_last_approved() {
    let store = store();
    assert!(store.create_list(&list("media")).await.unwrap());
    let mailing = put_frozen(&store, 1, 7).await;
    for id in 1..=7 {
        put_subscriber(&store, id, &["media"], |reader| reader.name = Some(format!("Läsare {id}"))).await;
    }
    let states = vec![
        accepted(),
        accepted(),
        failed(550, "5.1.1 <reader3@example.com>: no such user"),
        DeliveryState::Failed { at: minute(61), cause: Cause::Message("=cmd()".into()) },
        uncertain(),
        DeliveryState::Suppressed { at: minute(61), why: SuppressedWhy::Unsubscribed },
    ];
    settle(&store, &mailing, states).await;
    noted(&store, &full(1, 2, 1)).await;
    let api = api::start_on(store).await;
    let commands = ["mailing report m1", "mailing report m1 --addresses", "mailing report m1 --json"];
    api.approved("mailings", "report_of_a_mailing", &commands);
    api.approved("mailings", "report_of_a_mailing_as_a_file", &["mailing report m1 --csv"]);
}
