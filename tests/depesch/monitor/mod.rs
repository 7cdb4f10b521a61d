//! The behaviours of `monitor`.

mod monitor;
