//! Tests of `transport`.

mod capture;
mod mock_smtp;
mod relay_basics;
mod relay_failures;
mod relay_replies;
mod relay_security;
