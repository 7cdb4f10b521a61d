//! Measurements of the real code, run by `depesch bench`. Nothing here is a test; tests do not measure time.

pub mod dispatch;
pub mod inbound;
mod material;
mod process;
pub mod slow_clients;
pub mod soak;
