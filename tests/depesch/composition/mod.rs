//! Tests of `composition`.

mod content_hash;
mod invitation_replies;
mod mail_snapshots;
mod notices_forwarding;
mod notices_headers;
mod notices_templates;
mod notices_unanswered;
mod release_messages;
mod release_threads;
