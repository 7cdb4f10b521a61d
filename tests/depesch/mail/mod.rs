//! Tests of `mail`.

mod compose;
mod mail_addresses;
