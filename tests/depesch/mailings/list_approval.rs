//! On a list that requires a second person's approval, ending this rule requires a second person too.

use chrono::Duration;
use depesch::api::client::ClientError;
use depesch::api::list::{ListFields, ListView};
use depesch::base::clock::Clock;
use depesch::model::operator::Operator;
use depesch::store::Store;
use depesch::store::memory::MemoryEngine;

use crate::support::api::{TestApi, start_on};
use crate::support::mailings::list;

async fn daemon() -> (TestApi, Store) {
    let store = Store::new(std::sync::Arc::new(MemoryEngine::new()));
    let mut board = list("board");
    board.approval = true;
    store.create_list(&board).await.unwrap();
    (start_on(store.clone()).await, store)
}

async fn edit(daemon: &TestApi, fields: ListFields) -> Result<ListView, (u16, String)> {
    let answer: Result<ListView, ClientError> =
        daemon.client.send(hyper::Method::PATCH, "/v1/lists/board", &fields).await;
    answer.map_err(|error| match error {
        ClientError::Refused(refusal) => (refusal.status, refusal.code),
        other => panic!("{other}"),
    })
}

fn ends() -> ListFields {
    ListFields { approval: Some(false), title: Some("Styrelsen".into()), ..ListFields::default() }
}

async fn other_user_asks(daemon: &TestApi, store: &Store, ago: Duration) {
    let other = Operator { name: "bo".into(), uid: Some(4_000_000) };
    let at = daemon.clock.now() - ago;
    store.note_request_to_end_approval(&"board".parse().unwrap(), Some((&other, at))).await.unwrap();
}

#[tokio::test]
async fn one_user_alone_changes_nothing() {
    let (daemon, store) = daemon().await;
    for _ in 0..2 {
        assert_eq!(edit(&daemon, ends()).await.unwrap_err(), (403, "second-person".into()));
        let board = store.list(&"board".parse().unwrap()).await.unwrap().unwrap().value;
        assert!(board.approval && board.title != "Styrelsen");
    }
    // A change that does not end approval needs no second person.
    let title = ListFields { title: Some("Styrelsen".into()), approval: Some(true), ..ListFields::default() };
    assert!(edit(&daemon, title).await.unwrap().approval);
}

#[tokio::test]
async fn another_user_confirms_it_within_a_day() {
    let (daemon, store) = daemon().await;
    other_user_asks(&daemon, &store, Duration::hours(23)).await;
    let board = edit(&daemon, ends()).await.unwrap();
    assert!(!board.approval && board.title == "Styrelsen");
    assert_eq!(store.request_to_end_approval(&"board".parse().unwrap()).await.unwrap(), None);
    // Without required approval, ending it needs no second person.
    assert!(!edit(&daemon, ends()).await.unwrap().approval);
}

#[tokio::test]
async fn an_old_request_and_one_that_was_answered_by_more_approval_are_void() {
    let (daemon, store) = daemon().await;
    other_user_asks(&daemon, &store, Duration::hours(24)).await;
    assert_eq!(edit(&daemon, ends()).await.unwrap_err(), (403, "second-person".into()));
    other_user_asks(&daemon, &store, Duration::hours(1)).await;
    let demands = ListFields { approval: Some(true), ..ListFields::default() };
    edit(&daemon, demands).await.unwrap();
    assert_eq!(edit(&daemon, ends()).await.unwrap_err(), (403, "second-person".into()));
}
