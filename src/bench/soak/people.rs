//! People who are imported, who leave, and who must never be mailed again.

use std::io::Cursor;

use serde_json::{Value, json};

use crate::api::client::{Client, ClientError};
use crate::api::import::{ImportLine, ImportResult};
use crate::api::path::ApiPath;
use crate::base::clock::Clock;

use super::books::{Books, Left};
use super::dice::Dice;
use super::{LIST, expected, until_done};

/// Number of people on the list at the start.
pub(crate) const PEOPLE: u64 = 800;

/// Maximum number of leavers and of suppressed people: the others should still get mail.
const MOST_LEAVERS: usize = 250;

/// A person's address.
pub(crate) fn address(number: u64) -> String {
    format!("p{number}@news{}.example", number % 7)
}

/// Imports files until dropped: most rows exist, some are new, some have left.
pub(crate) async fn importer(client: &Client, books: &Books, mut dice: Dice) {
    let mut file = 0_u64;
    loop {
        tokio::time::sleep(dice.pause(300, 2000)).await;
        file += 1;
        let known = (0..dice.below(200)).map(|_| address(dice.below(PEOPLE))).collect::<Vec<_>>();
        let new = (0..dice.below(8)).map(|number| format!("i{file}-{number}@new.example"));
        let rows: Vec<String> = known.into_iter().chain(new).collect();
        match import(client, &rows).await {
            // Suppressed and doubled rows are refused, and reported.
            Ok(_) => books.open().imported.extend(rows),
            Err(error) => expected(books, "importing", &error),
        }
    }
}

/// Imports addresses into the list.
///
/// # Errors
/// The daemon does not answer, or aborts.
pub(crate) async fn import(client: &Client, rows: &[String]) -> Result<ImportResult, ClientError> {
    let mut csv = String::from("email;name\n");
    rows.iter().for_each(|address| csv.extend([address, ";Somebody\n"]));
    let path = ApiPath::new("/v1/subscribers/import")
        .query("file", "soak.csv")
        .query("lists", LIST)
        .query("dry_run", false)
        .query("consent", "asked for it");
    let answer = client.upload(hyper::Method::POST, path, "text/csv", Cursor::new(csv.into_bytes())).await?;
    answer.follow(|_: ImportLine| {}).await
}

/// People leave, or are suppressed, until dropped.
pub(crate) async fn leavers(client: &Client, clock: &dyn Clock, books: &Books, mut dice: Dice) {
    let mut gone = 0;
    while gone < MOST_LEAVERS {
        tokio::time::sleep(dice.pause(100, 900)).await;
        let address = address(dice.below(PEOPLE));
        if books.open().left.contains_key(&address) || books.open().suppressed.contains_key(&address) {
            continue;
        }
        gone += 1;
        let suppress = dice.percent(20);
        let asked: Value = match suppress {
            true => {
                let body = json!({ "address": address, "reason": "request", "note": "soak" });
                until_done(books, "suppressing", || client.post("/v1/suppressions", &body)).await
            }
            false => {
                let path = || ApiPath::new("/v1/subscribers").segment(&address).segment("subscriptions").segment(LIST);
                let body = json!({ "change": "unsubscribe", "words": "no more" });
                until_done(books, "unsubscribing", || client.post(path(), &body)).await
            }
        };
        drop(asked);
        let mut entries = books.open();
        let left = Left { at: clock.now(), mailings: entries.asked };
        match suppress {
            true => entries.suppressed.insert(address, left),
            false => entries.left.insert(address, left),
        };
    }
    std::future::pending::<()>().await;
}
