//! How long a peer is waited for.

use std::time::Duration;

use crate::base::clock::{Clock, Timestamp, Wait};

use super::settings::Limits;

/// Wakes at an instant that may be moved. Keeps what it waits on: an instant moved further away costs nothing until the
/// old one has come, so that a busy connection makes no timers.
#[derive(Default)]
pub struct Alarm {
    armed: Option<(Timestamp, Wait)>,
}

impl Alarm {
    /// Completes when `at` has come. May be dropped and called again.
    pub async fn until(&mut self, clock: &dyn Clock, at: Timestamp) {
        while clock.now() < at {
            let fits = self.armed.as_ref().is_some_and(|(armed, _)| *armed <= at);
            if !fits {
                self.armed = Some((at, clock.wait_until(at)));
            }
            if let Some((_, wait)) = &mut self.armed {
                wait.await;
            }
            self.armed = None;
        }
    }
}

/// Until when the peer is waited for, and how fast its message comes.
#[derive(Debug)]
pub struct Patience {
    /// When the present command is too late.
    command: Timestamp,
    message: Option<Pace>,
}

/// The speed of one message.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// When it is too late for all of it.
    end: Timestamp,
    /// When its speed is judged.
    window: Timestamp,
    /// What came in this window.
    octets: usize,
}

impl Patience {
    /// From the greeting on.
    pub fn new(now: Timestamp, limits: &Limits) -> Self {
        Self { command: now + limits.idle, message: None }
    }

    /// What the session has come to: whether a command was answered, and whether a message is coming.
    pub fn look(&mut self, now: Timestamp, limits: &Limits, answered: bool, in_content: bool) {
        if answered {
            self.command = now + limits.idle;
        }
        match (in_content, &self.message) {
            // A reply in between means that this is another message.
            (true, Some(_)) if !answered => {}
            (true, _) => {
                let (end, window) = (now + limits.message_time, now + limits.speed_window);
                self.message = Some(Pace { end, window, octets: 0 });
            }
            (false, _) => self.message = None,
        }
    }

    /// So many octets came.
    pub fn came(&mut self, octets: usize) {
        if let Some(pace) = &mut self.message {
            pace.octets = pace.octets.saturating_add(octets);
        }
    }

    /// When to look again.
    pub fn until(&self) -> Timestamp {
        match &self.message {
            Some(pace) => pace.window.min(pace.end),
            None => self.command,
        }
    }

    /// Whether it is at its end, now that [`Patience::until`] has come.
    pub fn is_over(&mut self, now: Timestamp, limits: &Limits) -> bool {
        let Some(pace) = &mut self.message else { return true };
        if now >= pace.end || pace.octets < least(limits) {
            return true;
        }
        pace.window = now + limits.speed_window;
        pace.octets = 0;
        false
    }
}

/// The octets that must come in one window.
fn least(limits: &Limits) -> usize {
    let seconds = |window: Duration| usize::try_from(window.as_secs()).unwrap_or(usize::MAX);
    limits.least_speed.saturating_mul(seconds(limits.speed_window))
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
        let mut patience = Patience::new(at(0), &limits);
        patience.came(1);
        patience.look(at(200), &limits, false, false);
        assert_eq!(patience.until(), at(300));
        assert!(patience.is_over(at(300), &limits));
        patience.look(at(200), &limits, true, false);
        assert_eq!(patience.until(), at(500));
    }

    #[test]
    fn a_message_must_keep_its_speed_and_end_in_time() {
        let limits = Limits::default();
        let mut patience = Patience::new(at(0), &limits);
        patience.look(at(0), &limits, true, true);
        assert_eq!(patience.until(), at(60));
        patience.came(6000);
        assert!(!patience.is_over(at(60), &limits));
        patience.came(5999);
        assert!(patience.is_over(at(120), &limits));
        let mut patience = Patience::new(at(0), &limits);
        patience.look(at(0), &limits, true, true);
        for minute in 1..60 {
            patience.came(1_000_000);
            assert!(!patience.is_over(at(minute * 60), &limits));
        }
        patience.came(1_000_000);
        assert!(patience.is_over(at(3600), &limits));
    }
}
