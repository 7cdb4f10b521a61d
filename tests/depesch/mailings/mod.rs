//! Tests of `mailings`.

mod audience_freeze;
mod delivery_find;
mod list_approval;
mod mailing_queue;
mod mailing_reopen;
mod mailing_report;
mod release_status;
mod report_snapshots;
mod schedule;
