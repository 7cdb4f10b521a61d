//! Tests of `api`.

mod audit_chain;
mod audit_trail;
mod before_sending;
mod control_socket;
mod mailing_control;
mod notices_control;
mod people_over_the_socket;
mod release_api;
mod release_store;
