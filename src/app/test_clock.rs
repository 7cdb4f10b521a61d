//! A clock for tests of the real program: `DEPESCH_TEST_CLOCK` names a file that holds seconds to add to the time of
//! day, e.g. `-6` or `3600`. Only the user who starts the daemon can set the variable. While set, it is logged at the
//! start and shown by `depesch status`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;

use crate::base::clock::{Clock, Stopwatch, SystemClock};
use crate::store::journal::head::boot_id;

/// How long the file's content is cached, in nanoseconds.
const READ_EVERY: u64 = 100_000_000;

struct Read {
    at: Stopwatch,
    moved: TimeDelta,
}

/// The machine's clock, shifted by the file's content, if there is one. A missing file, or one without a number,
/// shifts nothing.
pub(crate) fn clock(file: Option<PathBuf>) -> Arc<dyn Clock> {
    let clock = SystemClock::new(|duration| Box::pin(tokio::time::sleep(duration))).counting_from(boot_id());
    let Some(file) = file else { return Arc::new(clock) };
    let last: Mutex<Option<Read>> = Mutex::default();
    let moved = move || {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref().filter(|read| read.at.nanoseconds() < READ_EVERY) {
            Some(read) => read.moved,
            None => {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                let moved = text.trim().parse().ok().and_then(TimeDelta::try_seconds).unwrap_or_default();
                *last = Some(Read { at: Stopwatch::start(), moved });
                moved
            }
        }
    };
    Arc::new(clock.moved(moved))
}
