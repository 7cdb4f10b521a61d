//! Engines that fail on demand: before anything was written, or after it, with the response lost.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use depesch::store::engine::{Batch, Commit, Engine, EngineError, EngineFuture, Key, KeyRange, Value};
use depesch::store::maintenance::Maintenance;

/// When the failing commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Before anything was written.
    Before,
    /// After everything was written; the response is lost.
    After,
}

/// Wraps another engine, which survives the failure of this one.
pub struct FailingCommits {
    inner: Arc<dyn Engine>,
    left: AtomicUsize,
    failure: Failure,
    dead: AtomicBool,
}

impl FailingCommits {
    /// Fails at commit number `at` (from 0) and at all later ones.
    pub fn new(inner: Arc<dyn Engine>, at: usize, failure: Failure) -> Arc<Self> {
        Arc::new(Self { inner, left: AtomicUsize::new(at), failure, dead: AtomicBool::new(false) })
    }

    /// Whether it has failed.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }
}

impl Maintenance for FailingCommits {}

impl Engine for FailingCommits {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        self.inner.get(key)
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        self.inner.scan(range, limit)
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        Box::pin(async move {
            let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            let failed = || EngineError::Stopped("as the test wants it".to_owned());
            match (left, self.failure) {
                (Ok(_), _) => self.inner.commit(batch).await,
                (Err(_), Failure::Before) => {
                    self.dead.store(true, Ordering::SeqCst);
                    Err(failed())
                }
                (Err(_), Failure::After) => {
                    self.inner.commit(batch).await?;
                    self.dead.store(true, Ordering::SeqCst);
                    Err(failed())
                }
            }
        })
    }
}

/// The operations that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Reads, scans and commits.
    All,
    /// Commits only.
    Commits,
}

/// Forwards everything to another engine, except for the failures it was asked for.
pub struct FailingEngine {
    inner: Arc<dyn Engine>,
    seen: AtomicU64,
    commits: AtomicU64,
    plan: Mutex<Vec<(Count, u64, Failure)>>,
}

impl FailingEngine {
    /// An engine that does not fail yet.
    pub fn over(inner: Arc<dyn Engine>) -> Self {
        Self { inner, seen: AtomicU64::new(0), commits: AtomicU64::new(0), plan: Mutex::new(Vec::new()) }
    }

    /// Fails once, at the `nth` counted operation from now on; 1 is the next.
    pub fn fail_at(&self, count: Count, nth: u64, failure: Failure) {
        let seen = match count {
            Count::All => self.seen.load(Ordering::SeqCst),
            Count::Commits => self.commits.load(Ordering::SeqCst),
        };
        self.plan.lock().unwrap().push((count, seen + nth, failure));
    }

    /// The number of operations so far.
    pub fn operations(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// The number of commits so far.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    fn next(&self, commit: bool) -> Option<Failure> {
        let all = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let commits = self.commits.fetch_add(u64::from(commit), Ordering::SeqCst) + u64::from(commit);
        let hit = |(count, nth, _): &(Count, u64, Failure)| match count {
            Count::All => *nth == all,
            Count::Commits => commit && *nth == commits,
        };
        let mut plan = self.plan.lock().unwrap();
        let position = plan.iter().position(hit)?;
        Some(plan.swap_remove(position).2)
    }
}

fn error(action: &'static str) -> EngineError {
    EngineError::Unavailable { action, reason: "it was told to fail".to_owned() }
}

impl Maintenance for FailingEngine {}

impl Engine for FailingEngine {
    fn get<'a>(&'a self, key: &'a Key) -> EngineFuture<'a, Option<Value>> {
        match self.next(false) {
            Some(_) => Box::pin(std::future::ready(Err(error("read")))),
            None => self.inner.get(key),
        }
    }

    fn scan(&self, range: KeyRange, limit: usize) -> EngineFuture<'_, Vec<(Key, Value)>> {
        match self.next(false) {
            Some(_) => Box::pin(std::future::ready(Err(error("read")))),
            None => self.inner.scan(range, limit),
        }
    }

    fn commit(&self, batch: Batch) -> EngineFuture<'_, Commit> {
        match self.next(true) {
            Some(Failure::Before) => Box::pin(std::future::ready(Err(error("written")))),
            Some(Failure::After) => Box::pin(async move {
                self.inner.commit(batch).await?;
                Err(EngineError::Ambiguous { action: "written", reason: "it was told to fail".to_owned() })
            }),
            None => self.inner.commit(batch),
        }
    }
}
