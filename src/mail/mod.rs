//! Floor 1: converts between bytes and values by the mail standards. No I/O, no clock.

pub mod author;
mod automatic;
pub mod calendar;
pub mod calendar_reply;
pub mod command;
pub mod compose;
pub mod decoding;
pub mod encoding;
pub mod header_check;
mod header_repair;
pub mod headers;
pub mod html_text;
pub mod incoming;
mod incoming_encoded;
mod incoming_fields;
mod incoming_limits;
pub mod mentions;
pub mod notice;
pub mod piped_in;
pub mod post_decision;
pub mod posted;
pub mod raw_header;
pub mod relayable;
pub mod reply;
pub mod rsvp;
pub mod verify;
