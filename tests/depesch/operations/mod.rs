//! Tests of `operations`.

mod backup_held;
mod clock_status;
mod disk_warnings;
mod jobs;
