//! Code shared by the tests.
//!
//! **Worlds** are parts of the program, ready to work. Use the smallest one that shows the behaviour:
//!
//! | world | contents | use it for |
//! |---|---|---|
//! | [`channels::World`] | a store with two lists, the rules for people | the rules, by every channel |
//! | [`office::Office`] | scheduler, dispatcher, a relay that answers as scripted | mailings and deliveries |
//! | [`notices::World`] | the notice worker, a relay that answers as scripted | notices |
//! | [`inbound::MailIn`] | spool and worker, with a scripted handler | incoming mail, before it is classified |
//! | [`commands::World`] | as `MailIn`, with the handlers for commands, bounces and complaints | commands by mail |
//! | [`posts::PostOffice`] | as `MailIn`, with posts, scheduler, dispatcher and a relay | mail to a list |
//! | [`rsvps::Hosts`] | as `commands::World`, with sent invitations | answers to invitations |
//! | [`listener::Running`] | the SMTP listener on a port | the SMTP dialogue over a socket |
//! | [`api::TestApi`] | the API on a socket, with a store in memory; sends nothing | requests, commands, printed reports |
//! | [`site::Site`] | store, attachments, spool and backups on disk | backup, restore, check |
//! | [`daemon::Daemon`] | the real program in its own directory | what only a process can show |
//!
//! **Sample data**: `bounces`, `mailings`, `people`, `pictures`, `planted`, `samples`, `wanting`, `written`.
//! **Parts that fail or misbehave on demand**: `clock_jumps`, `damage`, `disk`, `dns`, `failing`, `relay`, `smtp`.
//! **Parsers of files**: `house`, `json_schema`, `promql`.
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
pub mod kept_in_memory;
pub mod listener;
pub mod mailings;
pub mod notices;
pub mod office;
pub mod people;
pub mod pictures;
pub mod planted;
pub mod posts;
pub mod press;
pub mod promql;
pub mod relay;
pub mod rsvps;
pub mod samples;
pub mod site;
pub mod smtp;
pub mod wanting;
pub mod written;
