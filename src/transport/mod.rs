//! Floor 2: outgoing mail. A [`Transport`] opens connections, a [`Connection`] sends one message at a time and
//! reports its exact outcome; the pool of connections is the dispatcher's set of workers.
//!
//! Whose fault a failure is determines everything that follows: so it is in the type, not in a text.

pub mod capture;
mod extensions;
pub mod relay;
mod replies;
mod session;
mod settings;
mod stuffing;
mod tls;
mod wire;

use std::future::Future;
use std::pin::Pin;

use crate::base::address::Address;
use crate::model::ledger::Stage;
use crate::model::reply::Reply;

/// The envelope of a message (RFC 5321 §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The address for bounces; `None` is the null reverse-path `<>`, to which nothing bounces (RFC 5321 §4.5.5).
    pub sender: Option<Address>,
    /// The recipient: always one, so that each has an outcome of its own.
    pub recipient: Address,
    /// ENVID for a relay that offers DSN (RFC 3461 §4.4); printable ASCII.
    pub envelope_id: String,
}

impl Envelope {
    /// The text between the brackets of MAIL FROM: empty for the null reverse-path.
    pub fn reverse_path(&self) -> &str {
        self.sender.as_ref().map_or("", Address::as_str)
    }

    /// Whether it needs SMTPUTF8 (RFC 6531).
    pub(crate) fn needs_smtputf8(&self) -> bool {
        self.recipient.needs_smtputf8() || self.sender.as_ref().is_some_and(Address::needs_smtputf8)
    }
}

/// The outcome of sending one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server took responsibility.
    Accepted(Reply),
    /// The server answered 4xx or 5xx; the message was certainly not accepted.
    Refused {
        /// The stage of the command.
        stage: Stage,
        /// The reply.
        reply: Reply,
    },
    /// This message can never go over this connection, e.g. because the relay offers no SMTPUTF8.
    Impossible(String),
    /// The connection failed before the final dot was sent: the message was certainly not accepted.
    NotSent(String),
    /// The connection failed after the final dot may have been sent: it is unknown whether the message was accepted.
    Unknown(String),
}

/// Why no connection was possible. Says nothing about any message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No answer, or the connection broke or timed out.
    #[error("the relay cannot be reached: {0}")]
    Unreachable(String),
    /// It answered, but not 2xx: e.g. 421 or 554 in the greeting.
    #[error("the relay turned the connection away: {0}")]
    TurnedAway(Reply),
    /// TLS or AUTH failed: a person must fix the configuration.
    #[error("the relay's TLS or login failed: {0}")]
    Security(String),
}

/// A message in two pieces: its own beginning, and an end that it may share with others and that is not copied.
pub type Pieces<'a> = [&'a [u8]; 2];

/// The return type of a transport's methods.
pub type TransportFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens connections for outgoing mail.
pub trait Transport: Send + Sync + 'static {
    /// Opens a connection that is ready for MAIL FROM.
    fn connect(&self) -> TransportFuture<'_, Result<Box<dyn Connection>, ConnectError>>;
}

/// An open connection.
pub trait Connection: Send {
    /// Sends one whole message: MAIL, RCPT, DATA, content. `message` has CRLF line ends and no dot-stuffing. Every
    /// wait in it has a timeout (RFC 5321 §4.5.3.2).
    fn send_pieces<'a>(&'a mut self, envelope: &'a Envelope, message: Pieces<'a>) -> TransportFuture<'a, Outcome>;

    /// Does the same for a message in one piece.
    fn send<'a>(&'a mut self, envelope: &'a Envelope, message: &'a [u8]) -> TransportFuture<'a, Outcome> {
        self.send_pieces(envelope, [message, &[]])
    }

    /// Whether another message may be sent on it; after a refused RCPT it is usable.
    fn is_usable(&self) -> bool;

    /// Closes it in order (QUIT), without waiting long.
    fn close(self: Box<Self>) -> TransportFuture<'static, ()>;
}
