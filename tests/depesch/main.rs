//! One integration-test binary: one behaviour per file, with what they share in `support/`.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used)] // helpers too, not only functions marked as tests

mod audience_freeze;
mod capture;
mod chores;
mod command_line;
mod compose;
mod config;
mod control_socket;
mod dispatch_breaker;
mod dispatch_cancel;
mod dispatch_crash;
mod dispatch_intent;
mod dispatch_outcomes;
mod dispatch_unwanted;
mod export_round_trip;
mod floors;
mod import_again;
mod import_dry_run;
mod import_formats;
mod import_hostile;
mod import_never_revives;
mod import_rejects;
mod mailing_reopen;
mod mailing_report;
mod people_over_the_socket;
mod person_erasure;
mod person_record;
mod relay_basics;
mod relay_failures;
mod relay_security;
mod release_file;
mod release_lint;
mod release_messages;
mod release_samples;
mod release_store;
mod schedule;
mod service;
mod sink;
mod store_crash;
mod store_disk;
mod store_engines;
mod store_recover;
mod support;
mod templates;
