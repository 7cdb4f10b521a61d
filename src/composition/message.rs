//! From a mailing and a subscriber to the bytes that are sent: the interface between dispatch and content.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::id::{ListName, SubscriberId};
use crate::model::mailing::Mailing;
use crate::model::subscriber::Subscriber;
use crate::transport::Envelope;

use super::sample::{ShownTo, TestMail};

/// Prepares whole mailings; the shared part of their messages is made once.
pub trait MessageSource: Send + Sync + 'static {
    /// Loads release, templates, attachments and lists of a mailing.
    ///
    /// # Errors
    /// [`PrepareError::Broken`] pauses the mailing with a reason for the press office;
    /// [`PrepareError::Store`] is retried.
    fn prepare<'a>(
        &'a self,
        mailing: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>>;

    /// The configured domain of Message-IDs; `None` if that of a mailing's first list is used.
    fn message_domain(&self) -> Option<String> {
        None
    }
}

/// A mailing that only lacks the recipient.
pub trait PreparedMailing: Send + Sync + 'static {
    /// Composes the message for one subscriber: pure, fast, and the same bytes for the same mailing, subscriber and
    /// second.
    ///
    /// # Errors
    /// A text for the press office: why this message cannot be composed. The delivery fails with it; others
    /// continue.
    fn make(&self, subscriber: &Subscriber) -> Result<Message, String>;

    /// The Message-ID of a subscriber's message, without angle brackets; empty for a source that makes none.
    fn message_id(&self, _: SubscriberId) -> String {
        String::new()
    }

    /// Whether a message can be composed for one subscriber; cheaper than to compose it.
    ///
    /// # Errors
    /// As [`PreparedMailing::make`].
    fn try_for(&self, subscriber: &Subscriber) -> Result<(), String> {
        self.make(subscriber).map(|_| ())
    }

    /// Composes a sample, by the same code as a message that is delivered: to be shown, or with `test` to be sent as a test
    /// mail.
    ///
    /// # Errors
    /// A text for the press office: why it cannot be composed.
    fn sample(&self, _: ShownTo<'_>, _: Option<&TestMail>) -> Result<Sample, String> {
        Err("it has no sample: only releases are composed for each reader".to_owned())
    }

    /// A hash of the identity of its lists and of [`PreparedMailing::layout_hash`], made of what is stored: the same in
    /// every version of this program.
    ///
    /// # Errors
    /// A text for the press office: why no message can be made.
    fn content_hash(&self) -> Result<String, String>;

    /// A hash of the installation's own templates, which a test mail covers together with the release.
    fn layout_hash(&self) -> String {
        String::new()
    }
}

/// One message that counts nowhere.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The list by which its reader would get it.
    pub list: ListName,
    /// The subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The whole message.
    pub message: Message,
}

/// A message ready to send.
#[derive(Clone, Debug)]
pub struct Message {
    /// Sender, recipient and ENVID.
    pub envelope: Envelope,
    /// The message up to its shared end, with CRLF line ends.
    pub bytes: Vec<u8>,
    /// The end that all messages of the mailing share, e.g. the attachments; empty if nothing is shared.
    pub shared_end: Arc<Vec<u8>>,
}

impl Message {
    /// The whole message in one piece: a copy.
    pub fn whole(&self) -> Vec<u8> {
        [self.bytes.as_slice(), self.shared_end.as_slice()].concat()
    }
}

/// Why a mailing could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Something it needs is missing or broken: what, and how to fix it.
    #[error("{0}")]
    Broken(String),
    /// The store failed; a retry may succeed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// A source without messages: for parts of the daemon, and tests, that send nothing.
pub struct NoMessages;

impl MessageSource for NoMessages {
    fn prepare<'a>(
        &'a self,
        _: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>> {
        let why = "this daemon has no templates".to_owned();
        Box::pin(std::future::ready(Err(PrepareError::Broken(why))))
    }
}
