//! Floor 7: sends mailings and notices: retries, the relay's limits, outcomes.

pub mod dispatch;
pub mod flush;
pub mod notices;
