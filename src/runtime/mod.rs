//! Floor 3: shared by long-running tasks: heartbeats, the notifier, clock jumps, and reading large messages.

pub(crate) mod clock_jump;
pub mod heartbeat;
pub mod notifier;
pub mod reading;
