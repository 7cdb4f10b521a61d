//! The gate before the relay: while the relay cannot be reached, everyone waits here and one at a time tries. A lost
//! relay pauses the transport, not a hundred thousand deliveries.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Duration;

use crate::base::clock::Timestamp;

/// The first wait after trouble.
const FIRST: Duration = Duration::seconds(1);
/// The longest wait.
const LONGEST: Duration = Duration::seconds(300);

/// Whether the relay can be used, and when to try again.
#[derive(Default)]
pub struct Gate {
    state: Mutex<Trouble>,
}

/// What is known of a relay that gives trouble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Since when, if there is trouble.
    pub since: Option<Timestamp>,
    /// When the next one may try.
    pub next_try: Option<Timestamp>,
    /// What happened last.
    pub what: String,
    failures: u32,
    /// Somebody was let through and has not reported.
    trying: bool,
}

impl Trouble {
    /// Trouble that is not the relay's.
    pub(super) fn of_store(since: Timestamp, next_try: Timestamp, what: String) -> Self {
        Self { since: Some(since), next_try: Some(next_try), what, ..Self::default() }
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Trouble> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: go ahead. Otherwise: not before this instant. Whoever is let through in trouble holds the others back
    /// until they report.
    pub fn ask(&self, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.lock();
        match state.next_try {
            // One further ahead than any wait was set by a clock that stood ahead.
            Some(at) if now < at && at - now <= LONGEST => Some(at),
            Some(_) => {
                state.next_try = Some(now + wait(state.failures));
                state.trying = true;
                None
            }
            None => None,
        }
    }

    /// The relay answered as it should.
    pub fn opened(&self) {
        let mut state = self.lock();
        if state.since.is_some() {
            *state = Trouble::default();
        }
    }

    /// The relay could not be used. `true` for the first report of this trouble: log that one.
    pub fn failed(&self, now: Timestamp, what: String) -> bool {
        let mut state = self.lock();
        let first = state.since.is_none();
        // Connections that break together are one failure, not fifty.
        if first || state.trying {
            state.failures = state.failures.saturating_add(1);
        }
        state.trying = false;
        state.since.get_or_insert(now);
        state.next_try = Some(now + wait(state.failures));
        state.what = what;
        first
    }

    /// The trouble there is, for `depesch status`.
    pub fn trouble(&self) -> Option<Trouble> {
        let state = self.lock();
        state.since.is_some().then(|| state.clone())
    }
}

fn wait(failures: u32) -> Duration {
    let doubled = FIRST * 2i32.pow(failures.saturating_sub(1).min(16));
    doubled.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn lets_one_try_at_a_time_and_waits_longer_each_time() {
        let gate = Gate::default();
        assert_eq!(gate.ask(at(0)), None);
        assert!(gate.failed(at(0), "refused".into()));
        assert_eq!(gate.ask(at(0)), Some(at(1)));
        assert_eq!(gate.ask(at(1)), None, "one may try");
        assert_eq!(gate.ask(at(1)), Some(at(2)), "the others wait");
        assert!(!gate.failed(at(2), "refused".into()));
        assert_eq!(gate.ask(at(3)), Some(at(4)));
        assert_eq!(gate.ask(at(4)), None);
        assert!(!gate.failed(at(4), "refused at once".into()));
        assert_eq!(gate.ask(at(4)), Some(at(8)), "longer, however quickly it refuses");
        assert!(!gate.failed(at(5), "a connection from before broke".into()));
        assert_eq!(gate.ask(at(5)), Some(at(9)), "that is the same failure");
        gate.opened();
        assert_eq!(gate.ask(at(5)), None);
        assert_eq!(gate.trouble(), None);
    }
}
