//! What a listener did.

use std::sync::atomic::AtomicU64;

/// What a listener did, for status and tests.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections taken in.
    pub connections: AtomicU64,
    /// Connections answered 421 at once, for there were too many.
    pub turned_away: AtomicU64,
    /// Messages taken in.
    pub messages: AtomicU64,
}
