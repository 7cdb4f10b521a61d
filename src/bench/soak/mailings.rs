//! The press office: queues mailings repeatedly, each under a key until it is acknowledged, and pauses, resumes and
//! cancels some.

use hyper::Method;
use serde_json::{Value, json};

use crate::api::client::{Client, ClientError};
use crate::api::path::ApiPath;

use super::books::Books;
use super::dice::Dice;
use super::{LIST, expected, until_done};

/// Maximum number of mailings under way at the same time.
pub(crate) const UNDER_WAY: usize = 3;

/// Works until dropped.
pub(crate) async fn press_office(client: &Client, release: &str, books: &Books, mut dice: Dice) {
    loop {
        tokio::time::sleep(dice.pause(200, 1200)).await;
        match under_way(client).await {
            Ok(mailings) if mailings.len() < UNDER_WAY => queue(client, release, books, &mut dice).await,
            Ok(mailings) => meddle(client, &mailings, books, &mut dice).await,
            Err(error) => expected(books, "asking how mailings are", &error),
        }
    }
}

/// The mailings that have not ended.
///
/// # Errors
/// The daemon does not answer.
pub(crate) async fn under_way(client: &Client) -> Result<Vec<String>, ClientError> {
    let status: Value = client.get("/v1/status").await?;
    let mailings = status["mailings"].as_array().cloned().unwrap_or_default();
    Ok(mailings.iter().filter_map(|mailing| Some(mailing["id"].as_str()?.to_owned())).collect())
}

/// Requests one until that is acknowledged; repeated requests create only one.
async fn queue(client: &Client, release: &str, books: &Books, dice: &mut Dice) {
    let place = {
        let mut entries = books.open();
        entries.asked += 1;
        entries.asked - 1
    };
    let key = format!("soak-{place}-{}", dice.below(u64::MAX));
    let request = json!({
        "release": release,
        "audience": { "lists": [LIST] },
        "at": "now",
        "uncertain": "resend",
        "missed": "send",
        "again": true,
    });
    let answer: Value =
        until_done(books, "queueing a mailing", || client.post_once("/v1/mailings", &key, &request)).await;
    match answer["mailing"]["id"].as_str() {
        Some(id) => books.open().mailings.push((id.to_owned(), place)),
        None => books.fault(format!("a mailing without a name was queued: {answer}")),
    }
}

/// Pauses one and resumes it, or cancels it, or does nothing.
async fn meddle(client: &Client, mailings: &[String], books: &Books, dice: &mut Dice) {
    let Some(id) = mailings.get(dice.below(mailings.len() as u64) as usize) else { return };
    let path = |what: &str| ApiPath::new("/v1/mailings").segment(id).segment(what);
    match dice.below(20) {
        0 => {
            let cancelled = client.send::<_, Value>(Method::POST, path("cancel"), &()).await;
            match cancelled {
                Ok(_) => drop(books.open().cancelled.insert(id.clone())),
                Err(error) => expected(books, "cancelling", &error),
            }
        }
        1 | 2 => {
            if let Err(error) = client.send::<_, Value>(Method::POST, path("pause"), &()).await {
                return expected(books, "pausing", &error);
            }
            tokio::time::sleep(dice.pause(50, 400)).await;
            // It may have ended before it was paused, or been resumed by a request whose answer was lost.
            until_resumed(client, id, books).await;
        }
        _ => {}
    }
}

/// Ensures that a mailing is not left paused.
pub(crate) async fn until_resumed(client: &Client, id: &str, books: &Books) {
    let path = || ApiPath::new("/v1/mailings").segment(id);
    loop {
        let shown: Value = until_done(books, "looking at a mailing", || client.get(path())).await;
        if shown["pause"].is_null() || shown["stage"] == "finished" || shown["stage"] == "cancelled" {
            return;
        }
        if let Err(error) = client.send::<_, Value>(Method::POST, path().segment("resume"), &()).await {
            expected(books, "resuming", &error);
        }
        tokio::time::sleep(super::AGAIN).await;
    }
}
