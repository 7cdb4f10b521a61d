//! Signs of life: what runs for ever says whenever it gets on, so that somebody can tell a worker that waits from one that
//! is stuck.
//!
//! A [`Heartbeat`] beats at each step and says for how long it may be silent then: while it does work of its own, while the
//! relay has the word, or for ever, while there is nothing to do. No clock is asked: [`Watch::look`] is told how much time
//! has passed since it looked last, so a machine that was suspended, or a clock that was set, alarms nobody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// How long a step of our own may take: the disk, a look-up, the making of a message. Far longer than any does, for what
/// follows is that the daemon is ended and started anew.
pub const OWN_STEP: Duration = Duration::from_secs(10 * 60);
/// How long one step with the relay may take: more than all its time limits together (RFC 5321 §4.5.3.2).
pub const RELAY_STEP: Duration = Duration::from_secs(2 * 60 * 60);

/// The signs of life of one task.
#[derive(Debug)]
pub struct Heartbeat {
    name: &'static str,
    beats: AtomicU64,
    /// Seconds; 0 for ever.
    time_limit: AtomicU32,
}

impl Heartbeat {
    /// A step of our own begins.
    pub fn works(&self) {
        self.beat(OWN_STEP);
    }

    /// The relay has the word, or whoever waits for it.
    pub fn waits_for_relay(&self) {
        self.beat(RELAY_STEP);
    }

    /// There is nothing to do: from now on it may be silent.
    pub fn rests(&self) {
        self.beat(Duration::ZERO);
    }

    fn beat(&self, time_limit: Duration) {
        self.time_limit.store(u32::try_from(time_limit.as_secs()).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}

/// The pulses of all tasks of one part. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Heartbeats {
    inner: Arc<Mutex<Vec<(u64, Weak<Heartbeat>)>>>,
}

impl Heartbeats {
    /// A pulse for a task that begins; it counts until it is dropped. `name` says in words what is stuck when it is.
    pub fn begin(&self, name: &'static str) -> Arc<Heartbeat> {
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

/// A task that has been silent for longer than it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Which.
    pub name: &'static str,
    /// For how long at least.
    pub silent: Duration,
}

/// Looks after the pulses of one part.
#[derive(Debug)]
pub struct Watch {
    heartbeats: Heartbeats,
    /// By number: the beats seen last, and how long there has been none.
    seen: HashMap<u64, (u64, Duration)>,
}

impl Watch {
    /// A watch that has not looked yet.
    pub fn new(heartbeats: Heartbeats) -> Self {
        Self { heartbeats, seen: HashMap::new() }
    }

    /// Looks once; `passed` is the time since the look before. Gives those that are stuck.
    pub fn look(&mut self, passed: Duration) -> Vec<Stuck> {
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
        (1..=1000).find(|_| !watch.look(LOOK).is_empty())
    }

    #[test]
    fn silence_is_counted_in_looks_and_each_beat_ends_it() {
        let heartbeats = Heartbeats::default();
        let heartbeat = heartbeats.begin("the worker");
        let mut watch = Watch::new(heartbeats);
        // The first look only learns how many beats there were.
        assert_eq!(looks_until_stuck(&mut watch), Some(22));
        assert_eq!(watch.look(LOOK), [Stuck { name: "the worker", silent: OWN_STEP + 2 * LOOK }]);
        heartbeat.works();
        assert_eq!(watch.look(LOOK), []);
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
        // A number that is given again does not inherit the silence of who had it before.
        let next = heartbeats.begin("next");
        assert_eq!(watch.look(LOOK), []);
        drop(next);
    }
}
