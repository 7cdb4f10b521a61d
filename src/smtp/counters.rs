//! Counters of a listener.

use std::sync::atomic::AtomicU64;

/// Counters of a listener, for status and tests.
#[derive(Debug, Default)]
pub struct Counters {
    /// Number of connections accepted.
    pub connections: AtomicU64,
    /// Number of connections refused with 421, because there were too many.
    pub turned_away: AtomicU64,
    /// Number of messages accepted.
    pub messages: AtomicU64,
}
