//! Floor 1: converts between bytes and values by the mail standards. No I/O, no clock.

pub mod author;
mod automatic;
pub(crate) mod calendar;
pub(crate) mod calendar_reply;
pub mod command;
pub mod compose;
pub(crate) mod decoding;
pub(crate) mod encoding;
pub(crate) mod header_check;
mod header_repair;
pub mod headers;
pub(crate) mod html_text;
pub mod incoming;
mod incoming_encoded;
mod incoming_fields;
mod incoming_header;
mod incoming_limits;
pub(crate) mod mentions;
pub mod notice;
pub(crate) mod piped_in;
pub mod post_decision;
pub(crate) mod posted;
pub(crate) mod raw_header;
pub(crate) mod relayable;
pub(crate) mod reply;
pub(crate) mod rsvp;
pub(crate) mod verify;
