//! Takes the health snapshot.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::base::clock::{Stopwatch, Timestamp};
use crate::model::inbound::InboundState;
use crate::model::ledger::Tally;
use crate::model::mailing::{Mailing, Stage};
use crate::operations::backups;
use crate::store::engine::EngineError;
use crate::store::{Read, StoreError, mailings};

use super::{Health, InboundHealth, JobHealth, NoticesHealth, Observer, Parts, Slow, Taken};

/// Number of records read at a time.
const PAGE: usize = 1000;
/// Values from many records may be older than the rest by this factor.
const SLOWER: u32 = 12;
/// Mailings that ended longer ago are not searched for uncertain deliveries.
const OVER_FOR: chrono::Duration = chrono::Duration::days(7);

impl Observer {
    pub(super) async fn take(&self, at: Timestamp, max_age: Duration) -> Result<Health, StoreError> {
        let parts = self.parts();
        let slow = self.slow(max_age * SLOWER).await?;
        let backups = match parts.backups.clone() {
            Some(backups) => backups_now(backups).await?,
            None => backups::State::default(),
        };
        let mut in_work = Vec::new();
        let (mut oldest_due, mut uncertain) = (None, slow.uncertain);
        let mut open = self.store.pages(mailings::open());
        while let Some(Read { value: mailing, .. }) = open.next().await? {
            let tally = match &mailing.stage {
                Stage::Finished { .. } | Stage::Cancelled { .. } | Stage::Expired { .. } => continue,
                Stage::Scheduled | Stage::Freezing { .. } => None,
                Stage::Sending(_) => Some(self.store.tally(&mailing).await?),
            };
            if let Some(tally) = tally.filter(|_| mailing.pause.is_none() && mailing.is_approved()) {
                oldest_due = [oldest_due, self.first_due(&mailing, &tally, at).await?].into_iter().flatten().min();
            }
            uncertain += tally.map_or(0, |tally| tally.uncertain);
            in_work.push((mailing, tally));
        }
        Ok(Health {
            at,
            started: self.started,
            mailings: in_work,
            oldest_due,
            uncertain,
            notices: self.notices(&parts).await?,
            inbound: self.inbound(&parts, slow).await?,
            trouble: trouble(&parts),
            put_off: parts.dispatcher.as_ref().and_then(|dispatcher| dispatcher.put_off()),
            slowed: parts.dispatcher.as_ref().and_then(|dispatcher| dispatcher.slowed()),
            resting: parts.dispatcher.as_ref().map(|dispatcher| dispatcher.resting()).unwrap_or_default(),
            disk: self.store.maintenance().disk_use().await?,
            records: self.store.maintenance().records(),
            index: self.index(),
            spool: spool(&parts).await,
            jobs: self.jobs(&parts).await?,
            monitor_trouble: parts.monitor_trouble.clone(),
            doubted: {
                let of_mail = parts.doubts.as_ref().map(|doubts| doubts.problems(at)).unwrap_or_default();
                self.store.maintenance().doubt().into_iter().chain(of_mail).collect()
            },
            clock_jump: self.store.clock_jump().await?,
            clock: self.store.clock_trust().await?,
            moved_by_test: self.clock.moved_by_test(),
            backup: backups.newest,
            lost_listeners: parts.listeners.as_ref().map(|listeners| listeners.lost()).unwrap_or_default(),
            reload_refused: self.reload_refused.read().unwrap_or_else(PoisonError::into_inner).clone(),
            backup_failure: backups.failure,
            backup_condition: backups.condition,
        })
    }

    /// Due time of the first delivery of a mailing that could be sent.
    async fn first_due(
        &self,
        mailing: &Mailing,
        tally: &Tally,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let untried = mailing.frozen().filter(|_| tally.waiting > 0).map(|frozen| frozen.at);
        let deferred = self.store.due(mailing.id, Some(now), 1).await?.first().map(|(at, _)| *at);
        Ok(untried.into_iter().chain(deferred).min())
    }

    async fn notices(&self, parts: &Parts) -> Result<NoticesHealth, StoreError> {
        Ok(NoticesHealth {
            waiting: self.store.notices_open().await?,
            first_due: self.store.first_notice_due().await?,
            sent: parts.notice_worker.as_ref().map(|notice_worker| notice_worker.sent()).unwrap_or_default(),
        })
    }

    async fn inbound(&self, parts: &Parts, slow: Slow) -> Result<InboundHealth, StoreError> {
        let waiting = self.store.count_waiting_inbound().await?;
        let oldest = match self.store.waiting_inbound(None, 1).await?.first() {
            Some(first) => match self.store.inbound(*first).await {
                Ok(read) => read.map(|read| read.value.arrival.at),
                // A damaged record must not hide everything else; it is reported where it is handled.
                Err(StoreError::Record(_)) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        Ok(InboundHealth {
            waiting,
            oldest,
            stuck: slow.stuck,
            later: self.store.later_counts().await?,
            connections: parts.mail_connections.as_ref().map(|tell| tell()).unwrap_or_default(),
        })
    }

    async fn jobs(&self, parts: &Parts) -> Result<Vec<JobHealth>, StoreError> {
        let mut jobs = Vec::with_capacity(parts.jobs.len());
        for (name, times) in &parts.jobs {
            let last = self.store.job(name).await?.map(|read| read.value);
            jobs.push(JobHealth { name, last, next: last.and_then(|last| times.next_after(last)) });
        }
        Ok(jobs)
    }

    async fn slow(&self, max_age: Duration) -> Result<Slow, StoreError> {
        let mut last = self.last_slow.lock().await;
        if let Some(known) = last.as_ref().filter(|known| known.is_good(self.clock.now(), max_age)) {
            return Ok(known.value);
        }
        let (watch, at) = (Stopwatch::start(), self.clock.now());
        let mut value = Slow::default();
        let mut mailings = self.store.pages(mailings::ended_since(at - OVER_FOR));
        while let Some(Read { value: mailing, .. }) = mailings.next().await? {
            value.uncertain += self.store.tally(&mailing).await?.uncertain;
        }
        value.stuck = self.stuck().await?;
        *last = Some(Taken { value, at, took: Duration::from_nanos(watch.nanoseconds()) });
        Ok(value)
    }

    async fn stuck(&self) -> Result<u64, StoreError> {
        let (mut stuck, mut after) = (0, None);
        loop {
            let page = match self.store.scan_inbound(after, PAGE).await {
                // It cannot be handled either; the worker logged it.
                Err(StoreError::Record(_)) => return Ok(stuck + 1),
                page => page?,
            };
            stuck += page.iter().filter(|read| matches!(read.value.state, InboundState::Stuck { .. })).count() as u64;
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.value.id),
                _ => return Ok(stuck),
            }
            // Reads of the index never wait, so other tasks get their turn here.
            tokio::task::yield_now().await;
        }
    }
}

fn trouble(parts: &Parts) -> Vec<(&'static str, crate::outbound::dispatch::relay_backoff::Trouble)> {
    let deliveries = parts.dispatcher.as_ref().and_then(|dispatcher| dispatcher.trouble());
    let notices = parts.notice_worker.as_ref().and_then(|notice_worker| notice_worker.trouble());
    let deliveries = deliveries.map(|trouble| ("deliveries", trouble));
    deliveries.into_iter().chain(notices.map(|trouble| ("notices", trouble))).collect()
}

/// The state of backups, including changes by commands outside the daemon.
async fn backups_now(backups: Arc<backups::Backups>) -> Result<backups::State, StoreError> {
    let looked = tokio::task::spawn_blocking(move || {
        backups.refresh();
        backups.state()
    });
    Ok(looked.await.map_err(|error| EngineError::Stopped(error.to_string()))?)
}

/// Only a number: a spool that cannot be listed is reported by the ingest.
async fn spool(parts: &Parts) -> u64 {
    match &parts.spool {
        Some(spool) => spool.segments().await.map_or(0, |found| found.iter().map(|segment| segment.bytes).sum()),
        None => 0,
    }
}
