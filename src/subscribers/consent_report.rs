//! On what each subscription rests: for a list, subscriber by subscriber, as it is read, so that a million need no more
//! memory than a thousand.

use std::collections::BTreeMap;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, SubscriberId};
use crate::model::consent::{ConsentEvent, Proof, basis};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::blobs::{BlobError, Blobs};
use crate::store::{Store, StoreError};

/// Subscribers read at once.
const STEP: usize = 1000;

/// One subscription and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRow {
    /// The list.
    pub list: ListName,
    /// Whose.
    pub subscriber: SubscriberId,
    /// Their address.
    pub address: Address,
    /// Its state now.
    pub state: SubscriptionState,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What it rests on; nothing where it never was active.
    pub basis: Option<ConsentEvent>,
    /// How well that is proven. A mail that should be kept and is not there proves no more than one that is only named.
    pub proof: Proof,
    /// Whether a mail that should be kept is not there.
    pub evidence_missing: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ConsentReportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whether a mail is kept cannot be seen.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// How many subscriptions there are of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsentCounts {
    /// By state, then by proof.
    pub counts: BTreeMap<(SubscriptionState, Proof), u64>,
    /// Mails that should be kept and are not there.
    pub evidence_missing: u64,
}

impl ConsentCounts {
    /// Counts one more.
    pub fn add(&mut self, row: &ConsentRow) {
        *self.counts.entry((row.state, row.proof)).or_default() += 1;
        self.evidence_missing += u64::from(row.evidence_missing);
    }
}

/// A report on one list, under way.
pub struct ConsentReport {
    store: Store,
    blobs: Blobs,
    list: ListName,
    /// The last subscriber looked at; `None` at the end.
    cursor: Option<SubscriberId>,
}

impl ConsentReport {
    /// Begins with the first subscriber.
    pub fn begin(store: Store, blobs: Blobs, list: ListName) -> Self {
        Self { store, blobs, list, cursor: Some(SubscriberId(0)) }
    }

    /// The next rows, perhaps none; `None` at the end.
    ///
    /// # Errors
    /// [`ConsentReportError`]: the report is not whole.
    pub async fn next(&mut self) -> Result<Option<Vec<ConsentRow>>, ConsentReportError> {
        let Some(cursor) = self.cursor else { return Ok(None) };
        let step = self.store.scan_subscribers(cursor, STEP).await?;
        self.cursor = step.last().map(|last| last.value.id);
        let mut rows = Vec::new();
        for read in &step {
            rows.extend(row(&self.blobs, &read.value, &self.list).await?);
        }
        Ok(Some(rows))
    }
}

/// What one subscription rests on; `None` where there is none.
///
/// # Errors
/// [`ConsentReportError`].
pub async fn row(
    blobs: &Blobs,
    subscriber: &Subscriber,
    list: &ListName,
) -> Result<Option<ConsentRow>, ConsentReportError> {
    let Some(subscription) = subscriber.subscriptions.get(list) else { return Ok(None) };
    let basis = basis(&subscription.events).cloned();
    let mut proof = basis.as_ref().map_or(Proof::None, ConsentEvent::proof);
    let evidence = basis.as_ref().and_then(ConsentEvent::evidence);
    let evidence_missing = match evidence {
        Some(sha256) => blobs.size(sha256).await?.is_none(),
        None => false,
    };
    if evidence_missing {
        proof = Proof::Mail;
    }
    let since = subscription.events.last().map(|event| event.at);
    let (list, state) = (list.clone(), subscription.state);
    let (subscriber, address) = (subscriber.id, subscriber.address.clone());
    Ok(Some(ConsentRow { list, subscriber, address, state, since, basis, proof, evidence_missing }))
}
