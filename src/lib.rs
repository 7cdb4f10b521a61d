//! Depesch: a press office's own mailing daemon.
//!
//! The map, floor by floor; imports go downward only (`tests/depesch/floors.rs` guards this).
//!
//! | floor | room | owns |
//! |---|---|---|
//! | 0 | [`base`] | time, identifiers, addresses, signed tokens, languages: no I/O |
//! | 1 | [`model`] | plain records and their transitions: no I/O, no clock |
//! | 1 | [`mail`] | bytes to values and back: composing messages, calendars |
//! | 2 | [`store`] | the engine, the journal, one file per record family |
//! | 2 | [`render`] | release files, templates, lint |
//! | 2 | [`transport`] | where mail goes out: relay, capture |
//! | 2 | [`sink`] | a scriptable SMTP server that takes mail in, for tests, the demo and the bench |
//! | 3 | [`flow`] | what moves: import, audience, dispatch, schedule |
//! | 4 | [`control`] | the JSON API on a Unix socket |
//! | 5 | [`cli`] | one file per noun; talks to the daemon through [`control`] |
//!
//! [`mod@bench`] measures the real path. [`config`] is read once at start; [`app`] puts the daemon together and sees everything.

pub mod app;
pub mod base;
pub mod bench;
pub mod cli;
pub mod config;
pub mod control;
pub mod flow;
pub mod mail;
pub mod model;
pub mod render;
pub mod sink;
pub mod store;
pub mod transport;
