//! The report of a mailing: counts that add up to its audience, failures in groups, and every delivery as a row.
//!
//! Counts come from the tallies of settled chunks and from reading the open ones. Rows are read chunk by chunk, so
//! that a report of a million deliveries needs the memory of one chunk.

use std::collections::BTreeMap;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::SubscriberId;
use crate::model::bounce::Bounce;
use crate::model::ledger::{Cause, Delivery, DeliveryState, Sequence, Stage, Tally};
use crate::model::mailing::Mailing;
use crate::model::notice::{Notice, NoticeState};
use crate::store::{Store, StoreError};

use super::report_bounces::is_later;

/// The report of a mailing.
#[derive(Clone, Debug)]
pub struct Report {
    /// The counts.
    pub tally: Tally,
    /// Groups of failures, the most frequent first.
    pub troubles: Vec<Trouble>,
    /// Deliveries that did not go through, in order of the audience, up to the requested number.
    pub rows: Vec<Row>,
    /// Whether there are more of them.
    pub more: bool,
}

/// Deliveries with the same kind of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The word for their state: failed, deferred, uncertain or suppressed.
    pub state: &'static str,
    /// The answer or failure; the text is that of the first.
    pub account: Account,
    /// Number of deliveries.
    pub count: u64,
}

/// The answer to a delivery, or what went wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// The stage of the command answered, or `connection`, `content`, `stopped`; empty without an answer.
    pub stage: &'static str,
    /// The SMTP code.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463).
    pub status: Option<String>,
    /// The text.
    pub text: String,
}

/// One delivery in a report.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its position in the audience.
    pub sequence: Sequence,
    /// The recipient.
    pub subscriber: SubscriberId,
    /// The recipient's present address; `None` once erased.
    pub address: Option<Address>,
    /// Its state.
    pub delivery: Delivery,
    /// A bounce that arrived after it was accepted.
    pub later: Option<Bounce>,
}

impl Account {
    /// Describes the last answer to a delivery.
    pub(crate) fn of(delivery: &Delivery) -> Self {
        match &delivery.state {
            DeliveryState::Accepted { reply, .. } => Self {
                stage: "message",
                code: Some(reply.code),
                status: reply.enhanced().map(str::to_owned),
                text: reply.text.clone(),
            },
            DeliveryState::Deferred { cause, .. }
            | DeliveryState::Failed { cause, .. }
            | DeliveryState::Uncertain { cause, .. } => Self::of_cause(cause),
            DeliveryState::Suppressed { why, .. } => Self { text: why.word().to_owned(), ..Self::default() },
            DeliveryState::Waiting | DeliveryState::InDoubt { .. } | DeliveryState::Cancelled { .. } => Self::default(),
        }
    }

    /// Describes the last answer to a notice.
    pub(crate) fn of_notice(notice: &Notice) -> Self {
        match (&notice.state, notice.cause()) {
            (NoticeState::Accepted { reply, .. }, _) => {
                Self::of_cause(&Cause::Reply { stage: Stage::Message, reply: reply.clone() })
            }
            (_, Some(cause)) => Self::of_cause(cause),
            (_, None) => Self::default(),
        }
    }

    fn of_cause(cause: &Cause) -> Self {
        match cause {
            Cause::Reply { stage, reply } => Self {
                stage: stage.word(),
                code: Some(reply.code),
                status: reply.enhanced().map(str::to_owned),
                text: reply.text.clone(),
            },
            Cause::Connection(text) => Self { stage: "connection", text: text.clone(), ..Self::default() },
            Cause::Message(text) => Self { stage: "content", text: text.clone(), ..Self::default() },
            Cause::Stopped => {
                let text = "the daemon stopped between sending and the answer".to_owned();
                Self { stage: "stopped", text, ..Self::default() }
            }
        }
    }

    /// The account reduced to what identifies a group: the text of a reply differs between addresses, its codes do
    /// not.
    fn group(&self) -> Self {
        let text = if self.code.is_some() { String::new() } else { self.text.clone() };
        Self { text, ..self.clone() }
    }
}

impl Row {
    /// A delivery from the ledger; its address is not looked up yet.
    pub(super) fn new(mailing: &Mailing, row: crate::store::ledger::Row) -> Self {
        let delivery = mailing.settle(row.delivery);
        Self { sequence: row.sequence, subscriber: row.subscriber, address: None, delivery, later: None }
    }

    /// Time of its last event; for a deferred one, of the next attempt; `None` if absent.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        match self.delivery.state {
            DeliveryState::Waiting => None,
            DeliveryState::InDoubt { since } => Some(since),
            DeliveryState::Deferred { until, .. } => Some(until),
            DeliveryState::Accepted { at, .. }
            | DeliveryState::Failed { at, .. }
            | DeliveryState::Suppressed { at, .. }
            | DeliveryState::Cancelled { at }
            | DeliveryState::Uncertain { at, .. } => Some(at),
        }
    }
}

/// The report of a mailing, with at most `rows` of the deliveries that did not go through.
///
/// # Errors
/// [`StoreError`].
pub async fn report(store: &Store, mailing: &Mailing, rows: usize) -> Result<Report, StoreError> {
    let tally = store.tally(mailing).await?;
    let settled = store.settled_chunks(mailing.id).await?;
    let mut groups: BTreeMap<(&'static str, Account), (u64, String)> = BTreeMap::new();
    let (mut listed, mut more) = (Vec::new(), false);
    for chunk in 0..mailing.frozen().map_or(0, |frozen| frozen.chunks) {
        if settled.get(&chunk).is_some_and(|t| t.failed + t.deferred + t.uncertain + t.suppressed == 0) {
            continue;
        }
        for row in chunk_rows(store, mailing, chunk).await? {
            if !is_trouble(&row.delivery.state) {
                continue;
            }
            let account = Account::of(&row.delivery);
            let group = groups.entry((row.delivery.state.word(), account.group())).or_insert((0, account.text));
            group.0 += 1;
            match listed.len() < rows {
                true => listed.push(with_address(store, row).await?),
                false => more = true,
            }
        }
    }
    let mut troubles: Vec<Trouble> = groups
        .into_iter()
        .map(|((state, group), (count, text))| Trouble { state, account: Account { text, ..group }, count })
        .collect();
    troubles.sort_by_key(|trouble| std::cmp::Reverse(trouble.count));
    Ok(Report { tally, troubles, rows: listed, more })
}

fn is_trouble(state: &DeliveryState) -> bool {
    use DeliveryState::{Deferred, Failed, Suppressed, Uncertain};
    matches!(state, Deferred { .. } | Failed { .. } | Suppressed { .. } | Uncertain { .. })
}

/// The deliveries of one chunk, with addresses.
///
/// # Errors
/// [`StoreError`].
pub async fn rows(store: &Store, mailing: &Mailing, chunk: u32) -> Result<Vec<Row>, StoreError> {
    let mut rows = chunk_rows(store, mailing, chunk).await?;
    let mut later = match rows.first().zip(rows.last()) {
        Some((first, last)) => store.bounces_between(mailing.id, first.subscriber, last.subscriber).await?,
        None => Vec::new(),
    };
    later.retain(is_later);
    let mut later = later.into_iter().peekable();
    for row in &mut rows {
        // Both are in order of subscriber.
        while later.next_if(|bounce| bounce.subscriber < row.subscriber).is_some() {}
        row.later = later.next_if(|bounce| bounce.subscriber == row.subscriber);
        *row = with_address(store, row.clone()).await?;
    }
    Ok(rows)
}

async fn chunk_rows(store: &Store, mailing: &Mailing, chunk: u32) -> Result<Vec<Row>, StoreError> {
    let rows = store.chunk_rows(mailing.id, chunk).await?;
    Ok(rows.into_iter().map(|row| Row::new(mailing, row)).collect())
}

pub(super) async fn with_address(store: &Store, row: Row) -> Result<Row, StoreError> {
    let address = store.subscriber(row.subscriber).await?.map(|read| read.value.address);
    Ok(Row { address, ..row })
}

/// A delivery's address as shown in a report: masked unless `addresses`; `erased` if it no longer exists.
pub(crate) fn shown_address(row: &Row, addresses: bool) -> String {
    match &row.address {
        Some(address) if addresses => address.as_str().to_owned(),
        Some(address) => address.masked(),
        None => "erased".to_owned(),
    }
}

/// Masks the addresses in a text: servers repeat them in their replies.
pub(crate) fn masked(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || "<>\"'()[],;:".contains(c);
    text.split_inclusive(ends)
        .map(|piece| {
            let word = piece.trim_end_matches(ends);
            match word.split_once('@') {
                Some((local, domain)) if !local.is_empty() => {
                    let first: String = local.chars().take(1).collect();
                    format!("{first}***@{domain}{}", &piece[word.len()..])
                }
                _ => piece.to_owned(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn addresses_in_replies_are_masked() {
        let text = "5.1.1 <karin.ek@example.com>: no such user, karin.ek@example.com; see postmaster";
        let masked = super::masked(text);
        assert_eq!(masked, "5.1.1 <k***@example.com>: no such user, k***@example.com; see postmaster");
        assert_eq!(super::masked("250 2.0.0 queued as 4A@"), "250 2.0.0 queued as 4***@");
        assert_eq!(super::masked("@ @x"), "@ @x");
    }
}
