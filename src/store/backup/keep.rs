//! Which backups the rule keeps.

use std::time::Duration;

/// So many of the newest that are whole stay whatever their age: no clock that is wrong makes more than the rest old.
pub const NEWEST: usize = 7;

/// Which backups are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// All that are younger than this.
    pub all: Duration,
    /// Of those that are older, the last of each day (UTC), so long.
    pub daily: Duration,
}
