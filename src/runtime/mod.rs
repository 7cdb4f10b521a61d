//! Floor 3: what long-running tasks share: heartbeats, the notifier, clock jumps, and reading large messages.

pub mod clock_jump;
pub mod heartbeat;
pub mod notifier;
pub mod reading;
