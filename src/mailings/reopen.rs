//! What a person decides about deliveries that are settled: failed ones are tried again, uncertain ones are decided.
//!
//! Each chunk is changed in one commit, together with its mailing where that goes on sending: so the ledger adds up at
//! every moment (invariant 2), and a mailing is never finished over a delivery that was just opened again. A chunk that
//! is being worked on at this moment is left alone and counted as busy.

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

/// Which deliveries. Empty sets do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// To these subscribers.
    pub subscribers: BTreeSet<SubscriberId>,
    /// Whose last answer had one of these codes, e.g. 550.
    pub codes: BTreeSet<u16>,
    /// Whose last answer had one of these enhanced status codes, e.g. 5.7.1.
    pub statuses: BTreeSet<String>,
}

/// What is to be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try failed ones again.
    Retry,
    /// Decide uncertain ones.
    Resolve {
        /// What they are to count as.
        resolution: Resolution,
        /// Who says so.
        by: String,
        /// When.
        at: Timestamp,
    },
}

/// How many deliveries were changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reopened {
    /// Changed.
    pub changed: u64,
    /// Chosen, but in chunks that are being worked on at this moment: ask again later.
    pub busy: u64,
}

/// Why nothing more was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// There is no such mailing.
    #[error("there is no mailing {0}")]
    NoMailing(MailingId),
    /// It does not go with the mailing's stage.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// The store failed; chunks changed before stay changed, and the same may be asked again.
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

    /// Whether the deliveries are to be sent, and their mailing with them.
    fn sends(&self) -> bool {
        matches!(self, Self::Retry | Self::Resolve { resolution: Resolution::Again, .. })
    }

    /// How many of a settled chunk could be concerned.
    fn possible(&self, tally: &Tally) -> u64 {
        if *self == Self::Retry { tally.failed } else { tally.uncertain }
    }
}

/// Does what was decided with all chosen deliveries of a mailing. Wake the dispatcher afterwards.
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
        // Refused before the first chunk rather than after some.
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

/// Settled deliveries become waiting, and their mailing sends again.
fn reopening(
    mut mailing: Read<Mailing>,
    chunk: u32,
    rows: &[Row],
    changes: &[Option<Delivery>],
) -> Result<Batch, TransitionError> {
    let id = mailing.value.id;
    let mut batch = Batch::new();
    // First, so that a chunk being worked on is told by this key.
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

/// Settled deliveries are settled otherwise: where the chunk has a tally, it is counted anew.
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
    // Whoever settles another delivery of this chunk meanwhile changes its tally: then both are done anew.
    ledger::put_tally_again(&mut batch, mailing.id, chunk, before, &tally);
    Ok(batch)
}
