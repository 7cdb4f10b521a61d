//! Tests of `mailings`.

mod audience_freeze;
mod audience_people;
mod delivery_find;
mod list_approval;
mod mailing_edit;
mod mailing_queue;
mod mailing_reopen;
mod mailing_repeated;
mod mailing_report;
mod release_status;
mod report_snapshots;
mod schedule;
mod test_mail;
mod undo;
