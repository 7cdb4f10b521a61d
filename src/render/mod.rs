//! Floor 2: release files, templates and lint: from what a press secretary wrote to subject, text and HTML.

pub mod finding;
pub mod manifest;
pub mod nearest;
pub mod source;
