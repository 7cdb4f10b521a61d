//! A worker: one connection, at most one delivery in doubt.
//!
//! Its loop: take a delivery; check again whether it is wanted; compose the message; get a connection; commit the
//! last outcome together with this intent; send; decide about the outcome. The outcome waits for the next intent only
//! while one is at hand: otherwise it is committed alone, at once. So is one that counts against the subscriber,
//! together with its consequences.

use std::sync::Arc;

use crate::base::clock::{Stopwatch, Timestamp};
use crate::base::id::MailingId;
use crate::composition::message::Message;
use crate::metrics::domain_group::DomainGroup;
use crate::model::bounce::{BounceSource, Verdict};
use crate::model::ledger::{Cause, Delivery, DeliveryState};
use crate::runtime::clock_jump::Reading;
use crate::runtime::heartbeat::Heartbeat;
use crate::store::engine::Commit;
use crate::store::ledger::{Row, put_delivery};
use crate::store::{CONFLICT_TRIES, StoreError, mailings};
use crate::subscribers::bounces::Report;
use crate::transport::Outcome;

use super::outcome_policy::{Attempt, Refusal};
use super::stats::add;
use super::work::Job;
use super::{Shared, settle, take_back};

mod connection;
mod decide;
mod finished;
mod log;

use connection::{Open, Ready};
use decide::{Precheck, first_attempt};
use finished::{Finished, MOST_FINISHED};

struct Worker {
    shared: Arc<Shared>,
    open: Option<Open>,
    finished: Vec<Finished>,
    heartbeat: Arc<Heartbeat>,
}

/// The worker must end.
struct Ended;

/// Works until the queue is closed; then writes its outcomes and closes its connection.
pub(super) async fn run(shared: Arc<Shared>) {
    let heartbeat = shared.heartbeats.begin("a connection for deliveries");
    let mut worker = Worker { shared, open: None, finished: Vec::new(), heartbeat };
    while let Some(job) = worker.next_job().await {
        worker.heartbeat.works();
        if worker.deliver(job).await.is_err() {
            break;
        }
    }
    let _ = worker.flush().await;
    worker.hang_up().await;
}

impl Worker {
    /// The next job; before waiting for one, outcomes are written and an idle connection is closed.
    async fn next_job(&mut self) -> Option<Job> {
        if self.finished.len() < MOST_FINISHED
            && let Some(job) = self.shared.queue.take_now()
        {
            return Some(job);
        }
        self.flush().await.ok()?;
        let shared = self.shared.clone();
        self.heartbeat.rests();
        if self.open.is_some() && !shared.pace.is_wanted(shared.parts.clock.now()) {
            let idle = std::time::Duration::from_secs(u64::from(shared.parts.settings.idle_seconds));
            let clock = &shared.parts.clock;
            tokio::select! {
                biased;
                job = shared.queue.take() => return job,
                () = clock.wait_for(idle) => {}
            }
        }
        self.hang_up().await;
        shared.queue.take().await
    }

    async fn deliver(&mut self, mut job: Job) -> Result<(), Ended> {
        let mut turn = None;
        for _ in 0..CONFLICT_TRIES {
            if job.run.is_stopped() || self.shared.is_draining() {
                return self.drop_job(job).await;
            }
            let message = match self.decide(&job).await? {
                Precheck::Record(state, class, group) => {
                    let delivery = job.row.delivery.unsent(state);
                    self.finished.push(Finished { job, delivery, class, group, bounce: None, refused: None });
                    return Ok(());
                }
                Precheck::Leave => return self.drop_job(job).await,
                Precheck::Send(message) => message,
            };
            // The turn is kept over the rounds: with a long gap another one would come much later.
            match self.ready(&job, &mut turn).await? {
                Ready::Now => {}
                // The wait may have taken hours: check again whether the delivery is still wanted (invariant 8).
                Ready::AfterWait => continue,
                Ready::Stopped => return self.drop_job(job).await,
            }
            let since = self.shared.parts.clock.now();
            match self.commit_intent(&job, since).await? {
                Some(intended) => return self.send(job, intended, since, message).await,
                None => self.read_again(&mut job).await?,
            }
            if job.row.delivery.is_settled() {
                break;
            }
        }
        self.drop_job(job).await
    }

    /// Reads mailing and delivery again after a conflict.
    async fn read_again(&mut self, job: &mut Job) -> Result<(), Ended> {
        let id = job.run.current().value.id;
        loop {
            let store = &self.shared.parts.store;
            let read = async { Ok((store.mailing(id).await?, store.delivery(id, job.row.sequence).await?)) };
            match read.await {
                Ok((mailing, (delivery, stamp))) => {
                    job.run.refresh(mailing);
                    job.row = Row { delivery, stamp, ..job.row.clone() };
                    return Ok(());
                }
                Err(error) => self.survive(error).await?,
            }
        }
    }

    async fn survive(&mut self, error: StoreError) -> Result<(), Ended> {
        self.heartbeat.works();
        match self.shared.survive(&error).await {
            true => Ok(()),
            false => Err(Ended),
        }
    }

    /// Commits the intent together with finished outcomes; `None` when mailing or delivery changed meanwhile.
    async fn commit_intent(&mut self, job: &Job, since: Timestamp) -> Result<Option<Row>, Ended> {
        let mailing = job.run.current();
        let before = &job.row.delivery;
        let doubtful = matches!(before.state, DeliveryState::InDoubt { .. });
        let intended = Delivery {
            state: DeliveryState::InDoubt { since },
            attempts: before.attempts.saturating_add(1),
            resent: before.resent.saturating_add(u16::from(doubtful)),
        };
        let watch = Stopwatch::start();
        let mut batch = self.finished_batch();
        mailings::expect(&mut batch, &mailing);
        let stamp = put_delivery(&mut batch, mailing.value.id, &job.row, &intended);
        let committed = self.shared.parts.store.commit(batch).await;
        add(&self.shared.stats.commit_nanoseconds, watch.nanoseconds());
        match committed {
            Ok(Commit::Applied) => {
                self.settle_finished().await?;
                Ok(Some(Row { delivery: intended, stamp: Some(stamp), ..job.row.clone() }))
            }
            Ok(Commit::Conflict(_)) => {
                self.flush().await?;
                Ok(None)
            }
            Err(error) => {
                let may_be_applied = error.may_be_applied();
                self.survive(error).await?;
                let row = Row { delivery: intended, stamp: Some(stamp), ..job.row.clone() };
                if may_be_applied && self.stands(mailing.value.id, &row).await? {
                    self.settle_finished().await?;
                    return Ok(Some(row));
                }
                Ok(None)
            }
        }
    }

    async fn send(&mut self, mut job: Job, intended: Row, since: Timestamp, message: Message) -> Result<(), Ended> {
        let Some(open) = self.open.as_mut() else { return Err(Ended) };
        let watch = Stopwatch::start();
        self.heartbeat.waits_for_relay();
        let outcome = open.connection.send_pieces(&message.envelope, [&message.bytes, &message.shared_end]).await;
        self.heartbeat.works();
        add(&self.shared.stats.smtp_nanoseconds, watch.nanoseconds());
        let first = first_attempt(&job.row.delivery, since);
        let mailing = job.run.current();
        let reading = Reading::of(&*self.shared.parts.clock);
        let at = reading.now;
        let case = Attempt {
            reading,
            first,
            delivery: &intended.delivery,
            uncertain: mailing.value.uncertain,
            seed: mailing.value.id.0 << 32 | u64::from(intended.sequence.0),
            mailing: mailing.value.id,
            domain: message.envelope.recipient.domain(),
            was_refused: was_refused(&job.row.delivery),
            sender: message.envelope.reverse_path(),
        };
        let answered = matches!(outcome, Outcome::Accepted(_) | Outcome::Refused { .. });
        if matches!(outcome, Outcome::Accepted(_)) && self.shared.pace.accepted(at) {
            tracing::info!("the relay accepts mail at full speed again");
        }
        let decision = self.shared.policy.decide(&case, outcome);
        if let Some(what) = &decision.slow {
            self.slow_down(what);
        }
        if let Some(what) = decision.trouble {
            self.report_trouble(what);
        } else if answered {
            self.shared.backoff.opened(at);
        }
        job.row = intended;
        let bounce = decision.bounce.map(|refusal| report(mailing.value.id, &job, &message, at, refusal));
        let domain = message.envelope.recipient.domain();
        let failed = matches!(decision.delivery.state, DeliveryState::Failed { .. });
        let refused = failed.then(|| (domain.to_owned(), first));
        let group = DomainGroup::of(domain);
        self.finished.push(Finished {
            job,
            delivery: decision.delivery,
            class: decision.class,
            group,
            bounce,
            refused,
        });
        // Alone and at once: its consequences belong to it, and a breaker that opens meanwhile takes it back.
        if failed {
            self.flush().await?;
        }
        if let Some(doubted) = decision.doubted {
            self.flush().await?;
            let shared = self.shared.clone();
            while let Err(error) = take_back::begin(&shared, &doubted, decision.pause.as_deref()).await {
                self.survive(error).await?;
            }
        }
        Ok(())
    }

    /// Leaves a job as it is in the ledger.
    async fn drop_job(&mut self, job: Job) -> Result<(), Ended> {
        self.job_done(&job).await
    }

    async fn job_done(&mut self, job: &Job) -> Result<(), Ended> {
        if !job.chunk.job_done() {
            return Ok(());
        }
        while let Err(error) = settle::give_back(&self.shared, &job.run, &job.chunk).await {
            self.survive(error).await?;
        }
        Ok(())
    }
}

/// Whether it was refused for good and is being repeated.
fn was_refused(before: &Delivery) -> bool {
    match &before.state {
        DeliveryState::Deferred { cause: Cause::Reply { stage, reply }, .. } => stage.is_final(reply),
        DeliveryState::Deferred { cause: Cause::Message(_), .. } => true,
        _ => false,
    }
}

/// The refusal as a bounce.
fn report(mailing: MailingId, job: &Job, message: &Message, at: Timestamp, refusal: Refusal) -> Report {
    Report {
        mailing,
        subscriber: job.row.subscriber,
        at,
        sent_to: Some(message.envelope.recipient.clone()),
        verdict: if refusal.permanent { Verdict::Permanent } else { Verdict::Temporary },
        class: refusal.class,
        counts: true,
        names_other: false,
        status: refusal.reply.enhanced().map(str::to_owned),
        words: refusal.reply.to_string(),
        source: BounceSource::Session,
    }
}
