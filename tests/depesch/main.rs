//! One integration-test binary: one behaviour per file, in folders by room, with shared code in `support/`.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used)] // helpers too, not only functions marked as tests

mod api;
mod app;
mod bounce;
mod cli;
mod composition;
mod config;
mod doctor;
mod events;
mod guards;
mod inbound;
mod mail;
mod mailings;
mod model;
mod monitor;
mod operations;
mod outbound;
mod privacy;
mod render;
mod smtp;
mod store;
mod subscribers;
mod support;
mod transport;
