//! One integration-test binary: one behaviour per file, with what they share in `support/`.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used)] // helpers too, not only functions marked as tests

mod capture;
mod chores;
mod command_line;
mod compose;
mod config;
mod control_socket;
mod dispatch_breaker;
mod dispatch_cancel;
mod dispatch_intent;
mod dispatch_outcomes;
mod dispatch_unwanted;
mod floors;
mod mailing_reopen;
mod mailing_report;
mod relay_basics;
mod relay_failures;
mod relay_security;
mod release_file;
mod release_lint;
mod release_samples;
mod release_store;
mod schedule;
mod service;
mod store_crash;
mod store_disk;
mod store_engines;
mod store_recover;
mod support;
mod templates;
