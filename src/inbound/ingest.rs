//! Accepts messages: first into the spool, then one commit with a record for each recipient, and only then is the
//! message acknowledged (invariant 1; RFC 5321 §6.1).
//!
//! A crash between the two leaves unreferenced bytes in the spool; the message was not acknowledged, and the bytes are
//! dropped with their segment. Spool and store each share one sync among all waiting writers, so many simultaneous
//! senders need few syncs.

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

/// A message with more Received fields than this is treated as looping (RFC 5321 §6.3: at least 100).
pub(crate) const MOST_RECEIVED: usize = 100;

/// Knows which addresses are ours.
pub trait AddressBook: Send + Sync + 'static {
    /// The answer to RCPT, as for [`Ingest::recipient`].
    fn recipient<'a>(&'a self, recipient: &'a str) -> IngestFuture<'a, Recipient>;
}

/// [`Ingest`] into the spool and the store, for the SMTP listener and for messages from files.
pub struct SpoolIngest {
    store: Store,
    spool: Spool,
    ids: InboundIds,
    notifier: Notifier,
    book: Arc<dyn AddressBook>,
    closed: AtomicBool,
    /// Whether the last message failed: a failure is logged when it begins, not for each message.
    failing: AtomicBool,
}

impl SpoolIngest {
    /// An ingest that accepts messages. `notifier` wakes the workers that handle them, after each commit.
    pub fn new(store: Store, spool: Spool, notifier: Notifier, book: Arc<dyn AddressBook>) -> Self {
        let ids = InboundIds::new(store.clone());
        let (closed, failing) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { store, spool, ids, notifier, book, closed, failing }
    }

    /// From now on refuses every message with a temporary error; a message being accepted is still completed.
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
                // Ids are assigned once; if the store reports a conflict, the next ids may be free.
                Commit::Conflict(_) => {}
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// The reply for the sender, without details; the log gets the full error.
    fn refusal(&self, failure: Failure) -> Refusal {
        let begun = !self.failing.swap(true, Ordering::SeqCst);
        if begun {
            tracing::error!(error = %failure, "incoming mail cannot be stored; senders are told to try again later");
        } else {
            tracing::debug!(error = %failure, "incoming mail still cannot be stored");
        }
        match failure {
            Failure::Spool(SpoolError::Full(_)) | Failure::Store(StoreError::Engine(EngineError::Full(_))) => {
                Refusal::Full
            }
            Failure::Spool(_) | Failure::Store(_) => Refusal::Later("the message could not be stored".to_owned()),
        }
    }
}

/// Each recipient once. Our local parts are case-insensitive, and a message is handled once per address.
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
                return Err(Refusal::Later("the message has no recipients".to_owned()));
            }
            if received_fields(&bytes) > MOST_RECEIVED {
                return Err(Refusal::Loop);
            }
            let recipients = distinct(recipients);
            let ids = self.take_in(arrival, recipients, bytes).await.map_err(|failure| self.refusal(failure))?;
            self.notifier.notify();
            if self.failing.swap(false, Ordering::SeqCst) {
                tracing::info!("incoming mail can be stored again");
            }
            Ok(ids)
        })
    }
}

/// Counts the Received fields of the header (RFC 5321 §4.4), including those with blanks before the colon (RFC 5322
/// §4.5.7).
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
