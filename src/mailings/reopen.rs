//! Manual decisions about settled deliveries: failed ones are retried, uncertain ones are resolved.
//!
//! Each chunk is changed in one commit, together with its mailing if that goes back to sending: so the ledger adds up
//! at every moment (invariant 2), and a mailing is never finished over a delivery that was just reopened. A chunk
//! that is being worked on at the moment is left alone and counted as busy.

use std::collections::BTreeSet;

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, SubscriberId};
use crate::model::decision::{self, Resolution};
use crate::model::ledger::{Cause, Delivery, DeliveryState, Tally};
use crate::model::mailing::Mailing;
use crate::model::mailing_transitions::TransitionError;
use crate::store::engine::{Batch, Commit};
use crate::store::ledger::{self, Row};
use crate::store::mailings::put_mailing;
use crate::store::{CONFLICT_TRIES, Read, Store, StoreError};

/// Selects deliveries. Empty sets do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// To these subscribers.
    pub subscribers: BTreeSet<SubscriberId>,
    /// With one of these codes in the last answer, e.g. 550.
    pub codes: BTreeSet<u16>,
    /// With one of these enhanced status codes in the last answer, e.g. 5.7.1.
    pub statuses: BTreeSet<String>,
}

/// What is decided about the selected deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Retry failed ones.
    Retry,
    /// Resolve uncertain ones.
    Resolve {
        /// How they are resolved.
        resolution: Resolution,
        /// The user who decides.
        by: String,
        /// When.
        at: Timestamp,
    },
}

/// Numbers of deliveries concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reopened {
    /// Changed.
    pub changed: u64,
    /// Selected, but in chunks that are being worked on at the moment: try again later.
    pub busy: u64,
}

/// Why no more deliveries were changed.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// The mailing does not exist.
    #[error("there is no mailing {0}")]
    NoMailing(MailingId),
    /// The mailing's stage does not allow it.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// The store failed; chunks changed before stay changed, and the request can be repeated.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Choice {
    fn takes(&self, row: &Row) -> bool {
        let reply = match &row.delivery.state {
            DeliveryState::Failed { cause: Cause::Reply { reply, .. }, .. }
            | DeliveryState::Uncertain { cause: Cause::Reply { reply, .. }, .. } => Some(reply),
            _ => None,
        };
        let code = || reply.is_some_and(|reply| self.codes.contains(&reply.code));
        let status = || reply.and_then(|r| r.enhanced()).is_some_and(|status| self.statuses.contains(status));
        (self.subscribers.is_empty() || self.subscribers.contains(&row.subscriber))
            && ((self.codes.is_empty() && self.statuses.is_empty()) || code() || status())
    }
}

impl Decision {
    fn of(&self, delivery: &Delivery) -> Option<Delivery> {
        match self {
            Self::Retry => decision::retry(delivery),
            Self::Resolve { resolution, by, at } => decision::resolve(delivery, *resolution, by, *at),
        }
    }

    /// Whether the decision sends the deliveries, and so their mailing, again.
    fn sends(&self) -> bool {
        matches!(self, Self::Retry | Self::Resolve { resolution: Resolution::Again, .. })
    }

    /// Upper bound of the deliveries concerned in a settled chunk.
    fn possible(&self, tally: &Tally) -> u64 {
        if *self == Self::Retry { tally.failed } else { tally.uncertain }
    }
}

/// Applies a decision to all selected deliveries of a mailing. Notify the dispatcher afterwards.
///
/// # Errors
/// [`ReopenError`].
pub async fn decide(
    store: &Store,
    id: MailingId,
    choice: &Choice,
    decision: &Decision,
) -> Result<Reopened, ReopenError> {
    let mailing = store.mailing(id).await?.ok_or(ReopenError::NoMailing(id))?.value;
    if decision.sends() {
        // Refuse before the first chunk rather than after some.
        mailing.clone().reopen()?;
    }
    let settled = store.settled_chunks(id).await?;
    let mut total = Reopened::default();
    for chunk in 0..mailing.frozen().map_or(0, |frozen| frozen.chunks) {
        if settled.get(&chunk).is_none_or(|tally| decision.possible(tally) > 0) {
            let part = decide_chunk(store, id, chunk, choice, decision).await?;
            total.changed += part.changed;
            total.busy += part.busy;
        }
    }
    Ok(total)
}

async fn decide_chunk(
    store: &Store,
    id: MailingId,
    chunk: u32,
    choice: &Choice,
    decision: &Decision,
) -> Result<Reopened, ReopenError> {
    for _ in 0..CONFLICT_TRIES {
        let mailing = store.mailing(id).await?.ok_or(ReopenError::NoMailing(id))?;
        let rows = store.chunk_rows(id, chunk).await?;
        let changes: Vec<Option<Delivery>> =
            rows.iter().map(|row| decision.of(&row.delivery).filter(|_| choice.takes(row))).collect();
        let count = changes.iter().flatten().count() as u64;
        if count == 0 {
            return Ok(Reopened::default());
        }
        let batch = match decision.sends() {
            true => reopening(mailing, chunk, &rows, &changes)?,
            false => settling(store, &mailing.value, chunk, &rows, &changes).await?,
        };
        match store.commit(batch).await? {
            Commit::Applied => return Ok(Reopened { changed: count, busy: 0 }),
            Commit::Conflict(key) if ledger::is_lease_of(&key, id, chunk) => {
                return Ok(Reopened { changed: 0, busy: count });
            }
            Commit::Conflict(_) => {}
        }
    }
    Err(StoreError::Contended(CONFLICT_TRIES).into())
}

/// Sets settled deliveries back to waiting, and their mailing back to sending.
fn reopening(
    mut mailing: Read<Mailing>,
    chunk: u32,
    rows: &[Row],
    changes: &[Option<Delivery>],
) -> Result<Batch, TransitionError> {
    let id = mailing.value.id;
    let mut batch = Batch::new();
    // Checked first, so that a chunk being worked on conflicts on this key.
    ledger::expect_lease(&mut batch, id, chunk, None);
    mailing.value.reopen()?;
    put_mailing(&mut batch, &mailing.value, Some(mailing.stamp));
    for (row, now) in rows.iter().zip(changes) {
        if let Some(now) = now {
            ledger::reopen(&mut batch, id, row, now);
        }
    }
    Ok(batch)
}

/// Resolves settled deliveries to another settled state: if the chunk has a tally, it is recounted.
async fn settling(
    store: &Store,
    mailing: &Mailing,
    chunk: u32,
    rows: &[Row],
    changes: &[Option<Delivery>],
) -> Result<Batch, StoreError> {
    let mut batch = Batch::new();
    ledger::expect_lease(&mut batch, mailing.id, chunk, None);
    let before = store.tally_stamp(mailing.id, chunk).await?;
    let mut tally = Tally::default();
    for (row, now) in rows.iter().zip(changes) {
        if let Some(now) = now {
            ledger::put_delivery(&mut batch, mailing.id, row, now);
        }
        tally.add(&mailing.settle(now.clone().unwrap_or_else(|| row.delivery.clone())));
    }
    // A task that settles another delivery of this chunk meanwhile changes its tally: then this commit conflicts and is
    // tried again.
    ledger::put_tally_again(&mut batch, mailing.id, chunk, before, &tally);
    Ok(batch)
}
