//! The consent behind each subscription to a list, read subscriber by subscriber, so that memory use does not grow with
//! their number.

use std::collections::BTreeMap;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, SubscriberId};
use crate::model::consent::{ConsentEvent, Proof, basis};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::blobs::{BlobError, Blobs};
use crate::store::{Store, StoreError};

/// Subscribers read per query.
const STEP: usize = 1000;

/// One subscription and its consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsentRow {
    /// The list that was subscribed to.
    pub list: ListName,
    /// The subscriber.
    pub subscriber: SubscriberId,
    /// The subscriber's address.
    pub address: Address,
    /// The current state.
    pub state: SubscriptionState,
    /// When that state began.
    pub since: Option<Timestamp>,
    /// The consent it is based on; `None` if it was never active.
    pub basis: Option<ConsentEvent>,
    /// How well the consent is proven. A mail that should be stored but is missing proves no more than one only
    /// referred to.
    pub proof: Proof,
    /// Whether a mail that should be stored is missing.
    pub evidence_missing: bool,
}

/// Why the report failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsentReportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored mails cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// The number of subscriptions of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConsentCounts {
    /// By state and proof.
    pub counts: BTreeMap<(SubscriptionState, Proof), u64>,
    /// The number of mails that should be stored but are missing.
    pub evidence_missing: u64,
}

impl ConsentCounts {
    /// Counts one row.
    pub(crate) fn add(&mut self, row: &ConsentRow) {
        *self.counts.entry((row.state, row.proof)).or_default() += 1;
        self.evidence_missing += u64::from(row.evidence_missing);
    }
}

/// A report on one list in progress.
pub(crate) struct ConsentReport {
    store: Store,
    blobs: Blobs,
    list: ListName,
    /// The last subscriber read; `None` at the end.
    cursor: Option<SubscriberId>,
}

impl ConsentReport {
    /// Starts with the first subscriber.
    pub(crate) fn begin(store: Store, blobs: Blobs, list: ListName) -> Self {
        Self { store, blobs, list, cursor: Some(SubscriberId(0)) }
    }

    /// The next rows, which may be empty; `None` at the end.
    ///
    /// # Errors
    /// [`ConsentReportError`]: the report is incomplete.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<ConsentRow>>, ConsentReportError> {
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

/// The consent behind one subscription; `None` if the subscription does not exist.
///
/// # Errors
/// [`ConsentReportError`].
pub(crate) async fn row(
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
