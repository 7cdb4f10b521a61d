//! Depesch: a press office's own mailing daemon.
//!
//! The map, floor by floor; imports go downward only (`tests/depesch/guards/floors.rs` guards this).
//!
//! | floor | room | owns |
//! |---|---|---|
//! | 0 | [`base`] | time, identifiers, addresses, signed tokens, languages: no I/O |
//! | 0 | [`metrics`] | counters and gauges for Prometheus |
//! | 1 | [`model`] | plain records and their transitions: no I/O, no clock |
//! | 1 | [`mail`] | bytes to values and back: composing messages, calendars |
//! | 2 | [`authentication`] | whether incoming mail is from its claimed author: SPF, DKIM, DMARC |
//! | 2 | [`bounce`] | reads bounces: no I/O, no clock |
//! | 2 | [`store`] | the engine, the journal, one file per record family |
//! | 2 | [`render`] | release files, templates, lint |
//! | 2 | [`transport`] | sends mail: relay, capture |
//! | 2 | [`mock_smtp`] | a scriptable SMTP server for tests, the demo and the bench |
//! | 2 | [`socket`] | Unix sockets, opened with their permissions |
//! | 3 | [`runtime`] | shared by long-running tasks |
//! | 3 | [`audit`] | writes the audit log, and verifies its chain |
//! | 4 | [`composition`] | composes messages from a release or post and a recipient; writes notices |
//! | 5 | [`subscribers`] | the rules for people |
//! | 5 | [`events`] | answers to invitations |
//! | 6 | [`mailings`] | a mailing from queue to report |
//! | 7 | [`outbound`] | sends mailings and notices |
//! | 8 | [`inbound`] | incoming mail: adapters from mail to the rules |
//! | 9 | [`privacy`] | retention, erasure, a person's whole record |
//! | 10 | [`operations`] | health, jobs, backups, restore |
//! | 11 | [`api`] | the JSON API on a Unix socket |
//! | 11 | [`smtp`] | incoming mail over the network: session and listener |
//! | 11 | [`monitor`] | `/metrics`, `/healthz` and `/readyz` over HTTP |
//! | 12 | [`config`] | `depesch.toml`, read once at start |
//! | 13 | [`app`] | puts the daemon together: start, stop, signals, log |
//! | 14 | [`mod@bench`] | measures the real path, on a store on disk and over SMTP |
//! | 14 | [`doctor`] | checks everything that an installation depends on, and says what to do |
//! | 15 | [`cli`] | one file per noun; all but a few commands talk to the daemon through [`api`] |
//!
//! `docs/ARCHITECTURE.md` tells the words, the flows, the storage and the invariants.

pub mod api;
pub mod app;
pub mod audit;
pub mod authentication;
pub mod base;
#[cfg(feature = "bench")]
pub(crate) mod bench;
pub mod bounce;
pub mod cli;
pub mod composition;
pub mod config;
pub mod doctor;
pub mod events;
pub mod inbound;
pub mod mail;
pub mod mailings;
pub mod metrics;
pub mod mock_smtp;
pub mod model;
pub(crate) mod monitor;
pub mod operations;
pub mod outbound;
pub mod privacy;
pub mod render;
pub mod runtime;
pub mod smtp;
pub mod socket;
pub mod store;
pub mod subscribers;
pub mod transport;
