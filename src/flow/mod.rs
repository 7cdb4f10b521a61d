//! Floor 3: what moves. Each flow reads records, decides with the pure functions of [`crate::model`], and writes the
//! effects as one batch.

pub mod audience;
pub mod audit;
pub mod backups;
pub mod bounces;
pub mod chores;
pub mod consent_report;
pub mod content;
pub mod dispatch;
pub mod enclosures;
pub mod event;
pub mod export;
pub mod formula;
pub mod import;
pub mod inbound;
pub mod leap;
pub mod letters;
pub mod list_identity;
pub mod message;
pub mod person;
pub mod picture;
pub mod post_messages;
pub mod preview;
pub mod pulse;
pub mod queue;
pub mod release;
pub mod release_messages;
pub mod reopen;
pub mod report;
pub mod report_later;
pub mod restored;
pub mod retention;
pub mod rsvp;
pub mod schedule;
pub mod suspended;
pub mod wake;
