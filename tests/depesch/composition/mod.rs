//! Tests of `composition`.

mod content_hash;
mod invitation_calendar;
mod invitation_replies;
mod mail_snapshots;
mod notices_forwarding;
mod notices_headers;
mod notices_templates;
mod notices_unanswered;
mod pictures_in_mail;
mod release_messages;
mod release_threads;
