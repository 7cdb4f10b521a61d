//! Floor 1: converts between bytes and values by the mail standards. No I/O, no clock.

pub mod author;
mod automatic;
pub(crate) mod calendar;
pub(crate) mod calendar_reply;
pub mod command;
pub mod compose;
pub(crate) mod decoding;
pub(crate) mod encoding;
pub mod header_check;
mod header_repair;
pub mod headers;
pub mod html_text;
pub mod incoming;
mod incoming_encoded;
mod incoming_fields;
mod incoming_header;
mod incoming_limits;
pub mod mentions;
pub mod notice;
pub(crate) mod piped_in;
pub mod post_decision;
pub mod posted;
pub mod raw_header;
pub mod relayable;
pub mod reply;
pub mod rsvp;
pub(crate) mod verify;
