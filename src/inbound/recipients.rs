//! Accepting mail: which recipients are ours, and making a message durable before the session replies 250.
//!
//! [`Ingest`] is the interface between the SMTP session and the rest: the session calls it at RCPT and at the end of
//! DATA, and has no knowledge of lists.

use std::future::Future;
use std::pin::Pin;

use crate::base::id::InboundId;
use crate::model::inbound::Arrival;

/// The future that a method of [`Ingest`] returns.
pub type IngestFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Accepts messages.
pub trait Ingest: Send + Sync + 'static {
    /// Whether mail to `recipient` (as given in RCPT, without brackets) is accepted. Checked at RCPT, so that unwanted
    /// mail is refused in the session and never bounced (RFC 5321 §3.3, §6.1). The answer is the same for members and
    /// strangers.
    fn recipient<'a>(&'a self, recipient: &'a str) -> IngestFuture<'a, Recipient>;

    /// Makes a message durable, once for each of `recipients`. It may be acknowledged only after this returns `Ok` (RFC
    /// 5321 §6.1). `bytes` is the whole message with CRLF line ends, dots unstuffed, our Received field first.
    fn take<'a>(
        &'a self,
        arrival: Arrival,
        recipients: Vec<String>,
        bytes: Vec<u8>,
    ) -> IngestFuture<'a, Result<Vec<InboundId>, Refusal>>;
}

/// The answer to RCPT for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Mail to it is accepted.
    Welcome,
    /// 550 5.1.1: not an address of ours.
    Unknown,
    /// 550 5.1.1: has the form of one of our signed addresses, but its token is not valid. The sender gets the same
    /// reply as for `Unknown`; the log distinguishes the two.
    Forged,
    /// 550 5.7.1: not one of our domains; we do not relay.
    Foreign,
    /// 451 4.3.0: a temporary error; whether it is ours cannot be decided now.
    Later(String),
}

/// Why a message was not accepted. Nothing of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 452 4.3.1: not enough disk space.
    #[error("the disk is full")]
    Full,
    /// 451 4.3.0: the store fails, or the daemon is shutting down.
    #[error("{0}")]
    Later(String),
    /// 554 5.4.6: too many Received fields, so probably a mail loop (RFC 5321 §6.3).
    #[error("the message has been through too many hosts")]
    Loop,
}
