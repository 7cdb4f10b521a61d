//! Floor 6: mailings from queueing to report.

pub mod audience;
pub mod decide;
pub mod edit;
pub(crate) mod find_delivery;
pub mod people;
pub mod queue;
mod queue_error;
pub mod reopen;
mod repeated;
pub mod report;
pub mod report_bounces;
pub mod sample;
pub mod schedule;
pub mod test_mail;
mod trial;
