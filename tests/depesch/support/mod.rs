//! What the behaviours share.
#![allow(dead_code)] // a helper may hold what only its dropping is for

pub mod api;
pub mod bounces;
pub mod clock_jumps;
pub mod commands;
pub mod daemon;
pub mod damage;
pub mod disk;
pub mod dns;
pub mod failing;
pub mod house;
pub mod inbound;
pub mod json_schema;
pub mod listener;
pub mod mailings;
pub mod notices;
pub mod office;
pub mod people;
pub mod planted;
pub mod posts;
pub mod promql;
pub mod relay;
pub mod rsvps;
pub mod samples;
pub mod site;
pub mod smtp;
pub mod wanting;
pub mod written;
