//! Measuring the real path: what `depesch bench` runs. Nothing here is a test; tests do not time anything.

pub mod dispatch;
pub mod inbound;
mod material;
mod process;
pub mod slow_clients;
pub mod soak;
