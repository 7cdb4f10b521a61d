//! How fast mail is sent: as fast as there are connections, until the relay asks us to slow down. Then fewer connections and
//! longer gaps, halved and doubled at each further request, and with each message that it takes a little faster again
//! (additive increase, multiplicative decrease, as TCP does: RFC 5681 §3.1).

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Duration;

use crate::base::clock::Timestamp;

/// Requests to slow down that come together are one.
const TOGETHER: Duration = Duration::seconds(2);
/// The first gap between two messages, once only one connection is left.
const FIRST_GAP: Duration = Duration::milliseconds(500);
/// The longest gap: so often a relay that takes nothing is asked.
const LONGEST_GAP: Duration = Duration::seconds(60);
/// A shorter gap is none.
const NO_GAP: Duration = Duration::milliseconds(50);
/// How often those who wait look again.
const LOOK_AGAIN: Duration = Duration::milliseconds(100);

/// The pace of all connections together.
pub struct Pace {
    most: f64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections that may send at once; as many as there are while nothing is slowed.
    limit: Option<f64>,
    gap: Duration,
    sending: u32,
    next: Option<Timestamp>,
    slowed: Option<Slowed>,
    last_cut: Option<Timestamp>,
}

/// That mail is sent more slowly.
#[derive(Clone, Debug, PartialEq)]
pub struct Slowed {
    /// Since when.
    pub since: Timestamp,
    /// When the relay last took something.
    pub last_accepted: Option<Timestamp>,
    /// Connections that may send at once.
    pub connections: u32,
    /// From one message to the next.
    pub gap: Duration,
    /// What the relay said last; without addresses.
    pub what: String,
}

/// The right to send one message; ends when it is dropped.
pub struct Turn<'a>(&'a Pace);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().sending -= 1;
    }
}

impl Pace {
    /// Full speed over so many connections.
    pub fn new(connections: usize) -> Self {
        Self { most: connections.max(1) as f64, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to send a message now, or when to ask again.
    pub fn ask(&self, now: Timestamp) -> Result<Turn<'_>, Timestamp> {
        let mut state = self.lock();
        if let Some(limit) = state.limit {
            if f64::from(state.sending) + 1.0 > limit.max(1.0) {
                return Err(now + LOOK_AGAIN);
            }
            // A clock that was set back holds nothing up.
            if let Some(next) = state.next.filter(|next| now < *next && *next - now <= LONGEST_GAP) {
                return Err(next);
            }
            state.next = Some(now + state.gap);
        }
        state.sending += 1;
        Ok(Turn(self))
    }

    /// The relay asked us to slow down. `true` where it had not before: log that one.
    pub fn slow_down(&self, now: Timestamp, what: &str) -> bool {
        let mut state = self.lock();
        let is_first = state.slowed.is_none();
        if state.last_cut.is_some_and(|last| (now - last).abs() < TOGETHER) {
            return false;
        }
        state.last_cut = Some(now);
        let before = state.limit.unwrap_or(self.most);
        let limit = (before / 2.0).floor().max(1.0);
        if before < 2.0 {
            state.gap = (state.gap * 2).clamp(FIRST_GAP, LONGEST_GAP);
        }
        state.limit = Some(limit);
        state.next = Some(now + state.gap);
        let words: Vec<&str> =
            what.split(' ').map(|word| if word.contains('@') { "(address)" } else { word }).collect();
        let what = words.join(" ");
        let before = state.slowed.take();
        let (since, last_accepted) = before.map_or((now, None), |slowed| (slowed.since, slowed.last_accepted));
        state.slowed = Some(Slowed { since, last_accepted, connections: limit as u32, gap: state.gap, what });
        is_first
    }

    /// The relay took a message. `true` when all goes at full speed again by it.
    pub fn accepted(&self, now: Timestamp) -> bool {
        let mut state = self.lock();
        let Some(limit) = state.limit else { return false };
        // As one connection for each round over all of them; the gap goes first.
        state.gap = state.gap * 9 / 10;
        if state.gap < NO_GAP {
            state.gap = Duration::zero();
            state.limit = Some(limit + 1.0 / limit);
        }
        if state.limit.is_some_and(|limit| limit > self.most) {
            (state.limit, state.slowed, state.next) = (None, None, None);
            return true;
        }
        let (gap, limit) = (state.gap, state.limit);
        if let Some(slowed) = &mut state.slowed {
            slowed.last_accepted = Some(now);
            (slowed.gap, slowed.connections) = (gap, limit.unwrap_or(1.0) as u32);
        }
        false
    }

    /// The pace, where it is slowed.
    pub fn slowed(&self, _now: Timestamp) -> Option<Slowed> {
        self.lock().slowed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        chrono::DateTime::from_timestamp_millis(1_800_000_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn halves_at_each_request_and_recovers_by_itself() {
        let pace = Pace::new(8);
        let turns: Vec<Turn<'_>> = (0..8).map(|_| pace.ask(at(0)).ok().unwrap()).collect();
        assert!(pace.slow_down(at(0), "451 4.7.0 slow down, user@example.org"));
        assert!(!pace.slow_down(at(1000), "451 4.7.0 slow down"), "that is the same request");
        assert_eq!(pace.slowed(at(0)).unwrap().connections, 4);
        assert_eq!(pace.slowed(at(0)).unwrap().what, "451 4.7.0 slow down, (address)");
        assert!(pace.ask(at(1000)).is_err());
        drop(turns);
        for second in 1..12 {
            pace.slow_down(at(second * 3000), "451 4.7.0 slow down");
        }
        let slowed = pace.slowed(at(40_000)).unwrap();
        assert_eq!((slowed.connections, slowed.gap), (1, LONGEST_GAP));
        let (mut now, mut taken) = (at(40_000), 0);
        loop {
            let turn = match pace.ask(now) {
                Ok(turn) => turn,
                Err(next) => {
                    now = next;
                    continue;
                }
            };
            drop(turn);
            taken += 1;
            if pace.accepted(now) {
                break;
            }
        }
        assert!(taken < 150, "{taken}");
        assert!(now - at(40_000) < Duration::minutes(15), "{}", now - at(40_000));
        assert_eq!(pace.slowed(now), None);
    }
}
