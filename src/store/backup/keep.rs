//! The retention rule of backups.

use std::time::Duration;

/// Number of newest intact backups that are kept at any age: so a wrong clock can only make the others too old.
pub const NEWEST: usize = 7;

/// The retention periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// All backups younger than this.
    pub all: Duration,
    /// Of older ones, the last of each day (UTC), up to this age.
    pub daily: Duration,
}
