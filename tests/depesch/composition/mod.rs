//! Tests of `composition`.

mod mail_snapshots;
mod notices_headers;
mod notices_passing;
mod notices_templates;
mod notices_unanswered;
mod release_messages;
