//! The interface between a session and its driver.

use std::net::IpAddr;

use crate::model::inbound::Arrival;

/// The protocol spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP, with any mail server.
    Smtp,
    /// LMTP, with a mail server of our own (RFC 2033): one reply for each recipient after DATA.
    Lmtp,
}

/// Limits of a session, and our own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Our own name, used in the greeting and in Received.
    pub host_name: String,
    /// Maximum size of a message in bytes, announced by SIZE (RFC 1870). 20 MiB.
    pub max_message_bytes: usize,
    /// Maximum number of recipients of one message; at least 100 (RFC 5321 §4.5.3.1.8). 100.
    pub max_recipients: usize,
    /// Maximum number of messages on one connection, which is then closed. 1,000.
    pub max_messages: usize,
    /// Maximum number of errors, including refused recipients, since the last accepted message; then 421. 50.
    pub max_errors: usize,
    /// Maximum number of commands other than RCPT since the last accepted message; then 421. 200.
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

/// The other side of the dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The protocol spoken with it.
    pub protocol: Protocol,
    /// Its address; `None` on a Unix socket.
    pub address: Option<IpAddr>,
    /// Whether STARTTLS is offered to it.
    pub offers_tls: bool,
    /// Identifies the connection in Received fields and in the log: letters, digits and hyphens.
    pub id: String,
}

/// What the driver must do next.
#[derive(Debug)]
pub enum Step {
    /// Send the output, read more, and [`Session::receive`](super::Session::receive) it.
    More,
    /// Check whether mail to this address is accepted; answer with [`Session::recipient`](super::Session::recipient).
    Recipient(String),
    /// Store this message; report the result with [`Session::taken`](super::Session::taken).
    Take(Box<Message>),
    /// Send the output, start TLS, then call [`Session::encrypted`](super::Session::encrypted). Nothing read before
    /// that may be passed to the session.
    StartTls,
    /// Send the output and close.
    Close,
}

/// A complete message with its envelope.
#[derive(Debug)]
pub struct Message {
    /// How it arrived.
    pub arrival: Arrival,
    /// The recipients: all accepted, without duplicates.
    pub recipients: Vec<String>,
    /// The message: CRLF line ends, dots unstuffed, our Received field first.
    pub bytes: Vec<u8>,
}
