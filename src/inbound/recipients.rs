//! The door: which recipients are ours, and a message made durable before anybody says 250.
//!
//! [`Ingest`] is the seam between the listener and what lies behind it: the session asks it at RCPT and at the end of
//! DATA, and knows nothing of lists.

use std::future::Future;
use std::pin::Pin;

use crate::base::id::InboundId;
use crate::model::inbound::Arrival;

/// What a method of [`Ingest`] returns.
pub type IngestFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Takes messages in.
pub trait Ingest: Send + Sync + 'static {
    /// Whether mail to `recipient` (as given in RCPT, without brackets) is taken in. Early, so that a stranger's mail is
    /// refused in the dialogue and never bounced (RFC 5321 §3.3, §6.1). The answer is the same for members and strangers.
    fn recipient<'a>(&'a self, recipient: &'a str) -> IngestFuture<'a, Recipient>;

    /// Makes a message durable, once for each of `recipients`. It may be acknowledged when this returns `Ok`, and not
    /// before (RFC 5321 §6.1). `bytes` is the whole message with CRLF line ends, dots unstuffed, our Received field first.
    fn take<'a>(
        &'a self,
        arrival: Arrival,
        recipients: Vec<String>,
        bytes: Vec<u8>,
    ) -> IngestFuture<'a, Result<Vec<InboundId>, Refusal>>;
}

/// What is said of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Mail to it is taken in.
    Welcome,
    /// 550 5.1.1: we have no such address.
    Unknown,
    /// 550 5.1.1: it looks like a signed address of ours, and its token is not ours. Says no more than `Unknown` to the
    /// sender; the log tells them apart.
    Forged,
    /// 550 5.7.1: not a domain of ours; we are no relay.
    Foreign,
    /// 451 4.3.0: it cannot be told just now.
    Later(String),
}

/// Why a message was not taken in. None of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 452 4.3.1: there is no room on the disk.
    #[error("there is no room on the disk")]
    Full,
    /// 451 4.3.0: the store fails, or the daemon is about to stop.
    #[error("{0}")]
    Later(String),
    /// 554 5.4.6: more Received fields than any honest way has (RFC 5321 §6.3).
    #[error("the message has been through too many hosts")]
    Loop,
}
