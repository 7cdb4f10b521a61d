//! Mail that comes in: taken in ([`reception`], [`door`]), then handled one by one.

pub mod destination;
pub mod door;
pub mod reception;
