//! Jobs run at their times; one missed while the daemon was down runs once at start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use depesch::base::clock::FakeClock;
use depesch::model::recurrence::Recurrence;
use depesch::operations::jobs::{Job, Jobs};
use depesch::store::Store;

use crate::support::mailings::{minute, store};

/// A job at each full hour; counts its runs, and fails while it is told to.
struct Hourly {
    clock: Arc<FakeClock>,
    store: Store,
    runs: Arc<AtomicUsize>,
    failing: Arc<AtomicBool>,
}

impl Hourly {
    fn new() -> Self {
        // 09:00 UTC.
        Self { clock: FakeClock::at(minute(0)), store: store(), runs: Arc::default(), failing: Arc::default() }
    }

    fn start(&self) -> Jobs {
        self.start_after(Vec::new())
    }

    fn start_after(&self, mut jobs: Vec<Job>) -> Jobs {
        let (runs, failing) = (self.runs.clone(), self.failing.clone());
        let recurrence = Recurrence::new("@hourly", "Europe/Stockholm").unwrap();
        let job = Job::new("count", recurrence, move || {
            let (runs, failing) = (runs.clone(), failing.clone());
            Box::pin(async move {
                runs.fetch_add(1, Ordering::SeqCst);
                if failing.load(Ordering::SeqCst) { Err("as told".to_owned()) } else { Ok("counted".to_owned()) }
            })
        });
        jobs.push(job);
        Jobs::new(self.store.clone(), Arc::new(self.clock.clone()), jobs)
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_job_runs_at_its_times_and_not_at_the_first_start() {
    let hourly = Hourly::new();
    let mut jobs = hourly.start();
    assert_eq!(jobs.tick().await, Some(minute(60)));
    assert_eq!(hourly.runs(), 0);
    hourly.clock.set(minute(60));
    assert_eq!(jobs.tick().await, Some(minute(120)));
    assert_eq!(jobs.tick().await, Some(minute(120)));
    assert_eq!(hourly.runs(), 1);
}

#[tokio::test]
async fn a_missed_job_runs_once_at_start() {
    let hourly = Hourly::new();
    hourly.start().tick().await;
    hourly.clock.set(minute(60 * 10 + 30));
    let mut jobs = hourly.start();
    assert_eq!(jobs.tick().await, Some(minute(60 * 11)));
    assert_eq!(hourly.start().tick().await, Some(minute(60 * 11)));
    assert_eq!(hourly.runs(), 1);
}

#[tokio::test]
async fn a_failed_job_is_tried_again_soon() {
    let hourly = Hourly::new();
    let mut jobs = hourly.start();
    jobs.tick().await;
    hourly.failing.store(true, Ordering::SeqCst);
    hourly.clock.set(minute(60));
    assert_eq!(jobs.tick().await, Some(minute(70)));
    assert_eq!(jobs.tick().await, Some(minute(70)), "held back, not run again at once");
    assert_eq!(hourly.runs(), 1);
    hourly.failing.store(false, Ordering::SeqCst);
    hourly.clock.set(minute(70));
    assert_eq!(jobs.tick().await, Some(minute(120)));
    assert_eq!(hourly.runs(), 2);
}

#[tokio::test]
async fn a_stop_waits_for_the_job_that_runs_and_begins_no_other() {
    let (hourly, broken_off) = (Hourly::new(), Arc::new(tokio::sync::Notify::new()));
    hourly.start().tick().await;
    let recurrence = Recurrence::new("@hourly", "Europe/Stockholm").unwrap();
    let (began, end) = (Arc::new(tokio::sync::Notify::new()), broken_off.clone());
    let long = {
        let began = began.clone();
        Job::new("long", recurrence, move || {
            let (began, end) = (began.clone(), end.clone());
            Box::pin(async move {
                began.notify_one();
                end.notified().await;
                Err("the daemon stops".to_owned())
            })
        })
    };
    let mut jobs = hourly.start_after(vec![long]);
    jobs.tick().await;
    hourly.clock.set(minute(60));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(jobs.run(async { drop(stopped.await) }));
    began.notified().await;
    stop.send(()).unwrap();
    tokio::task::yield_now().await;
    assert!(!running.is_finished(), "the job is awaited");
    broken_off.notify_one();
    running.await.unwrap();
    assert_eq!(hourly.runs(), 0, "the next job is not begun");
    hourly.start().tick().await;
    assert_eq!(hourly.runs(), 1, "it runs after the next start");
}
