//! The daemon's own jobs (checkpoint, retention), each with a recurrence in a zone.
//!
//! The time of each job's last run is in the store: a job missed while the daemon was down runs once at start, not
//! once for each missed time. A job that has never run waits for its first time. A failed job is retried soon, and
//! its failure is logged. One that deletes by age does not run while the clock is in doubt
//! ([`crate::runtime::clock_jump`]), and after a clock was set back, last runs in the future do not delay jobs. Jobs
//! must be harmless to repeat, because a crash between run and note repeats one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use chrono::TimeDelta;

use crate::base::clock::{Clock, Timestamp};
use crate::model::clock_trust;
use crate::model::recurrence::Recurrence;
use crate::runtime::clock_jump;
use crate::runtime::clock_jump::{JumpWatch, Reading};
use crate::store::{Read, Store, StoreError};

/// Maximum sleep, see [`crate::mailings::schedule`].
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Delay before a failed job is retried.
const AFTER_FAILURE: Duration = Duration::from_secs(10 * 60);
/// A last run this far in the future was noted by a wrong clock.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// Log message for a job that failed after the daemon was told to stop.
const BROKEN_OFF: &str = "the daemon stops in the middle of a job; it runs after the next start";

/// The result of a job: a text that says what it did, or why it failed.
pub(crate) type JobFuture = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;

/// One job.
pub struct Job {
    name: &'static str,
    recurrence: Recurrence,
    run: Box<dyn Fn() -> JobFuture + Send + Sync>,
    deletes_by_age: bool,
    /// Earliest time of the next attempt, after a failure.
    held_until: Option<Timestamp>,
}

impl Job {
    /// Creates a job, identified in the store by `name`.
    pub fn new(
        name: &'static str,
        recurrence: Recurrence,
        run: impl Fn() -> JobFuture + Send + Sync + 'static,
    ) -> Self {
        Self { name, recurrence, run: Box::new(run), deletes_by_age: false, held_until: None }
    }

    /// Marks it as deleting by age, so that it does not run after a clock jump.
    pub fn deleting_by_age(self) -> Self {
        Self { deletes_by_age: true, ..self }
    }

    /// Its name and its recurrence.
    pub(crate) fn times(&self) -> (&'static str, Recurrence) {
        (self.name, self.recurrence.clone())
    }
}

/// Runs jobs at their times, one after the other.
pub struct Jobs {
    store: Store,
    clock: Arc<dyn Clock>,
    jobs: Vec<Job>,
    jumps: JumpWatch,
    /// Whether the daemon is to stop: what fails from then on fails for that reason.
    stopping: Arc<AtomicBool>,
}

impl Jobs {
    /// Creates a runner that records runs in `store`.
    pub fn new(store: Store, clock: Arc<dyn Clock>, jobs: Vec<Job>) -> Self {
        let jumps = JumpWatch::new(&*clock);
        Self { store, clock, jobs, jumps, stopping: Arc::default() }
    }

    /// Works until `stop` completes. A job that has begun is awaited.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let next = {
                let stopping = self.stopping.clone();
                let tick = self.tick();
                tokio::pin!(tick);
                loop {
                    tokio::select! {
                        next = &mut tick => break next,
                        () = &mut stop, if !stopping.load(Relaxed) => stopping.store(true, Relaxed),
                    }
                }
            };
            if self.stopping.load(Relaxed) {
                return;
            }
            tokio::select! {
                () = &mut stop => return,
                () = self.clock.wait_until(next.unwrap_or(Timestamp::MAX_UTC), LONGEST_SLEEP) => {}
            }
        }
    }

    /// Examines all jobs once and runs those that are due; returns when the next one is. Failures are logged and
    /// delay the job.
    pub async fn tick(&mut self) -> Option<Timestamp> {
        let mut earliest: Option<Timestamp> = None;
        let stopping = self.stopping.clone();
        if let Err(error) = self.read_clock().await {
            if stopping.load(Relaxed) {
                return None;
            }
            tracing::error!(%error, "a forward jump of the clock cannot be recorded; no job runs until it is");
            return None;
        }
        for job in &mut self.jobs {
            if stopping.load(Relaxed) {
                return None;
            }
            let now = self.clock.now();
            // A time further ahead than any delay was set while the clock was ahead.
            let held =
                |until: &Timestamp| *until > now && (*until - now).to_std().is_ok_and(|left| left <= AFTER_FAILURE);
            let next = match job.held_until.filter(held) {
                Some(until) => Some(until),
                None => run_if_due(&self.store, &*self.clock, job, &stopping).await.unwrap_or_else(|error| {
                    if stopping.load(Relaxed) {
                        tracing::info!(job = job.name, %error, "{BROKEN_OFF}");
                        return None;
                    }
                    tracing::error!(job = job.name, %error, "the last run of a job cannot be read; it is retried");
                    job.held_until = Some(now + AFTER_FAILURE);
                    job.held_until
                }),
            };
            earliest = earliest.into_iter().chain(next).min();
        }
        earliest
    }
}

impl Jobs {
    /// Notes a jump forward before anything is deleted by age: the scheduler, which writes these notes, may not have
    /// detected it yet. If it cannot be noted, it is detected again next time.
    async fn read_clock(&mut self) -> Result<(), StoreError> {
        let mut jumps = self.jumps;
        let (Reading { now, steady }, jump) = jumps.observe(&*self.clock);
        let sets_right = steady - Timestamp::UNIX_EPOCH < clock_trust::AFTER_BOOT;
        if jump.is_some_and(|jump| jump.by() > clock_trust::SMALL) && !sets_right {
            self.store.note_clock_jump(now).await?;
        }
        self.jumps = jumps;
        Ok(())
    }
}

/// Runs one job if it is due; returns when it is due next.
async fn run_if_due(
    store: &Store,
    clock: &dyn Clock,
    job: &mut Job,
    stopping: &AtomicBool,
) -> Result<Option<Timestamp>, StoreError> {
    let now = clock.now();
    let Some(last) = store.job(job.name).await? else {
        // Counting begins at the first start; if another process was faster, its note counts.
        store.note_job(job.name, None, now).await?;
        return Ok(job.recurrence.next_after(now));
    };
    if last.value - now > AHEAD {
        tracing::warn!(job = job.name, last = %last.value, "a job ran while the clock was ahead; its times count from now on");
        store.note_job(job.name, Some(last.stamp), now).await?;
        return Ok(job.recurrence.next_after(now));
    }
    let due = match job.recurrence.next_after(last.value) {
        Some(due) if due <= now => due,
        later => return Ok(later),
    };
    if job.deletes_by_age && is_in_doubt(store, due, now).await? {
        return skip(store, job, last, now).await;
    }
    job.held_until = None;
    match (job.run)().await {
        Ok(did) => {
            tracing::info!(job = job.name, "{did}");
            // The time it began: what fell due while it ran is still to be done.
            store.note_job(job.name, Some(last.stamp), now).await?;
            Ok(job.recurrence.next_after(now))
        }
        Err(reason) if stopping.load(Relaxed) => {
            tracing::info!(job = job.name, reason, "{BROKEN_OFF}");
            Ok(None)
        }
        Err(reason) => {
            tracing::error!(job = job.name, reason, "a job failed; it is retried in ten minutes");
            job.held_until = Some(clock.now() + AFTER_FAILURE);
            Ok(job.held_until)
        }
    }
}

/// Whether the clock jumped since a job was due, or recently; a new jump is noted.
async fn is_in_doubt(store: &Store, due: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
    if clock_jump::has_jumped(due, now) {
        store.note_clock_jump(now).await?;
        return Ok(true);
    }
    Ok(clock_jump::deletes_nothing_until(store, now).await?.is_some())
}

/// Skips one run without deleting anything.
async fn skip(
    store: &Store,
    job: &Job,
    last: Read<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let again = clock_jump::deletes_nothing_until(store, now).await?.unwrap_or(now);
    let again = job.recurrence.next_after(again);
    tracing::error!(
        job = job.name,
        last = %last.value,
        again = again.map(|at| at.to_string()),
        "the clock was set forward, or is much later than when this last ran, so nothing is deleted by age this time. If \
         the clock is wrong, set it right before the next time; if it is right (the daemon was off for long), nothing needs to be done"
    );
    store.note_job(job.name, Some(last.stamp), now).await?;
    Ok(job.recurrence.next_after(now))
}
