//! The worker that sends notices: mails of our own that belong to no mailing.

pub mod worker;
