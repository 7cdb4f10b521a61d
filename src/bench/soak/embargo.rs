//! Scheduled mailings: none may begin before its time, whatever the daemon's clock shows meanwhile.

use std::sync::Arc;

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use crate::api::client::{Client, ClientError};
use crate::api::mailing::view::MailingView;
use crate::api::path::ApiPath;
use crate::base::clock::{Clock, Timestamp};
use crate::model::clock_trust::AFTER_BOOT;

use super::books::Books;
use super::dice::Dice;
use super::mailings::{UNDER_WAY, under_way};
use super::test_clock::USUAL;
use super::{AGAIN, LIST, expected};

/// Queues one after the other and watches it until it is due, until dropped.
pub(crate) async fn planner(client: &Client, clock: &Arc<dyn Clock>, release: &str, books: &Books, mut dice: Dice) {
    loop {
        tokio::time::sleep(dice.pause(500, 6000)).await;
        // Scheduled mailings are sent in addition to others: more than the machine can send would only pile up.
        if under_way(client).await.is_ok_and(|mailings| mailings.len() > 2 * UNDER_WAY) {
            continue;
        }
        let wait = dice.pause(8000, 30_000);
        let at = clock.now() + TimeDelta::from_std(wait).unwrap_or_default();
        let place = {
            let mut entries = books.open();
            entries.asked += 1;
            entries.asked - 1
        };
        let request = json!({
            "release": release,
            "audience": { "lists": [LIST] },
            "at": at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "missed": "send",
            "again": true,
        });
        let key = format!("embargo-{place}-{}", dice.below(u64::MAX));
        let asked = clock.now();
        let Some(mailing) = queue(client, &key, &request, books).await else { continue };
        books.open().mailings.push((mailing.id.clone(), place));
        // A daemon that accepted it while its clock was wrong does not know the time.
        let usual = TimeDelta::seconds(USUAL + 1);
        // And a jump that soon after the machine's start is not doubted.
        let booted = clock.steady() - Timestamp::UNIX_EPOCH < AFTER_BOOT;
        if !booted && (asked - usual..clock.now() + usual).contains(&mailing.created) {
            books.open().embargoes += 1;
            watch(client, clock, &mailing.id, at - usual, books).await;
        }
    }
}

/// The mailing; `None` when the daemon's clock is ahead, so that the time has passed for it.
async fn queue(client: &Client, key: &str, request: &Value, books: &Books) -> Option<MailingView> {
    loop {
        match client.post_once::<_, Value>("/v1/mailings", key, request).await {
            Ok(answer) => return serde_json::from_value(answer["mailing"].clone()).ok(),
            Err(ClientError::Refused(refusal)) if refusal.status == 422 => return None,
            Err(error) => expected(books, "queueing a mailing with a time", &error),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Watches a mailing until `earliest`: it must not begin before.
async fn watch(client: &Client, clock: &Arc<dyn Clock>, id: &str, earliest: Timestamp, books: &Books) {
    while clock.now() < earliest {
        let shown: Result<MailingView, _> = client.get(ApiPath::new("/v1/mailings").segment(id)).await;
        let early = earliest - clock.now();
        match shown {
            Ok(mailing) if !matches!(mailing.stage.as_str(), "scheduled" | "cancelled") => {
                if early > TimeDelta::zero() {
                    books.fault(format!("{id} is {} {} ms too early", mailing.stage, early.num_milliseconds()));
                }
                return;
            }
            Ok(_) => {}
            Err(error) => expected(books, "looking at a mailing with a time", &error),
        }
        tokio::time::sleep(AGAIN).await;
    }
}
