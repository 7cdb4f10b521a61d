//! Timeouts of a connection, in steady time ([`Clock::steady`]).

use std::time::Duration;

use crate::base::clock::{Clock, Timestamp, Wait};

use super::memory::SMALL_MESSAGE;
use super::settings::Limits;

/// A timer whose instant may be moved. Moving it later costs nothing until the old instant has come, so that a busy
/// connection creates no timers.
#[derive(Default)]
pub(crate) struct Alarm {
    armed: Option<(Timestamp, Wait)>,
}

impl Alarm {
    /// Completes when [`Clock::steady`] reaches `at`. May be dropped and called again.
    pub(crate) async fn until(&mut self, clock: &dyn Clock, at: Timestamp) {
        loop {
            let Some(left) = (at - clock.steady()).to_std().ok().filter(|left| !left.is_zero()) else { return };
            let fits = self.armed.as_ref().is_some_and(|(armed, _)| *armed <= at);
            if !fits {
                self.armed = Some((at, clock.wait_for(left)));
            }
            if let Some((_, wait)) = &mut self.armed {
                wait.await;
            }
            self.armed = None;
        }
    }
}

/// The timeouts of a peer, and the speed of its message.
#[derive(Debug)]
pub struct Timeouts {
    /// The deadline of the current command.
    command: Timestamp,
    message: Option<Pace>,
}

/// The speed of one message.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// The deadline for the whole message.
    end: Timestamp,
    /// When its speed is checked next.
    window: Timestamp,
    /// Bytes received in this window.
    bytes: usize,
    /// Whether it was already large when the window began.
    is_large: bool,
    /// Bytes that it uses so far.
    held: usize,
    /// Whether it is large, and came slowly in the last window.
    is_slow: bool,
}

impl Timeouts {
    /// Starts with the greeting.
    pub(crate) fn new(now: Timestamp, limits: &Limits) -> Self {
        Self { command: now + limits.idle, message: None }
    }

    /// Updates it with the session's progress: whether a command was answered, and whether a message is being
    /// received.
    pub(crate) fn update(&mut self, now: Timestamp, limits: &Limits, answered: bool, in_content: bool) {
        if answered {
            self.command = now + limits.idle;
        }
        match (in_content, &self.message) {
            // A reply in between means that this is another message.
            (true, Some(_)) if !answered => {}
            (true, _) => {
                let (end, window) = (now + limits.message_time, now + limits.speed_window);
                self.message = Some(Pace { end, window, bytes: 0, is_large: false, held: 0, is_slow: false });
            }
            (false, _) => self.message = None,
        }
    }

    /// Counts received bytes.
    pub(crate) fn came(&mut self, bytes: usize) {
        if let Some(pace) = &mut self.message {
            pace.bytes = pace.bytes.saturating_add(bytes);
        }
    }

    /// Records the bytes that the message uses.
    pub(crate) fn holds(&mut self, bytes: usize) {
        if let Some(pace) = &mut self.message {
            pace.held = bytes;
        }
    }

    /// Whether a large message came slowly in the last window.
    pub(crate) fn is_slow(&self) -> bool {
        self.message.as_ref().is_some_and(|pace| pace.is_slow)
    }

    /// When to check again.
    pub(crate) fn until(&self) -> Timestamp {
        match &self.message {
            Some(pace) => pace.window.min(pace.end),
            None => self.command,
        }
    }

    /// Whether a timeout has expired, once [`Timeouts::until`] has come.
    pub(crate) fn is_over(&mut self, now: Timestamp, limits: &Limits) -> bool {
        let Some(pace) = &mut self.message else { return true };
        if now >= pace.end || pace.bytes < least(limits, pace.is_large) {
            return true;
        }
        pace.window = now + limits.speed_window;
        pace.is_slow = pace.held > SMALL_MESSAGE && pace.bytes < in_window(limits.fair_speed, limits);
        pace.bytes = 0;
        pace.is_large = pace.held > SMALL_MESSAGE;
        false
    }
}

/// Minimum bytes in one window. A message that was large when it began uses memory that others wait for.
fn least(limits: &Limits, is_large: bool) -> usize {
    let large = limits.least_speed_large.max(limits.least_speed);
    let speed = if is_large { large } else { limits.least_speed };
    in_window(speed, limits)
}

/// Bytes in one window at a speed in bytes per second.
fn in_window(speed: usize, limits: &Limits) -> usize {
    let seconds = |window: Duration| usize::try_from(window.as_secs()).unwrap_or(usize::MAX);
    speed.saturating_mul(seconds(limits.speed_window))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_command_that_trickles_in_gets_no_more_time() {
        let limits = Limits::default();
        let mut timeouts = Timeouts::new(at(0), &limits);
        timeouts.came(1);
        timeouts.update(at(200), &limits, false, false);
        assert_eq!(timeouts.until(), at(300));
        assert!(timeouts.is_over(at(300), &limits));
        timeouts.update(at(200), &limits, true, false);
        assert_eq!(timeouts.until(), at(500));
    }

    #[test]
    fn a_message_must_keep_its_speed_and_end_in_time() {
        let limits = Limits::default();
        let mut timeouts = Timeouts::new(at(0), &limits);
        timeouts.update(at(0), &limits, true, true);
        assert_eq!(timeouts.until(), at(60));
        timeouts.came(6000);
        assert!(!timeouts.is_over(at(60), &limits));
        timeouts.came(5999);
        assert!(timeouts.is_over(at(120), &limits));
        let mut timeouts = Timeouts::new(at(0), &limits);
        timeouts.update(at(0), &limits, true, true);
        for minute in 1..60 {
            timeouts.came(1_000_000);
            assert!(!timeouts.is_over(at(minute * 60), &limits));
        }
        timeouts.came(1_000_000);
        assert!(timeouts.is_over(at(3600), &limits));
    }

    #[test]
    fn a_large_message_must_come_faster() {
        let limits = Limits::default();
        let mut timeouts = Timeouts::new(at(0), &limits);
        timeouts.update(at(0), &limits, true, true);
        timeouts.came(8_500_000);
        timeouts.holds(8_500_000);
        assert!(!timeouts.is_over(at(60), &limits));
        assert!(!timeouts.is_slow());
        timeouts.came(480_000);
        assert!(!timeouts.is_over(at(120), &limits));
        assert!(timeouts.is_slow());
        timeouts.came(479_999);
        assert!(timeouts.is_over(at(180), &limits));
        // A refused message is only read to its end: it uses no memory.
        let mut timeouts = Timeouts::new(at(0), &limits);
        timeouts.update(at(0), &limits, true, true);
        timeouts.came(8_500_000);
        timeouts.holds(0);
        assert!(!timeouts.is_over(at(60), &limits));
        timeouts.came(6000);
        assert!(!timeouts.is_over(at(120), &limits));
    }
}
