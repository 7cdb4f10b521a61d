//! Floor 10: jobs, backups, restore, health.

pub mod backups;
pub mod health;
pub mod jobs;
pub mod listeners;
pub mod restore;
