//! Floor 5: the rules for people. [`rulebook`] has one method for each kind of request, whatever the channel; the
//! adapters above translate requests and outcomes.

pub mod ask;
pub mod bounced;
pub mod bounces;
pub mod complaint;
pub mod confirm;
pub(crate) mod consent_report;
pub mod details;
pub mod export;
pub mod import;
pub mod leave;
pub mod limits;
pub mod listing;
pub mod membership;
pub(crate) mod person_bounces;
pub mod profile;
pub(crate) mod question;
pub mod rulebook;
pub mod suspended;
pub mod tokens;
