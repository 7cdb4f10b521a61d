//! Relay backoff: while the relay cannot be reached, all workers wait here and one at a time tries. So a lost relay
//! pauses the transport, and not a hundred thousand deliveries. One bad connection does not: as long as others get
//! answers, it is only reopened.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Duration;

use crate::base::clock::Timestamp;

/// The first wait after a failure.
const FIRST: Duration = Duration::seconds(1);
/// Maximum wait.
const LONGEST: Duration = Duration::seconds(300);

/// Number of failures in a row, without an answer to a message in between, that count as a problem of the relay and
/// not of single connections. If one in ten connections breaks, this happens once in 100,000 messages.
const IN_A_ROW: u32 = 5;
/// How long an answer counts as proof that the relay works.
const ANSWER_COUNTS: Duration = Duration::seconds(30);
/// A connection attempt that takes longer is reported as trouble.
const LONG_DIAL: Duration = Duration::seconds(20);
/// Upper bound for a connection attempt; a longer one began before the clock was set forward.
const LONGEST_DIAL: Duration = Duration::hours(1);

/// Whether the relay can be used, and when to try again.
#[derive(Default)]
pub(crate) struct RelayBackoff {
    state: Mutex<Trouble>,
    recent: Mutex<Recent>,
}

/// Recent events.
#[derive(Default)]
struct Recent {
    answered: Option<Timestamp>,
    failures: u32,
    /// Connections being opened, by number.
    dials: BTreeMap<u64, Timestamp>,
    last_dial: u64,
}

impl Recent {
    /// Whether there was an answer recently. A time in the future is from before the clock was set back.
    fn answers(&self, now: Timestamp) -> bool {
        self.answered.is_some_and(|at| (now - at).abs() < ANSWER_COUNTS)
    }
}

/// Trouble with the relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Since when, if there is trouble.
    pub since: Option<Timestamp>,
    /// When the next attempt may start.
    pub next_try: Option<Timestamp>,
    /// The last failure.
    pub what: String,
    failures: u32,
    /// A task is trying and has not reported yet.
    trying: bool,
}

impl Trouble {
    /// Trouble that is not the relay's but the store's.
    pub(super) fn of_store(since: Timestamp, next_try: Timestamp, what: String) -> Self {
        Self { since: Some(since), next_try: Some(next_try), what, ..Self::default() }
    }
}

impl RelayBackoff {
    fn lock(&self) -> MutexGuard<'_, Trouble> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for permission to use the relay. `None`: go ahead; otherwise not before this instant. During trouble, a
    /// task that got permission holds the others back until it reports.
    pub(crate) fn ask(&self, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.lock();
        match state.next_try {
            // A time further ahead than any wait was set while the clock was ahead.
            Some(at) if now < at && at - now <= LONGEST => Some(at),
            Some(_) => {
                state.next_try = Some(now + wait(state.failures));
                state.trying = true;
                None
            }
            None => None,
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports that a connection attempt begins; its end is reported by [`RelayBackoff::dialed`].
    pub(crate) fn dials(&self, now: Timestamp) -> u64 {
        let mut recent = self.recent();
        recent.last_dial += 1;
        let number = recent.last_dial;
        recent.dials.insert(number, now);
        number
    }

    /// Reports that a connection attempt ended, with or without success.
    pub(crate) fn dialed(&self, number: u64) {
        self.recent().dials.remove(&number);
    }

    /// Whether a failed connection means trouble with the relay, and not only with that connection.
    pub(crate) fn is_trouble(&self, now: Timestamp) -> bool {
        let mut recent = self.recent();
        recent.failures = recent.failures.saturating_add(1);
        let answers = recent.answers(now);
        !answers || recent.failures >= IN_A_ROW || self.lock().since.is_some()
    }

    /// Whether the relay answered recently.
    pub(crate) fn answers(&self, now: Timestamp) -> bool {
        self.recent().answers(now)
    }

    /// Reports that the relay answered as expected.
    pub(crate) fn opened(&self, now: Timestamp) {
        {
            let mut recent = self.recent();
            (recent.answered, recent.failures) = (Some(now), 0);
        }
        let mut state = self.lock();
        if state.since.is_some() {
            *state = Trouble::default();
        }
    }

    /// Reports that the relay could not be used. `true` for the first report of this trouble: log that one.
    pub(crate) fn failed(&self, now: Timestamp, what: String) -> bool {
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

    /// Lets the next attempt start now, after a person reported the relay repaired. Still only one task tries, and
    /// all others wait for its result.
    pub(crate) fn try_now(&self, now: Timestamp) {
        let mut state = self.lock();
        if let Some(next) = &mut state.next_try {
            *next = now;
        }
    }

    /// The current trouble, for `depesch status`.
    pub(crate) fn trouble(&self, now: Timestamp) -> Option<Trouble> {
        let state = self.lock().clone();
        if state.since.is_some() {
            return Some(state);
        }
        let recent = self.recent();
        let oldest =
            recent.dials.values().min().copied().filter(|at| LONG_DIAL < now - *at && now - *at < LONGEST_DIAL)?;
        let answers = recent.answered.is_some_and(|at| at > oldest);
        let what =
            format!("the relay accepts the connection but sends no greeting ({} s)", (now - oldest).num_seconds());
        (!answers).then(|| Trouble { since: Some(oldest), what, ..Trouble::default() })
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
        let backoff = RelayBackoff::default();
        assert_eq!(backoff.ask(at(0)), None);
        assert!(backoff.failed(at(0), "refused".into()));
        assert_eq!(backoff.ask(at(0)), Some(at(1)));
        assert_eq!(backoff.ask(at(1)), None, "one may try");
        assert_eq!(backoff.ask(at(1)), Some(at(2)), "the others wait");
        assert!(!backoff.failed(at(2), "refused".into()));
        assert_eq!(backoff.ask(at(3)), Some(at(4)));
        assert_eq!(backoff.ask(at(4)), None);
        assert!(!backoff.failed(at(4), "refused at once".into()));
        assert_eq!(backoff.ask(at(4)), Some(at(8)), "longer, however quickly it refuses");
        assert!(!backoff.failed(at(5), "a connection from before broke".into()));
        assert_eq!(backoff.ask(at(5)), Some(at(9)), "that is the same failure");
        backoff.opened(at(5));
        assert_eq!(backoff.ask(at(5)), None);
        assert_eq!(backoff.trouble(at(5)), None);
    }

    #[test]
    fn a_person_may_ask_for_the_next_try_at_once() {
        let backoff = RelayBackoff::default();
        backoff.try_now(at(0));
        assert_eq!(backoff.ask(at(0)), None, "without trouble nothing changes");
        for seconds in 0..20 {
            backoff.ask(at(seconds * 600));
            backoff.failed(at(seconds * 600), "refused".into());
        }
        let last = 19 * 600;
        assert_eq!(backoff.ask(at(last + 1)), Some(at(last + 300)));
        backoff.try_now(at(last + 1));
        assert_eq!(backoff.ask(at(last + 1)), None, "one may try");
        assert_eq!(backoff.ask(at(last + 1)), Some(at(last + 301)), "the others wait");
    }

    #[test]
    fn one_bad_connection_holds_no_other_and_five_in_a_row_do() {
        let backoff = RelayBackoff::default();
        assert!(backoff.is_trouble(at(0)), "nothing was answered yet");
        for round in 0..100 {
            backoff.opened(at(round));
            for _ in 0..4 {
                assert!(!backoff.is_trouble(at(round)));
            }
        }
        assert!(backoff.is_trouble(at(100)));
        backoff.opened(at(100));
        assert!(backoff.is_trouble(at(131)), "the last answer was long ago");
        assert!(backoff.answers(at(100)) && !backoff.answers(at(-1_000)), "the clock was set back since");
    }

    #[test]
    fn a_relay_that_does_not_greet_is_trouble() {
        let backoff = RelayBackoff::default();
        let number = backoff.dials(at(0));
        assert_eq!(backoff.trouble(at(20)), None);
        let trouble = backoff.trouble(at(21)).unwrap();
        assert_eq!((trouble.since, trouble.next_try), (Some(at(0)), None));
        assert!(trouble.what.contains("sends no greeting (21 s)"), "{}", trouble.what);
        backoff.dialed(number);
        assert_eq!(backoff.trouble(at(30)), None);
        backoff.dials(at(30));
        backoff.opened(at(40));
        assert_eq!(backoff.trouble(at(60)), None, "others get through");
    }
}
