//! The behaviours of `monitor`.

mod endpoints;
