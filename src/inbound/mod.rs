//! Mail that comes in: taken in ([`recipients`], [`ingest`]), then handled one by one ([`worker`]).
//!
//! A handler reads, decides, and answers with [`Effects`]; it changes nothing itself. The worker commits the effects
//! together with the mark that the message is handled, and asks again where somebody else was quicker.

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
pub mod complaint;
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
    /// Its record.
    pub inbound: Inbound,
    /// The message as it came.
    pub bytes: Arc<Vec<u8>>,
    /// The same, read. Empty when it cannot be read.
    pub message: Incoming,
    /// What its recipient is; `None` when the list has gone meanwhile.
    pub destination: Option<Destination>,
}

/// What handling a message does. It is one commit, together with the mark that the message is handled.
#[derive(Debug)]
pub struct Effects {
    /// The writes, with what was read as their precondition.
    pub batch: Batch,
    /// What the message was taken for.
    pub kind: InboundKind,
    /// What was done, for people to read. No address in it: it outlives erasure.
    pub note: String,
    /// Whether scheduler, dispatcher and notices are to look for work.
    pub notify: bool,
    /// What a bounce or a complaint is about, to be counted.
    pub bounce: Option<Class>,
}

impl Effects {
    /// No effect but the note.
    pub fn none(kind: InboundKind, note: impl Into<String>) -> Self {
        Self { batch: Batch::new(), kind, note: note.into(), notify: false, bounce: None }
    }
}

/// Why a message could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The store failed; the same is tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool could not be read just now; the same is tried again.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// It could not be read just now; the same is tried again.
    #[error("{0}")]
    Later(String),
    /// Nothing can be done with it: it stays in the spool, marked, until a person looks.
    #[error("{0}")]
    Broken(String),
}

/// What [`Handler::handle`] returns.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<Effects, HandleError>> + Send + 'a>>;

/// Says what a message does.
pub trait Handler: Send + Sync + 'static {
    /// Reads, decides, changes nothing. Called again from the start when somebody else changed what it read.
    ///
    /// # Errors
    /// [`HandleError`].
    fn handle<'a>(&'a self, item: &'a Item) -> HandlerFuture<'a>;
}
