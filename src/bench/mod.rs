//! Measurements of the real code, run by `depesch bench`. Nothing here is a test; tests do not measure time.

pub(crate) mod dispatch;
pub(crate) mod inbound;
mod material;
mod process;
pub(crate) mod slow_clients;
pub(crate) mod soak;
