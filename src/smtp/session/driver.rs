//! What the driver of a session gives it, and what it is asked to do.

use std::net::IpAddr;

use crate::model::inbound::Arrival;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Mail servers of strangers.
    Smtp,
    /// A mail server of our own (RFC 2033): one reply for each recipient after DATA.
    Lmtp,
}

/// What a session allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Our own name, as in the greeting and in Received.
    pub host_name: String,
    /// The largest message, in octets, announced by SIZE (RFC 1870). 20 MiB.
    pub max_message_bytes: usize,
    /// Recipients of one message; at least 100 (RFC 5321 §4.5.3.1.8). 100.
    pub max_recipients: usize,
    /// Messages on one connection; after the last one it is closed. 1,000.
    pub max_messages: usize,
    /// Errors, refused recipients among them, since the last message taken; then 421. 50.
    pub max_errors: usize,
    /// Commands other than RCPT since the last message taken; then 421. 200.
    pub max_commands: usize,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            host_name: "localhost".to_owned(),
            max_message_bytes: 20 * 1024 * 1024,
            max_recipients: 100,
            max_messages: 1000,
            max_errors: 50,
            max_commands: 200,
        }
    }
}

/// Who is on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What is spoken with it.
    pub protocol: Protocol,
    /// Its address; none on a Unix socket.
    pub address: Option<IpAddr>,
    /// Whether STARTTLS is offered to it.
    pub offers_tls: bool,
    /// Names the connection in Received fields and in the log: letters, digits and hyphens.
    pub id: String,
}

/// What the driver is to do.
#[derive(Debug)]
pub enum Step {
    /// Send the output, read more, and [`Session::receive`](super::Session::receive) it.
    More,
    /// Ask whether mail to this address is taken in; tell it to [`Session::recipient`](super::Session::recipient).
    Recipient(String),
    /// Have this message taken in; tell the end to [`Session::taken`](super::Session::taken).
    Take(Box<Message>),
    /// Send the output, begin TLS, then [`Session::encrypted`](super::Session::encrypted). Nothing read before it may be given to the session.
    StartTls,
    /// Send the output and close.
    Close,
}

/// A whole message with its envelope.
#[derive(Debug)]
pub struct Message {
    /// How it came.
    pub arrival: Arrival,
    /// To whom: all were welcome, none comes twice.
    pub recipients: Vec<String>,
    /// The message: CRLF line ends, dots unstuffed, our Received field first.
    pub bytes: Vec<u8>,
}
