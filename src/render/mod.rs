//! Floor 2: release files, templates and lint: turns what a press officer wrote into subject, text and HTML.

pub mod dates;
mod engine;
pub mod finding;
pub mod flow;
pub mod html;
pub mod inspect;
pub mod labels;
pub mod links;
pub mod lint;
pub mod mails;
pub mod manifest;
pub mod markdown;
pub mod nearest;
pub mod plain;
mod plain_table;
pub mod prepare;
pub mod registry;
pub mod source;
pub mod template_files;
pub mod typography;
pub mod unshown;
pub mod view;
mod view_event;
