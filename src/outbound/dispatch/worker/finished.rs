//! Decided deliveries: their outcomes are committed, with the bounces that follow from them, and counted.

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::metrics::domain_group::DomainGroup;
use crate::model::ledger::{Delivery, DeliveryState};
use crate::runtime::clock_jump::Reading;
use crate::store::engine::{Batch, Commit};
use crate::store::ledger::{Row, put_delivery};
use crate::store::{Conflict, StoreError, ledger};
use crate::subscribers::bounces;
use crate::subscribers::bounces::Report;

use super::super::stats::add;
use super::super::work::Job;
use super::{Ended, Worker, log};

/// Maximum number of outcomes that wait for the next intent; there are several only while nothing is sent.
pub(super) const MOST_FINISHED: usize = 16;

/// A decided delivery whose record is not yet written.
pub(super) struct Finished {
    pub(super) job: Job,
    pub(super) delivery: Delivery,
    /// The word for the class of the refusal, and the recipient's domain group.
    pub(super) class: &'static str,
    pub(super) group: DomainGroup,
    /// The bounce that counts against the subscriber, if any.
    pub(super) bounce: Option<Report>,
    /// The recipient's domain and the first attempt, if the relay or the receiver refused it for good.
    pub(super) refused: Option<(String, Timestamp)>,
}

impl Worker {
    /// Reverts permanent refusals from before a breaker opened: they have not failed, and count against no
    /// subscriber.
    pub(super) fn doubt_finished(&mut self) {
        let reading = Reading::of(&*self.shared.parts.clock);
        for finished in &mut self.finished {
            let Some((domain, first)) = &finished.refused else { continue };
            let about = (finished.job.run.current().value.id, domain.as_str());
            let since = (*first, finished.delivery.attempts);
            if let Some(state) = self.shared.policy.doubts(reading, about, since, &finished.delivery.state) {
                finished.delivery.state = state;
                (finished.bounce, finished.refused) = (None, None);
            }
        }
    }

    pub(super) fn finished_batch(&self) -> Batch {
        let mut batch = Batch::new();
        for finished in &self.finished {
            put_delivery(&mut batch, finished.job.run.current().value.id, &finished.job.row, &finished.delivery);
        }
        batch
    }

    /// Adds the consequences of finished refusals.
    pub(super) async fn add_bounces(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        let (store, policy) = (&self.shared.parts.store, &self.shared.parts.settings.bounce);
        for finished in &mut self.finished {
            let Some(report) = &finished.bounce else { continue };
            let mut follows = Batch::new();
            match bounces::note(store, policy, &mut follows, report).await {
                Ok(_) => batch.append(follows),
                // The outcome is known and must be written, even if the subscriber's records are damaged.
                Err(StoreError::Record(error)) => {
                    tracing::error!(subscriber = %report.subscriber, %error, "a bounce cannot be counted");
                    finished.bounce = None;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Commits finished outcomes alone.
    pub(super) async fn flush(&mut self) -> Result<(), Ended> {
        while !self.finished.is_empty() {
            let shared = self.shared.clone();
            let failed = self.finished.iter().any(|finished| finished.refused.is_some());
            let _scoring = if failed { Some(shared.scoring.read().await) } else { None };
            self.doubt_finished();
            let mut batch = self.finished_batch();
            if let Err(error) = self.add_bounces(&mut batch).await {
                self.survive(error).await?;
                continue;
            }
            match self.shared.parts.store.commit(batch).await {
                Ok(Commit::Applied) => return self.settle_finished().await,
                Ok(Commit::Conflict(key)) => self.reconcile(&key).await?,
                Err(error) => {
                    let may_be_applied = error.may_be_applied();
                    self.survive(error).await?;
                    if may_be_applied && self.is_committed().await? {
                        return self.settle_finished().await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the finished deliveries are in the store: a batch is stored completely or not at all.
    pub(super) async fn is_committed(&mut self) -> Result<bool, Ended> {
        let Some(finished) = self.finished.first() else { return Ok(true) };
        let stamp = Some(ledger::stamp_of(&finished.delivery));
        let row = Row { delivery: finished.delivery.clone(), stamp, ..finished.job.row.clone() };
        let mailing = finished.job.run.current().value.id;
        self.stands(mailing, &row).await
    }

    /// Whether a delivery is stored exactly as in `row`.
    pub(super) async fn stands(&mut self, mailing: MailingId, row: &Row) -> Result<bool, Ended> {
        loop {
            match self.shared.parts.store.delivery(mailing, row.sequence).await {
                Ok((_, stamp)) => return Ok(stamp == row.stamp),
                Err(error) => self.survive(error).await?,
            }
        }
    }

    /// Others changed a delivery that we have an outcome for: the lease ran out and another node took over, or the
    /// acknowledgement of our own commit was lost. A known outcome replaces an assumed one.
    pub(super) async fn reconcile(&mut self, key: &Conflict) -> Result<(), Ended> {
        for finished in &mut self.finished {
            let mailing = finished.job.run.current().value.id;
            if !ledger::is_delivery_of(key, mailing, finished.job.row.sequence) {
                continue;
            }
            match self.shared.parts.store.delivery(mailing, finished.job.row.sequence).await {
                Ok((delivery, stamp)) => {
                    tracing::warn!(%mailing, subscriber = %finished.job.row.subscriber, now = delivery.state.word(),
                        outcome = finished.delivery.state.word(), "a delivery was changed while it was being sent");
                    finished.job.row = Row { delivery, stamp, ..finished.job.row.clone() };
                }
                Err(error) => {
                    self.shared.survive(&error).await.then_some(()).ok_or(Ended)?;
                }
            }
        }
        Ok(())
    }

    /// Counts what was committed; the last job of a chunk gives the chunk back.
    pub(super) async fn settle_finished(&mut self) -> Result<(), Ended> {
        for finished in std::mem::take(&mut self.finished) {
            let stats = &self.shared.stats;
            match finished.delivery.state {
                DeliveryState::Accepted { .. } => add(&stats.accepted, 1),
                DeliveryState::Deferred { .. } => add(&stats.deferred, 1),
                DeliveryState::Failed { .. } => add(&stats.failed, 1),
                DeliveryState::Suppressed { .. } => add(&stats.suppressed, 1),
                DeliveryState::Uncertain { .. } => add(&stats.uncertain, 1),
                DeliveryState::Waiting | DeliveryState::InDoubt { .. } | DeliveryState::Cancelled { .. } => {}
            }
            self.shared.outcomes.count(finished.delivery.state.word(), finished.class, finished.group);
            log::outcome(&finished);
            self.job_done(&finished.job).await?;
        }
        Ok(())
    }
}
