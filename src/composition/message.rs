//! From a mailing and a subscriber to the bytes that are sent: the seam between dispatch and press content.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::id::SubscriberId;
use crate::model::mailing::Mailing;
use crate::model::subscriber::Subscriber;
use crate::transport::Envelope;

/// Prepares whole mailings; what all their messages share is done once.
pub trait MessageSource: Send + Sync + 'static {
    /// Loads release, templates, attachments and lists of a mailing.
    ///
    /// # Errors
    /// [`PrepareError::Broken`] pauses the mailing and tells the press office; [`PrepareError::Store`] is tried again.
    fn prepare<'a>(
        &'a self,
        mailing: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>>;

    /// The configured domain of Message-IDs; `None` where they have that of a mailing's first list.
    fn message_domain(&self) -> Option<String> {
        None
    }
}

/// A mailing of which only the recipient is still open.
pub trait PreparedMailing: Send + Sync + 'static {
    /// The message for one subscriber: pure, quick, and the same bytes for the same mailing, subscriber and second.
    ///
    /// # Errors
    /// A text for the press office: why this message cannot be made. The delivery fails with it; others go on.
    fn make(&self, subscriber: &Subscriber) -> Result<Message, String>;

    /// The Message-ID of a subscriber's message, without angle brackets; empty for a source that makes none.
    fn message_id(&self, _: SubscriberId) -> String {
        String::new()
    }

    /// Whether a message can be made for one subscriber; cheaper than to make it.
    ///
    /// # Errors
    /// As [`PreparedMailing::make`].
    fn try_for(&self, subscriber: &Subscriber) -> Result<(), String> {
        self.make(subscriber).map(|_| ())
    }

    /// A hash of what all its messages share: the same whenever the same would be sent, and another when release,
    /// templates, attachments or list identity are.
    ///
    /// # Errors
    /// A text for the press office: why no message can be made.
    fn content_hash(&self) -> Result<String, String>;
}

/// A message ready for a connection.
#[derive(Clone, Debug)]
pub struct Message {
    /// Sender, recipient and ENVID.
    pub envelope: Envelope,
    /// The message up to its shared end, CRLF line ends.
    pub bytes: Vec<u8>,
    /// The end that all messages of the mailing share, e.g. the attachments; empty where nothing is shared.
    pub shared_end: Arc<Vec<u8>>,
}

impl Message {
    /// The whole message in one piece: a copy of all of it.
    pub fn whole(&self) -> Vec<u8> {
        [self.bytes.as_slice(), self.shared_end.as_slice()].concat()
    }
}

/// Why a mailing could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Something it needs is missing or broken: what, and how to mend it.
    #[error("{0}")]
    Broken(String),
    /// The store failed; the same may work later.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// A source that makes nothing: for parts of the daemon, and tests, that send nothing.
pub struct NoMessages;

impl MessageSource for NoMessages {
    fn prepare<'a>(
        &'a self,
        _: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>> {
        let why = "this daemon was put together without templates".to_owned();
        Box::pin(std::future::ready(Err(PrepareError::Broken(why))))
    }
}
