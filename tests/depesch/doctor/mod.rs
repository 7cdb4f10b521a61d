//! Tests of `doctor`.

mod doctor_dns;
mod doctor_machine;
