//! Floor 1: plain records and their transitions, as pure functions. No I/O, no clock, no tokio; the stored forms are
//! separate, in [`crate::store`].

pub mod audit;
pub mod authentication;
pub mod bounce;
pub(crate) mod breaker;
pub mod channel;
pub mod classify;
pub(crate) mod clock_trust;
pub mod consent;
pub mod contact;
pub mod decision;
pub(crate) mod erasure;
pub mod inbound;
pub mod ledger;
pub mod list;
pub mod mailing;
pub mod mailing_transitions;
pub mod notice;
pub mod operator;
pub mod pending_request;
pub mod post;
pub mod present;
pub mod profile;
pub mod recurrence;
pub mod release;
pub mod reply;
pub mod retry;
pub mod rsvp;
pub mod subscriber;
pub mod subscription;
pub mod suppression;
pub(crate) mod when;
pub(crate) mod zone;
