//! Mail that comes in: taken in ([`reception`]), then handled one by one.

pub mod destination;
pub mod reception;
