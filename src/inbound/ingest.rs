//! Takes messages in: into the spool first, then one commit with a record for each recipient, and only then is anything
//! acknowledged (invariant 1; RFC 5321 §6.1).
//!
//! A crash between the two leaves bytes in the spool that nobody knows of and that nobody was told of; they go with
//! their segment. Spool and store each sync for all who wait at the same time, so many senders at once cost few syncs.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::id::InboundId;
use crate::model::inbound::{Arrival, Inbound, InboundState, SpoolPlace};
use crate::runtime::notifier::Notifier;
use crate::store::engine::{Batch, Commit, EngineError};
use crate::store::inbound::{InboundIds, put_new};
use crate::store::spool::{Spool, SpoolError};
use crate::store::{CONFLICT_TRIES, Store, StoreError};

use super::recipients::{Ingest, IngestFuture, Recipient, Refusal};

/// More Received fields than these, and a message goes round in circles (RFC 5321 §6.3: at least 100).
pub const MOST_RECEIVED: usize = 100;

/// Knows which addresses are ours.
pub trait AddressBook: Send + Sync + 'static {
    /// As [`Ingest::recipient`].
    fn recipient<'a>(&'a self, recipient: &'a str) -> IngestFuture<'a, Recipient>;
}

/// The way in, for the listener and for messages from files.
pub struct SpoolIngest {
    store: Store,
    spool: Spool,
    ids: InboundIds,
    notifier: Notifier,
    book: Arc<dyn AddressBook>,
    closed: AtomicBool,
    /// Whether the last message failed, so that a failure is logged when it begins and not for each message.
    failing: AtomicBool,
}

impl SpoolIngest {
    /// An open door. `notifier` wakes those who handle what came in, after each commit.
    pub fn new(store: Store, spool: Spool, notifier: Notifier, book: Arc<dyn AddressBook>) -> Self {
        let ids = InboundIds::new(store.clone());
        let (closed, failing) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { store, spool, ids, notifier, book, closed, failing }
    }

    /// From now on everything is refused for later; what is under way is still taken in.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    async fn take_in(
        &self,
        arrival: Arrival,
        recipients: Vec<String>,
        bytes: Vec<u8>,
    ) -> Result<Vec<InboundId>, Failure> {
        let place = self.spool.append(bytes).await?;
        for _ in 0..CONFLICT_TRIES {
            let ids: Vec<InboundId> = self.ids.take(recipients.len() as u64).await?.collect();
            let mut batch = Batch::new();
            for (id, recipient) in ids.iter().zip(&recipients) {
                put_new(&mut batch, &record(*id, &arrival, recipient, place));
            }
            match self.store.commit(batch).await? {
                Commit::Applied => return Ok(ids),
                // Ids are given once; should the store say otherwise, the next ones may be free.
                Commit::Conflict(_) => {}
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// What the sender is told, which is no more than it needs; the log gets the rest.
    fn refusal(&self, failure: Failure) -> Refusal {
        let begun = !self.failing.swap(true, Ordering::SeqCst);
        if begun {
            tracing::error!(error = %failure, "mail that comes in cannot be kept; senders are told to try again later");
        } else {
            tracing::debug!(error = %failure, "mail that comes in still cannot be kept");
        }
        match failure {
            Failure::Spool(SpoolError::Full(_)) | Failure::Store(StoreError::Engine(EngineError::Full(_))) => {
                Refusal::Full
            }
            Failure::Spool(_) | Failure::Store(_) => Refusal::Later("the message could not be kept".to_owned()),
        }
    }
}

/// Each recipient once: local parts of ours are the same in any case, and a message is handled once for each address.
fn distinct(recipients: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    recipients.into_iter().filter(|recipient| seen.insert(recipient.to_lowercase())).collect()
}

fn record(id: InboundId, arrival: &Arrival, recipient: &str, place: SpoolPlace) -> Inbound {
    let (arrival, recipient) = (arrival.clone(), recipient.to_owned());
    Inbound { id, arrival, recipient, place, state: InboundState::Waiting }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Ingest for SpoolIngest {
    fn recipient<'a>(&'a self, recipient: &'a str) -> IngestFuture<'a, Recipient> {
        if self.closed.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(Recipient::Later("about to stop".to_owned())));
        }
        self.book.recipient(recipient)
    }

    fn take<'a>(
        &'a self,
        arrival: Arrival,
        recipients: Vec<String>,
        bytes: Vec<u8>,
    ) -> IngestFuture<'a, Result<Vec<InboundId>, Refusal>> {
        Box::pin(async move {
            if self.closed.load(Ordering::SeqCst) {
                return Err(Refusal::Later("about to stop".to_owned()));
            }
            if recipients.is_empty() {
                return Err(Refusal::Later("the message is for nobody".to_owned()));
            }
            if received_fields(&bytes) > MOST_RECEIVED {
                return Err(Refusal::Loop);
            }
            let recipients = distinct(recipients);
            let ids = self.take_in(arrival, recipients, bytes).await.map_err(|failure| self.refusal(failure))?;
            self.notifier.notify();
            if self.failing.swap(false, Ordering::SeqCst) {
                tracing::info!("mail that comes in can be kept again");
            }
            Ok(ids)
        })
    }
}

/// How many Received fields the header has (RFC 5321 §4.4); a blank before the colon counts too (RFC 5322 §4.5.8).
fn received_fields(bytes: &[u8]) -> usize {
    bytes
        .split(|byte| *byte == b'\n')
        .take_while(|line| !line.is_empty() && *line != b"\r")
        .filter(|line| {
            let name = line.iter().position(|byte| *byte == b':').and_then(|colon| line.get(..colon));
            name.is_some_and(|name| name.trim_ascii_end().eq_ignore_ascii_case(b"received"))
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::received_fields;

    #[test]
    fn only_fields_of_the_header_count() {
        let message = b"Received: from a\r\n by b\r\nreceived : x\r\nX-Received: y\r\n Received: folded\r\n\
            Subject: z\r\n\r\nReceived: body\r\n";
        assert_eq!(received_fields(message), 2);
        assert_eq!(received_fields(b""), 0);
    }
}
