//! The pace of sending: as fast as the connections allow, until the relay asks us to slow down.
//!
//! Two limits, each learnt from the relay's answers and each recovering by itself (additive or slow exponential
//! increase, multiplicative decrease, as in TCP: RFC 5681 §3.1). *Messages per second*: when the relay refuses with
//! "slow down", the rate becomes a part of the rate that it has just accepted. *Connections*: when it turns a
//! connection away while others work (421, RFC 5321 §3.8), the limit becomes the number of open ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Duration;

use crate::base::clock::Timestamp;

/// Refusals within this time after a cut are answers to messages sent before it.
const TOGETHER: Duration = Duration::seconds(1);
/// The share of the accepted rate that remains when the relay asks us to slow down.
const KEPT: f64 = 0.7;
/// The minimum that one cut leaves: a relay whose quota is used up accepts nothing, which says nothing about its
/// rate.
const LEAST_KEPT: f64 = 0.25;
/// Minimum rate in messages per second: how often a relay that accepts nothing is tried.
const LEAST_RATE: f64 = 1.0 / 60.0;
/// Growth of the rate in a second: far below the rate at which the relay last refused, and near it.
const GROWTH: (f64, f64) = (0.10, 0.02);
/// The share of that rate from which it counts as near.
const NEAR: f64 = 0.9;
/// Maximum by which one message raises the rate.
const MOST_GROWTH: f64 = 0.5;
/// Messages that waited for the same instant are sent together if they are at most this late.
const BURST: Duration = Duration::milliseconds(100);
/// Time until one additional connection is tried.
const MORE_CONNECTIONS: Duration = Duration::seconds(60);
/// Interval at which tasks that wait for a connection check again.
const CHECK_EVERY: Duration = Duration::milliseconds(100);
/// Time without a request to slow down after which the limits are dropped.
const FORGOTTEN: Duration = Duration::hours(1);

/// The limits shared by all connections.
pub(crate) struct Pace {
    most: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rate: Option<Rate>,
    /// Maximum number of open connections.
    connections: Option<u32>,
    connected: u32,
    /// When a connection was last requested in vain.
    wanted: Option<Timestamp>,
    /// When the limit of connections last changed.
    changed: Option<Timestamp>,
    taken: Taken,
    slowed: Option<Slowed>,
    last_cut: Option<Timestamp>,
}

/// The limit of messages per second.
#[derive(Clone, Copy)]
struct Rate {
    now: f64,
    /// The rate at which the relay last asked us to slow down.
    refused_at: f64,
    /// The rate before the first request: at twice this the limit is removed.
    full: f64,
    next: Timestamp,
}

/// Number of messages that the relay accepted in this second and in the one before.
#[derive(Default)]
struct Taken {
    second: Option<Timestamp>,
    now: u32,
    before: u32,
}

/// Describes a reduced pace.
#[derive(Clone, Debug, PartialEq)]
pub struct Slowed {
    /// Since when.
    pub since: Timestamp,
    /// When the relay last accepted something.
    pub last_accepted: Option<Timestamp>,
    /// Maximum number of open connections; `None`: no limit.
    pub connections: Option<u32>,
    /// Maximum messages per second; `None`: no limit.
    pub rate: Option<f64>,
    /// The relay's last reply, without addresses.
    pub what: String,
}

/// Permission to send one message.
pub(crate) struct Turn {
    /// The place for a connection that is yet to be opened.
    pub place: Option<Place>,
}

/// A place among the allowed connections; released when dropped.
pub(crate) struct Place(Arc<Pace>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().connected -= 1;
    }
}

impl Pace {
    /// Full speed with at most `connections`.
    pub(crate) fn new(connections: usize) -> Self {
        Self { most: u32::try_from(connections.max(1)).unwrap_or(u32::MAX), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for permission to send a message now; otherwise returns when to ask again. A caller without an open
    /// connection also gets a place for one.
    pub(crate) fn ask(self: &Arc<Self>, now: Timestamp, is_connected: bool) -> Result<Turn, Timestamp> {
        let mut state = self.lock();
        state.forget(now);
        if !is_connected && state.connections.is_some_and(|limit| state.connected >= limit) {
            state.wanted = Some(now);
            return Err(now + CHECK_EVERY);
        }
        if let Some(rate) = &mut state.rate {
            let gap = rate.gap();
            // A time further ahead than any gap was set while the clock was ahead.
            if now < rate.next && rate.next - now <= gap + BURST {
                return Err(rate.next);
            }
            rate.next = rate.next.clamp(now - BURST, now) + gap;
        }
        state.connected += u32::from(!is_connected);
        drop(state);
        Ok(Turn { place: (!is_connected).then(|| Place(self.clone())) })
    }

    /// A place for a connection, regardless of the limit.
    pub(crate) fn place(self: &Arc<Self>) -> Place {
        self.lock().connected += 1;
        Place(self.clone())
    }

    /// Reports that the relay asked us to slow down. `true` for the first request: log that one.
    pub(crate) fn slow_down(&self, now: Timestamp, what: &str) -> bool {
        let mut state = self.lock();
        if state.last_cut.is_some_and(|last| (now - last).abs() < TOGETHER) {
            return false;
        }
        let taken = state.taken.rate(now);
        let before = state.rate.map_or(taken.max(f64::from(self.most)), |rate| rate.now);
        let kept = (taken * KEPT).clamp(before * LEAST_KEPT, before * KEPT).max(LEAST_RATE);
        let full = state.rate.map_or(before, |rate| rate.full);
        let mut rate = Rate { now: kept, refused_at: before, full, next: now };
        rate.next = now + rate.gap();
        state.rate = Some(rate);
        state.slows(now, what)
    }

    /// Reports that the relay turned a connection away although it had a place, while others are open: their number
    /// becomes the limit. `true` for the first time: log that one.
    pub(crate) fn crowded(&self, now: Timestamp, what: &str) -> bool {
        let mut state = self.lock();
        state.connections = Some(state.connected.saturating_sub(1).max(1));
        state.changed = Some(now);
        state.slows(now, what)
    }

    /// Whether others wait for a place: then idle connections should be closed.
    pub(crate) fn is_wanted(&self, now: Timestamp) -> bool {
        self.lock().wanted.is_some_and(|at| (now - at).abs() < CHECK_EVERY * 3)
    }

    /// Number of connections with a place.
    pub(crate) fn connected(&self) -> u32 {
        self.lock().connected
    }

    /// Reports an accepted message. `true` when this removes the last limit.
    pub(crate) fn accepted(&self, now: Timestamp) -> bool {
        let mut state = self.lock();
        state.taken.count(now);
        if state.slowed.is_none() {
            return false;
        }
        if let Some(rate) = &mut state.rate {
            rate.grow();
            if rate.now > rate.full * 2.0 {
                state.rate = None;
            }
        }
        if state.changed.is_some_and(|at| (now - at).abs() >= MORE_CONNECTIONS) {
            state.changed = Some(now);
            state.connections = state.connections.map(|limit| limit + 1).filter(|limit| *limit < self.most);
        }
        if state.rate.is_none() && state.connections.is_none() {
            state.slowed = None;
            return true;
        }
        state.show();
        if let Some(slowed) = &mut state.slowed {
            slowed.last_accepted = Some(now);
        }
        false
    }

    /// The reduced pace, if it is reduced.
    pub(crate) fn slowed(&self, now: Timestamp) -> Option<Slowed> {
        let mut state = self.lock();
        state.forget(now);
        state.slowed.clone()
    }
}

impl State {
    fn slows(&mut self, now: Timestamp, what: &str) -> bool {
        self.last_cut = Some(now);
        let is_first = self.slowed.is_none();
        let words: Vec<&str> =
            what.split(' ').map(|word| if word.contains('@') { "(address)" } else { word }).collect();
        let what = words.join(" ");
        match &mut self.slowed {
            Some(slowed) => slowed.what = what,
            None => {
                self.slowed = Some(Slowed { since: now, last_accepted: None, connections: None, rate: None, what });
            }
        }
        self.show();
        is_first
    }

    fn show(&mut self) {
        if let Some(slowed) = &mut self.slowed {
            (slowed.connections, slowed.rate) = (self.connections, self.rate.map(|rate| rate.now));
        }
    }

    fn forget(&mut self, now: Timestamp) {
        if self.last_cut.is_some_and(|last| (now - last).abs() > FORGOTTEN) {
            (self.rate, self.connections, self.slowed, self.last_cut) = (None, None, None, None);
        }
    }
}

impl Rate {
    /// Time from one message to the next.
    fn gap(&self) -> Duration {
        Duration::microseconds((1_000_000.0 / self.now) as i64)
    }

    /// Grows with each message: by its share of a second's growth.
    fn grow(&mut self) {
        let growth = if self.now < self.refused_at * NEAR { GROWTH.0 } else { GROWTH.1 };
        self.now *= 1.0 + (growth / self.now).min(MOST_GROWTH);
    }
}

impl Taken {
    fn count(&mut self, now: Timestamp) {
        self.turn(now);
        self.now += 1;
    }

    fn turn(&mut self, now: Timestamp) {
        let age = self.second.map_or(Duration::MAX, |second| (now - second).abs());
        if age >= Duration::seconds(1) {
            self.before = if age < Duration::seconds(2) { self.now } else { 0 };
            (self.second, self.now) = (Some(now), 0);
        }
    }

    /// The rate in messages per second.
    fn rate(&mut self, now: Timestamp) -> f64 {
        self.turn(now);
        f64::from(self.now.max(self.before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: &str = "451 4.7.0 slow down, user@example.org";

    fn at(milliseconds: i64) -> Timestamp {
        chrono::DateTime::from_timestamp_millis(1_800_000_000_000 + milliseconds).unwrap()
    }

    /// Simulates a relay that accepts `allowed` messages in any second, and a sender as fast as the pace allows, in
    /// steps of a millisecond. Returns the numbers accepted and refused in each second.
    fn throttled(pace: &Arc<Pace>, from: i64, seconds: i64, allowed: usize) -> Vec<(usize, usize)> {
        let mut last = std::collections::VecDeque::new();
        let second = |start: i64| {
            let (mut taken, mut refused) = (0, 0);
            for now in start..start + 1000 {
                while pace.ask(at(now), true).is_ok() {
                    while last.front().is_some_and(|first| *first <= now - 1000) {
                        last.pop_front();
                    }
                    last.push_back(now);
                    if last.len() <= allowed {
                        pace.accepted(at(now));
                        taken += 1;
                    } else {
                        pace.slow_down(at(now), SLOW);
                        refused += 1;
                    }
                    if last.len() > 3 * allowed {
                        break;
                    }
                }
            }
            (taken, refused)
        };
        (0..seconds).map(|number| from + number * 1000).map(second).collect()
    }

    #[test]
    fn comes_close_to_what_the_relay_takes_with_few_refusals() {
        for allowed in [2, 20, 300] {
            let pace = Arc::new(Pace::new(8));
            let seconds = throttled(&pace, 0, 120, allowed);
            let (taken, refused) = seconds.iter().fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
            assert!(taken > allowed * 120 * 6 / 10, "{allowed}: {taken} taken, {refused} refused");
            assert!(refused < taken / 10 + 3 * allowed, "{allowed}: {taken} taken, {refused} refused");
            assert_eq!(pace.slowed(at(120_000)).unwrap().what, "451 4.7.0 slow down, (address)");
        }
    }

    #[test]
    fn a_relay_that_takes_nothing_is_asked_once_a_minute_and_then_recovers() {
        let pace = Arc::new(Pace::new(8));
        assert!(pace.slow_down(at(0), SLOW));
        assert!(!pace.slow_down(at(500), SLOW), "that is the same request");
        let (mut now, mut asked) = (0, 0);
        while now < 3_000_000 {
            match pace.ask(at(now), true) {
                Ok(_) => {
                    asked += 1;
                    pace.slow_down(at(now), SLOW);
                }
                Err(_) => now += 50,
            }
        }
        assert!((50..80).contains(&asked), "{asked}");
        let end =
            (0..).map(|step| now + step * 50).find(|now| pace.ask(at(*now), true).is_ok() && pace.accepted(at(*now)));
        let seconds = (end.unwrap() - now) / 1000;
        assert!(seconds < 400, "{seconds}");
        assert_eq!(pace.slowed(at(end.unwrap())), None);
    }

    #[test]
    fn a_connection_turned_away_leaves_those_that_are_open_and_one_more_is_tried_each_minute() {
        let pace = Arc::new(Pace::new(4));
        let mut places: Vec<Turn> = (0..3).map(|_| pace.ask(at(0), false).ok().unwrap()).collect();
        places.pop();
        let away = pace.ask(at(0), false).ok().unwrap();
        assert!(pace.crowded(at(0), "421 too many connections"));
        drop(away);
        assert_eq!(pace.slowed(at(0)).unwrap().connections, Some(2));
        assert!(!pace.is_wanted(at(0)));
        assert!(pace.ask(at(0), false).is_err());
        assert!(pace.is_wanted(at(200)) && !pace.is_wanted(at(300)));
        assert!(pace.ask(at(0), true).is_ok(), "an open connection goes on at full speed");
        assert!(!pace.accepted(at(59_000)));
        assert!(pace.ask(at(59_000), false).is_err());
        assert!(!pace.accepted(at(60_000)));
        let third = pace.ask(at(60_000), false).ok().unwrap();
        assert!(pace.accepted(at(120_000)), "four are all there are");
        drop(third);
    }

    #[test]
    fn what_was_learnt_is_forgotten_after_an_hour_and_a_clock_set_back_holds_nothing_up() {
        let pace = Arc::new(Pace::new(1));
        pace.slow_down(at(7_200_000), SLOW);
        assert!(pace.ask(at(7_200_000), true).is_err());
        assert!(pace.ask(at(7_100_000), true).is_ok());
        assert!(pace.slowed(at(7_300_000)).is_some());
        assert_eq!(pace.slowed(at(11_000_000)), None);
        assert!((0..100).all(|_| pace.ask(at(11_000_000), true).is_ok()));
    }
}
