//! Heartbeats of long-running tasks, by which a waiting worker can be told from a stuck one.
//!
//! A task's [`Heartbeat`] beats at each step and says for how long it may then be silent: during work of its own, during
//! a step with the relay, or without limit while it is idle. No clock is read: the caller passes [`Watch::check`] the
//! time since the last check, so a suspended machine or a changed clock raises no alarm.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Maximum time of a step of our own: disk access, a look-up, composing a message. Far longer than any step takes,
/// because the consequence is that the daemon is killed and restarted.
pub const OWN_STEP: Duration = Duration::from_secs(10 * 60);
/// Maximum time of one step with the relay: more than all its timeouts together (RFC 5321 §4.5.3.2).
pub const RELAY_STEP: Duration = Duration::from_secs(2 * 60 * 60);

/// The heartbeat of one task.
#[derive(Debug)]
pub struct Heartbeat {
    name: &'static str,
    beats: AtomicU64,
    /// Seconds of allowed silence; 0 means unlimited.
    time_limit: AtomicU32,
}

impl Heartbeat {
    /// Reports that a step of our own begins.
    pub(crate) fn works(&self) {
        self.beat(OWN_STEP);
    }

    /// Reports that the task waits for the relay, or for a task that does.
    pub(crate) fn waits_for_relay(&self) {
        self.beat(RELAY_STEP);
    }

    /// Reports that the task is idle: it may be silent from now on.
    pub(crate) fn rests(&self) {
        self.beat(Duration::ZERO);
    }

    fn beat(&self, time_limit: Duration) {
        self.time_limit.store(u32::try_from(time_limit.as_secs()).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}

/// The heartbeats of all tasks of one part. Cheap to clone; all clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Heartbeats {
    inner: Arc<Mutex<Vec<(u64, Weak<Heartbeat>)>>>,
}

impl Heartbeats {
    /// Creates a heartbeat for a new task; it counts until it is dropped. `name` describes the task when it is stuck.
    pub(crate) fn begin(&self, name: &'static str) -> Arc<Heartbeat> {
        let heartbeat = Arc::new(Heartbeat { name, beats: AtomicU64::new(0), time_limit: AtomicU32::new(0) });
        heartbeat.works();
        let mut all = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, heartbeat)| heartbeat.strong_count() > 0);
        let number = all.last().map_or(0, |(number, _)| number + 1);
        all.push((number, Arc::downgrade(&heartbeat)));
        heartbeat
    }

    fn all(&self) -> Vec<(u64, Arc<Heartbeat>)> {
        let all = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(|(number, heartbeat)| Some((*number, heartbeat.upgrade()?))).collect()
    }
}

/// A task that has been silent for longer than allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its name.
    pub name: &'static str,
    /// How long at least it has been silent.
    pub silent: Duration,
}

/// Checks the heartbeats of one part.
#[derive(Debug)]
pub(crate) struct Watch {
    heartbeats: Heartbeats,
    /// By number: the beats last seen, and how long there has been none since.
    seen: HashMap<u64, (u64, Duration)>,
}

impl Watch {
    /// Creates a watch that has not checked yet.
    pub(crate) fn new(heartbeats: Heartbeats) -> Self {
        Self { heartbeats, seen: HashMap::new() }
    }

    /// Checks once; `passed` is the time since the previous check. Returns the stuck tasks.
    pub(crate) fn check(&mut self, passed: Duration) -> Vec<Stuck> {
        let (mut stuck, mut seen) = (Vec::new(), HashMap::new());
        for (number, heartbeat) in self.heartbeats.all() {
            let beats = heartbeat.beats.load(Ordering::Relaxed);
            let silent = match self.seen.get(&number) {
                Some((before, silent)) if *before == beats => silent.saturating_add(passed),
                _ => Duration::ZERO,
            };
            seen.insert(number, (beats, silent));
            let time_limit = Duration::from_secs(u64::from(heartbeat.time_limit.load(Ordering::Relaxed)));
            if !time_limit.is_zero() && silent > time_limit {
                stuck.push(Stuck { name: heartbeat.name, silent });
            }
        }
        self.seen = seen;
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_secs(30);

    fn looks_until_stuck(watch: &mut Watch) -> Option<u32> {
        (1..=1000).find(|_| !watch.check(LOOK).is_empty())
    }

    #[test]
    fn silence_is_counted_in_looks_and_each_beat_ends_it() {
        let heartbeats = Heartbeats::default();
        let heartbeat = heartbeats.begin("the worker");
        let mut watch = Watch::new(heartbeats);
        // The first check only learns the number of beats.
        assert_eq!(looks_until_stuck(&mut watch), Some(22));
        assert_eq!(watch.check(LOOK), [Stuck { name: "the worker", silent: OWN_STEP + 2 * LOOK }]);
        heartbeat.works();
        assert_eq!(watch.check(LOOK), []);
        heartbeat.waits_for_relay();
        assert_eq!(looks_until_stuck(&mut watch), Some(242));
    }

    #[test]
    fn who_rests_or_has_ended_may_be_silent() {
        let heartbeats = Heartbeats::default();
        let (resting, ended) = (heartbeats.begin("resting"), heartbeats.begin("ended"));
        let mut watch = Watch::new(heartbeats.clone());
        resting.rests();
        drop(ended);
        assert_eq!(looks_until_stuck(&mut watch), None);
        // A reused number does not inherit the silence of its previous owner.
        let next = heartbeats.begin("next");
        assert_eq!(watch.check(LOOK), []);
        drop(next);
    }
}
