//! Floor 6: mailings from queueing to report.

pub mod audience;
pub mod decide;
pub(crate) mod find_delivery;
pub mod queue;
pub mod reopen;
pub mod report;
pub mod report_bounces;
pub mod schedule;
