//! Finds the deliveries that belong to a Message-ID, a relay's queue id or an address.

use crate::base::id::{MailingId, SubscriberId};
use crate::model::ledger::Delivery;
use crate::model::mailing::Mailing;
use crate::store::pages::Pages;
use crate::store::{Read, Store, StoreError, mailings};

use super::report::{Account, Row, with_address};

/// Maximum number of deliveries in one answer.
const MOST_FOUND: usize = 100;
/// Maximum number of deliveries searched for a queue id, newest mailings first: 0.1 s for each hundred thousand,
/// measured with the index in memory.
const MOST_LOOKED_AT: u64 = 2_000_000;

/// The deliveries found.
#[derive(Debug, Default)]
pub struct Found {
    /// The deliveries, those of the newest mailing first.
    pub rows: Vec<(Mailing, Row)>,
    /// Whether older deliveries were not searched.
    pub more: bool,
}

/// The deliveries to one subscriber: of one mailing, or of all.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn of_subscriber(
    store: &Store,
    mailing: Option<MailingId>,
    subscriber: SubscriberId,
) -> Result<Found, StoreError> {
    let (mut found, mut mailings) = (Found::default(), Mailings::of(store, mailing));
    while let Some(mailing) = mailings.next().await? {
        if found.rows.len() >= MOST_FOUND {
            found.more = true;
            break;
        }
        if let Some(row) = store.row_of(&mailing, subscriber).await? {
            let row = with_address(store, Row::new(&mailing, row)).await?;
            found.rows.push((mailing, row));
        }
    }
    Ok(found)
}

/// The deliveries of one mailing, or of all, for which the relay's answer has this queue id. Only the last answer about
/// each delivery is kept.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn of_queue_id(
    store: &Store,
    mailing: Option<MailingId>,
    queue_id: &str,
) -> Result<Found, StoreError> {
    let (mut found, mut looked_at, mut mailings) = (Found::default(), 0, Mailings::of(store, mailing));
    while let Some(mailing) = mailings.next().await? {
        for chunk in 0..mailing.frozen().map_or(0, |frozen| frozen.chunks) {
            if looked_at >= MOST_LOOKED_AT || found.rows.len() >= MOST_FOUND {
                found.more = true;
                return Ok(found);
            }
            let rows = store.chunk_rows(mailing.id, chunk).await?;
            looked_at += rows.len() as u64;
            for row in rows.into_iter().filter(|row| is_said_of(&row.delivery, queue_id)) {
                let row = with_address(store, Row::new(&mailing, row)).await?;
                found.rows.push((mailing.clone(), row));
            }
            // The index answers without waiting, so a long search would keep the thread from other tasks.
            tokio::task::yield_now().await;
        }
    }
    Ok(found)
}

/// One mailing, or all, the newest first.
enum Mailings<'a> {
    One(&'a Store, Option<MailingId>),
    All(Pages<Read<Mailing>>),
}

impl<'a> Mailings<'a> {
    fn of(store: &'a Store, one: Option<MailingId>) -> Self {
        match one {
            Some(id) => Self::One(store, Some(id)),
            None => Self::All(store.pages(mailings::all().backward())),
        }
    }

    async fn next(&mut self) -> Result<Option<Mailing>, StoreError> {
        let read = match self {
            Self::One(store, id) => match id.take() {
                Some(id) => store.mailing(id).await?,
                None => None,
            },
            Self::All(pages) => pages.next().await?,
        };
        Ok(read.map(|read| read.value))
    }
}

/// Whether the last answer about a delivery names this queue id.
pub(crate) fn is_said_of(delivery: &Delivery, queue_id: &str) -> bool {
    says(&Account::of(delivery).text, queue_id)
}

/// Whether a reply contains this queue id as a separate word.
fn says(reply: &str, queue_id: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || "<>\"'()[],;:=".contains(c);
    reply.split(ends).any(|word| !word.is_empty() && word.trim_end_matches('.') == queue_id)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_queue_id_is_a_word_of_the_reply() {
        for reply in ["2.0.0 Ok: queued as 4XyZ12", "2.0.0 4XyZ12 Message accepted", "OK id=4XyZ12.", "ok (4XyZ12)"] {
            assert!(super::says(reply, "4XyZ12"), "{reply}");
        }
        assert!(!super::says("2.0.0 Ok: queued as 4XyZ123", "4XyZ12") && !super::says("2.0.0 ok", ""));
    }
}
