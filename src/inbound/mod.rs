//! Inbound mail: accepted and made durable ([`recipients`], [`ingest`]), then handled message by message ([`worker`]).
//!
//! A handler reads, decides and returns [`Effects`]; it writes nothing itself. The worker commits the effects together
//! with the mark that the message is handled. If the commit conflicts with another change, it calls the handler again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::mail::incoming::Incoming;
use crate::model::classify::Class;
use crate::model::inbound::{Inbound, InboundKind};
use crate::store::StoreError;
use crate::store::engine::Batch;
use crate::store::spool::SpoolError;

use destination::Destination;

pub mod bounce;
pub mod command;
pub(crate) mod complaint;
pub mod destination;
pub mod digest;
pub mod ingest;
pub mod post;
pub mod recipients;
mod returned;
pub mod rsvp;
pub mod triage;
pub mod worker;

/// One message to one recipient, ready to be handled.
#[derive(Debug)]
pub struct Item {
    /// The inbound record.
    pub inbound: Inbound,
    /// The raw message as received.
    pub bytes: Arc<Vec<u8>>,
    /// The parsed message; empty if it cannot be parsed.
    pub message: Incoming,
    /// The recipient's resolved destination; `None` if the list was removed after RCPT.
    pub destination: Option<Destination>,
}

/// What handling a message does: one commit, together with the mark that the message is handled.
#[derive(Debug)]
pub struct Effects {
    /// The writes, with the records they depend on as preconditions.
    pub batch: Batch,
    /// What the message was classified as.
    pub kind: InboundKind,
    /// A readable summary of what was done. It contains no address, because it is kept after erasure.
    pub note: String,
    /// Whether to wake the scheduler, the dispatcher and the notice sender.
    pub notify: bool,
    /// The class of a bounce or complaint, for the metrics.
    pub bounce: Option<Class>,
}

impl Effects {
    /// Effects with a note and no writes.
    pub fn none(kind: InboundKind, note: impl Into<String>) -> Self {
        Self { batch: Batch::new(), kind, note: note.into(), notify: false, bounce: None }
    }
}

/// Why a message could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The store failed; the message is tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool could not be read; the message is tried again.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The message could not be read at this time; it is tried again.
    #[error("{0}")]
    Later(String),
    /// The message cannot be handled: it stays in the spool, marked, until an operator looks at it.
    #[error("{0}")]
    Broken(String),
}

/// The future that [`Handler::handle`] returns.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<Effects, HandleError>> + Send + 'a>>;

/// Decides what a message does.
pub trait Handler: Send + Sync + 'static {
    /// Reads and decides; writes nothing. Called again from the start if a record it read was changed meanwhile.
    ///
    /// # Errors
    /// [`HandleError`].
    fn handle<'a>(&'a self, item: &'a Item) -> HandlerFuture<'a>;
}
