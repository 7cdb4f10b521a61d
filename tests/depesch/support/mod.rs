//! What the behaviours share.
//!
//! **Worlds**, a part of the program ready to work. Take the smallest one that can show the behaviour:
//!
//! | world | what works in it | use it for |
//! |---|---|---|
//! | [`office::Office`] | scheduler, dispatcher, a relay that answers by script | mailings and deliveries |
//! | [`notices::World`] | the notice worker, a relay that answers by script | mails of our own |
//! | [`inbound::MailIn`] | spool and worker, with a handler of the test's own | mail that comes in, before it is understood |
//! | [`commands::World`] | as `MailIn`, with the handlers for commands, bounces and complaints | commands by mail |
//! | [`posts::PostOffice`] | as `MailIn`, with posts, scheduler, dispatcher and a relay | mail to a list |
//! | [`rsvps::Hosts`] | as `commands::World`, with invitations that were sent | answers to invitations |
//! | [`listener::Running`] | the SMTP listener on a port | the SMTP dialogue over a socket |
//! | [`api::TestApi`] | the API on a socket, over a store in memory | requests and commands |
//! | [`site::Site`] | store, attachments, spool and backups on disk | backup, restore, check |
//! | [`daemon::Daemon`] | the real program in a directory of its own | what only a process can show |
//!
//! **Things to put into them**: `bounces`, `mailings`, `people`, `planted`, `samples`, `wanting`, `written`.
//! **Parts that fail or lie when told to**: `clock_jumps`, `damage`, `disk`, `dns`, `failing`, `relay`, `smtp`.
//! **Readers of files**: `house`, `json_schema`, `promql`.
#![allow(dead_code)] // a helper may hold what only its dropping is for

pub mod api;
pub mod bounces;
pub mod channels;
pub mod clock_jumps;
pub mod commands;
pub mod daemon;
pub mod damage;
pub mod disk;
pub mod dns;
pub mod failing;
pub mod house;
pub mod inbound;
pub mod json_schema;
pub mod listener;
pub mod mailings;
pub mod notices;
pub mod office;
pub mod people;
pub mod planted;
pub mod posts;
pub mod promql;
pub mod relay;
pub mod rsvps;
pub mod samples;
pub mod site;
pub mod smtp;
pub mod wanting;
pub mod written;
