//! Tests of `monitor`.

mod endpoints;
