//! Whether the disk has space, as far as dispatch knows: while it is full, dispatch waits, and logs it once instead
//! of by every worker at each attempt.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Duration;

use crate::base::clock::Timestamp;

use super::relay_backoff::Trouble;

/// Time between attempts while the disk is full.
pub(crate) const PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// Time without a full disk after which it counts as having space, or as not needed: several attempts, also on a busy
/// machine.
const FORGOTTEN: Duration = Duration::seconds(10);

/// What is known of the disk space.
#[derive(Default)]
pub(crate) struct DiskSpace {
    full: Mutex<Option<Full>>,
}

struct Full {
    since: Timestamp,
    last: Timestamp,
    what: String,
}

impl Full {
    /// Whether the disk was full recently. A time in the future was noted before the clock was set back, and does not
    /// count.
    fn is_recent(&self, now: Timestamp) -> bool {
        (now - self.last).abs() < FORGOTTEN
    }
}

impl DiskSpace {
    fn lock(&self) -> MutexGuard<'_, Option<Full>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports a full disk. `true` for the first report: log that one.
    pub(crate) fn is_full(&self, now: Timestamp, what: String) -> bool {
        let mut full = self.lock();
        let known = full.as_ref().filter(|full| full.is_recent(now)).map(|full| full.since);
        *full = Some(Full { since: known.unwrap_or(now), last: now, what });
        known.is_none()
    }

    /// The full disk, for `depesch status`.
    pub(crate) fn trouble(&self, now: Timestamp) -> Option<Trouble> {
        let full = self.lock();
        let full = full.as_ref().filter(|full| full.is_recent(now))?;
        Some(Trouble::of_store(full.since, full.last + PAUSE, format!("{}; deliveries wait for disk space", full.what)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_full_disk_is_said_once_and_forgotten_when_nobody_meets_it_any_more() {
        let space = DiskSpace::default();
        assert_eq!(space.trouble(at(0)), None);
        assert!(space.is_full(at(0), "the disk is full".into()));
        assert!(!space.is_full(at(2), "the disk is full".into()));
        let trouble = space.trouble(at(3)).unwrap();
        assert_eq!((trouble.since, trouble.next_try), (Some(at(0)), Some(at(4))));
        assert_eq!(trouble.what, "the disk is full; deliveries wait for disk space");
        assert_eq!(space.trouble(at(12)), None);
        assert!(space.is_full(at(12), "the disk is full".into()), "that is another time");
        assert_eq!(space.trouble(at(13)).unwrap().since, Some(at(12)));
    }
}
