//! Notifications to systemd's watchdog: sent only while commits become durable and no task is stuck.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use depesch::app::liveness::{Lifeless, Liveness};
use depesch::mailings::schedule::Scheduler;
use depesch::model::mailing::UncertainPolicy;
use depesch::runtime::heartbeat::{Heartbeats, OWN_STEP, RELAY_STEP};
use depesch::store::engine::{Batch, Commit, Engine, EngineError, EngineFuture, Key, KeyRange, Value};
use depesch::store::maintenance::Maintenance;
use depesch::store::memory::MemoryEngine;

use crate::support::inbound::MailIn;
use crate::support::office::Office;

const LOOK: Duration = Duration::from_secs(40);

/// What a commit does.
const WELL: u8 = 0;
const SILENT: u8 = 1;
const FULL: u8 = 2;
const BROKEN: u8 = 3;

/// An in-memory engine whose commits and scans can be stopped.
#[derive(Default)]
struct Stalling {
    inner: MemoryEngine,
    commits: AtomicU8,
    scans_hang: AtomicBool,
}

impl Maintenance for Stalling {}

impl Engine for Stalling {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        self.inner.get(key)
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        match self.scans_hang.load(Ordering::SeqCst) {
            true => Box::pin(std::future::pending()),
            false => self.inner.scan(range, limit),
        }
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        let failed = |error| Box::pin(std::future::ready(Err(error)));
        match self.commits.load(Ordering::SeqCst) {
            SILENT => Box::pin(std::future::pending()),
            FULL => failed(EngineError::Full("as the test wants it".into())),
            BROKEN => failed(EngineError::Stopped("as the test wants it".into())),
            _ => self.inner.commit(batch),
        }
    }
}

fn liveness(office: &Office, parts: &[Heartbeats]) -> Liveness {
    Liveness::new(office.store.clone(), Arc::new(office.clock.clone()), office.notifier.clone(), parts, LOOK)
}

/// Runs liveness checks for this time, letting other tasks run in between; returns the first problem.
async fn look_for(liveness: &mut Liveness, time: Duration) -> Option<Lifeless> {
    for _ in 0..=time.as_secs().div_ceil(LOOK.as_secs()) {
        if let Err(lifeless) = liveness.check(LOOK).await {
            return Some(lifeless);
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    None
}

fn stuck(lifeless: Option<Lifeless>) -> Vec<&'static str> {
    match lifeless {
        Some(Lifeless::Stuck(stuck)) => stuck.iter().map(|stuck| stuck.name).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_committer_that_does_not_answer_in_time_is_noticed() {
    let engine = Arc::new(Stalling::default());
    let office = Office::over(engine.clone());
    let mut liveness = liveness(&office, &[]);
    liveness.check(LOOK).await.unwrap();
    engine.commits.store(SILENT, Ordering::SeqCst);
    let clock = office.clock.clone();
    let (looked, ()) = tokio::join!(liveness.check(LOOK), async {
        clock.advance(chrono::Duration::seconds(39));
        tokio::task::yield_now().await;
        clock.advance(chrono::Duration::seconds(1));
    });
    assert!(matches!(looked, Err(Lifeless::CommitterSilent(LOOK))), "{looked:?}");
    engine.commits.store(WELL, Ordering::SeqCst);
    liveness.check(LOOK).await.unwrap();
}

#[tokio::test]
async fn a_store_rebuilding_its_index_may_be_silent_for_an_hour_and_a_failed_one_may_not() {
    let engine = Arc::new(Stalling::default());
    let office = Office::over(engine.clone());
    let heals = Arc::new(AtomicBool::new(true));
    let asked = heals.clone();
    let mut liveness = liveness(&office, &[]).excused(move || asked.load(Ordering::SeqCst));
    engine.commits.store(SILENT, Ordering::SeqCst);
    let clock = office.clock.clone();
    let silent = async |liveness: &mut Liveness| {
        let (looked, ()) = tokio::join!(liveness.check(LOOK), async {
            tokio::task::yield_now().await;
            clock.advance(chrono::Duration::seconds(40));
        });
        looked
    };
    let looks = 3600 / LOOK.as_secs();
    for look in 1..looks {
        assert!(silent(&mut liveness).await.is_ok(), "{look}");
    }
    assert!(matches!(silent(&mut liveness).await, Err(Lifeless::CommitterSilent(_))));
    heals.store(false, Ordering::SeqCst);
    assert!(matches!(silent(&mut liveness).await, Err(Lifeless::CommitterSilent(_))));
    heals.store(true, Ordering::SeqCst);
    assert!(silent(&mut liveness).await.is_ok(), "the time limit starts again");
    engine.commits.store(BROKEN, Ordering::SeqCst);
    let looked = liveness.check(LOOK).await;
    assert!(matches!(looked, Err(Lifeless::CommitsFail(_))), "{looked:?}");
}

#[tokio::test]
async fn a_full_disk_is_waited_for_and_a_broken_store_is_not() {
    let engine = Arc::new(Stalling::default());
    let office = Office::over(engine.clone());
    let mut liveness = liveness(&office, &[]);
    engine.commits.store(FULL, Ordering::SeqCst);
    liveness.check(LOOK).await.unwrap();
    engine.commits.store(BROKEN, Ordering::SeqCst);
    let looked = liveness.check(LOOK).await;
    assert!(matches!(looked, Err(Lifeless::CommitsFail(_))), "{looked:?}");
}

#[tokio::test]
async fn a_dispatcher_with_nothing_to_do_lives_and_one_that_hangs_does_not() {
    let engine = Arc::new(Stalling::default());
    let office = Office::over(engine.clone());
    let dispatcher = office.dispatcher().await.unwrap();
    let mut liveness = liveness(&office, &[dispatcher.heartbeats().clone()]);
    let found = look_for(&mut liveness, 3 * RELAY_STEP).await;
    assert!(found.is_none(), "{found:?}");
    engine.scans_hang.store(true, Ordering::SeqCst);
    // The next check notifies it, it looks for work, and hangs; from the check after that it is silent.
    assert_eq!(stuck(look_for(&mut liveness, OWN_STEP + 3 * LOOK).await), ["the dispatcher"]);
}

#[tokio::test]
async fn a_relay_may_be_slow_but_not_for_ever() {
    let office = Office::new();
    office.subscribers(3).await;
    *office.relay.witness.lock().unwrap() = Some(Box::new(|_| Box::pin(std::future::pending())));
    let dispatcher = office.dispatcher().await.unwrap();
    let mut liveness = liveness(&office, &[dispatcher.heartbeats().clone()]);
    let id = office.mailing(UncertainPolicy::Resend).await;
    office.until(|| async { office.tally(id).await.in_doubt == 3 }).await;
    let found = look_for(&mut liveness, RELAY_STEP - 3 * LOOK).await;
    assert!(found.is_none(), "{found:?}");
    assert_eq!(stuck(look_for(&mut liveness, 6 * LOOK).await), ["a connection for deliveries"; 3]);
}

#[tokio::test]
async fn a_scheduler_that_hangs_is_noticed() {
    let engine = Arc::new(Stalling::default());
    let office = Office::over(engine.clone());
    let scheduler = Scheduler::new(office.store.clone(), Arc::new(office.clock.clone()), office.notifier.clone());
    let mut liveness = liveness(&office, &[scheduler.heartbeats().clone()]);
    let running = tokio::spawn(async move { scheduler.run(std::future::pending::<()>()).await });
    assert!(look_for(&mut liveness, 2 * OWN_STEP).await.is_none());
    engine.scans_hang.store(true, Ordering::SeqCst);
    assert_eq!(stuck(look_for(&mut liveness, OWN_STEP + 3 * LOOK).await), ["the scheduler"]);
    running.abort();
}

#[tokio::test]
async fn the_handlers_of_incoming_mail_are_watched_too() {
    let engine = Arc::new(Stalling::default());
    let mail = MailIn::over(engine.clone()).await;
    let (worker, _) = mail.worker(|_, _| panic!("nothing came"));
    let clock = Arc::new(mail.clock.clone());
    let parts = [worker.heartbeats.clone()];
    let mut liveness = Liveness::new(mail.store.clone(), clock, mail.notifier.clone(), &parts, LOOK);
    let running = tokio::spawn(worker.run(std::future::pending::<()>()));
    // It checks for work every minute by itself, so its clock must advance with the checks.
    let mut found = Vec::new();
    for look in 0..60 {
        engine.scans_hang.store(look >= 30, Ordering::SeqCst);
        mail.clock.advance(chrono::Duration::from_std(LOOK).unwrap());
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        if let Err(lifeless) = liveness.check(LOOK).await {
            found.push((look, stuck(Some(lifeless))));
        }
    }
    let (first, names) = found.first().unwrap();
    assert!(*first > 30, "{found:?}");
    assert_eq!(*names, ["the distribution of incoming mail"]);
    running.abort();
}
