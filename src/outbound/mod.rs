//! Floor 7: sending: mailings and notices, retries, the relay's limits, outcomes.

pub mod dispatch;
pub mod flush;
pub mod notices;
