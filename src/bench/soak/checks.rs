//! The type of a check, and what several of them examine.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::api::client::{Client, ClientError};
use crate::api::mailing::view::Counts;
use crate::api::path::ApiPath;

use super::LIST;
use super::books::Entries;

/// Maximum number of faults listed of one kind.
const TOLD: usize = 10;

/// One check.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// The condition.
    pub what: &'static str,
    /// Whether it holds.
    pub good: bool,
    /// Figures, or faults.
    pub details: Vec<String>,
}

impl Check {
    /// Passes when there are no faults.
    pub(super) fn new(what: &'static str, figures: String, mut wrong: Vec<String>) -> Self {
        let good = wrong.is_empty();
        wrong.truncate(TOLD);
        wrong.insert(0, figures);
        Self { what, good, details: wrong }
    }

    pub(super) fn figures(&self) -> &str {
        self.details.first().map_or("", String::as_str)
    }

    pub(super) fn wrong(&self) -> Vec<String> {
        self.details.iter().skip(1).cloned().collect()
    }
}

/// How often the relay accepted each mailing for each recipient, by its own log. Notices have no mailing.
pub(super) fn taken(log: &str) -> BTreeMap<(String, String), u64> {
    let mut taken = BTreeMap::new();
    for line in log.lines() {
        let Some((message_id, recipient)) = line.split_once(' ') else { continue };
        let Some((mailing, _)) = message_id.trim_start_matches('<').split_once('.') else { continue };
        if mailing.strip_prefix('m').is_some_and(|digits| digits.parse::<u64>().is_ok()) {
            *taken.entry((mailing.to_owned(), recipient.trim_matches(['<', '>']).to_owned())).or_default() += 1;
        }
    }
    taken
}

/// All deliveries that are counted.
pub(super) fn sum(counts: &Counts) -> u64 {
    let Counts { accepted, failed, suppressed, cancelled, uncertain, in_doubt, deferred, waiting, .. } = counts;
    accepted + failed + suppressed + cancelled + uncertain + in_doubt + deferred + waiting
}

pub(super) async fn people(client: &Client, entries: &Entries) -> anyhow::Result<Check> {
    let mut wrong = Vec::new();
    for address in entries.imported.iter().chain(entries.left.keys()).chain(&entries.left_by_mail) {
        let shown: Result<Value, _> = client.get(ApiPath::new("/v1/subscribers").segment(address)).await;
        match shown {
            Ok(shown) if entries.left.contains_key(address) || entries.left_by_mail.contains(address) => {
                let state = &shown["subscriptions"][LIST]["state"];
                if state != "ended" {
                    wrong.push(format!("{address} had left, and is {state}"));
                }
            }
            Ok(_) => {}
            Err(ClientError::Refused(refusal)) if refusal.status == 404 => {
                wrong.push(format!("{address} was imported, and is lost"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    for address in entries.suppressed.keys() {
        let shown: Result<Value, _> = client.get(ApiPath::new("/v1/suppressions").segment(address)).await;
        if let Err(error) = shown {
            wrong.push(format!("{address} was suppressed: {error}"));
        }
    }
    for address in &entries.bounced {
        let shown: Value = client.get(ApiPath::new("/v1/bounces").segment(address)).await?;
        if !shown["bounces"].as_array().is_some_and(|bounces| bounces.iter().any(|bounce| bounce["source"] == "mail")) {
            wrong.push(format!("250 was said of a bounce about {address}, which is lost"));
        }
    }
    let figures = format!(
        "{} imported, {} left, {} suppressed",
        entries.imported.len(),
        entries.left.len(),
        entries.suppressed.len()
    );
    Ok(Check::new("all people are as acknowledged", figures, wrong))
}
