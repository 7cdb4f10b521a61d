//! Floor 2: release files, templates and lint: turns what a press officer wrote into subject, text and HTML.

pub(crate) mod dates;
mod engine;
pub mod finding;
pub(crate) mod flow;
pub(crate) mod html;
pub(crate) mod inspect;
pub(crate) mod labels;
pub(crate) mod links;
pub mod lint;
pub(crate) mod mails;
pub mod manifest;
pub mod markdown;
pub(crate) mod nearest;
mod places;
pub(crate) mod plain;
mod plain_table;
pub mod prepare;
pub mod registry;
pub mod rules;
pub mod source;
pub mod template_files;
pub(crate) mod typography;
pub(crate) mod unshown;
pub(crate) mod view;
mod view_blocks;
mod view_event;
mod view_material;
