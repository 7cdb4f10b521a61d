//! Floor 11: incoming mail over the network: the session as a state machine without I/O, and the listener that drives
//! it.
//!
//! A peer's bytes go into a [`session::Session`]; out of it come replies, and questions for the ingest
//! ([`crate::inbound::recipients::Ingest`]). All protocol rules are in the session and tested without a socket;
//! sockets, TLS, time and limits belong to the [`listener`].

mod connection;
mod connection_limits;
mod content;
pub mod counters;
pub mod grammar;
pub mod listener;
mod mailbox;
pub mod memory;
mod received;
mod reply;
pub mod session;
pub mod settings;
mod stream;
mod timeouts;
pub mod tls;
