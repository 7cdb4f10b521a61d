//! Tests of `smtp`.

mod smtp_dialogue;
mod smtp_grammar;
mod smtp_limits;
mod smtp_listener;
mod smtp_lmtp;
mod smtp_memory;
mod smtp_properties;
mod smtp_smuggling;
mod smtp_tls;
