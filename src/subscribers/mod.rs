//! Floor 5: the rules for people: profile, subscriptions, consent, import, export, suspension by bounces.

pub mod bounces;
pub mod consent_report;
pub mod export;
pub mod import;
pub mod person_bounces;
pub mod profile;
pub mod suspended;
