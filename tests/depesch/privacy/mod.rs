//! Tests of `privacy`.

mod erasure_restorable;
mod notices_retention;
mod person_erased_everywhere;
mod person_erasure;
mod person_record;
mod retention;
mod retention_rules;
mod rsvp_erasure;
mod sensitive_list;
