//! Test mails: a release as a reader gets it, sent to addresses that need not be subscribers. They are notices, in no ledger
//! and no count; what they contain is valid for nothing.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, NoticeId, ReleaseId};
use crate::base::token::Key;
use crate::composition::approved::tested_hash;
use crate::composition::message::{Message, MessageSource};
use crate::composition::notices::{NoticeError, Notices};
use crate::composition::sample::TestMail;
use crate::model::release::Blob;
use crate::store::blobs::{BlobError, Blobs};
use crate::store::engine::{Batch, Commit};
use crate::store::notices::LONGEST;
use crate::store::{Store, StoreError, tested};

use super::sample::{Reader, SampleError, list_for, unsent};

/// Maximum number of recipients of one test.
pub const MOST_RECIPIENTS: usize = 20;

/// A request for test mails.
#[derive(Clone, Debug)]
pub struct TestOrder {
    /// The release.
    pub release: ReleaseId,
    /// The list that it is tested for.
    pub list: Option<ListName>,
    /// The reader whom it is composed for.
    pub reader: Reader,
    /// The recipients.
    pub to: Vec<Address>,
}

/// Test mails that will be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The list that they were composed for.
    pub list: ListName,
    /// Their subject.
    pub subject: String,
    /// Each with its recipient.
    pub notices: Vec<(NoticeId, Address)>,
}

/// Why no test mail is sent.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The number of recipients is wrong.
    #[error("a test mail goes to 1 to {MOST_RECIPIENTS} addresses, not to {0}")]
    Recipients(usize),
    /// A recipient wants no mail at all.
    #[error("{} is suppressed: no mail is sent there", .0.masked())]
    Suppressed(Address),
    /// It cannot be composed.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// It cannot be a notice.
    #[error(transparent)]
    Notice(#[from] NoticeError),
    /// Its attachments could not be stored.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl From<StoreError> for TestError {
    fn from(error: StoreError) -> Self {
        Self::Sample(error.into())
    }
}

/// What test mails are composed and sent with.
pub struct Testing<'a> {
    /// The store.
    pub store: &'a Store,
    /// Composes them.
    pub messages: &'a dyn MessageSource,
    /// Sends them.
    pub notices: &'a Notices,
    /// Keeps attachments until they are sent.
    pub blobs: &'a Blobs,
    /// Recognises suppressed addresses.
    pub key: &'a Key,
}

/// Composes test mails, one for each recipient, and queues them as notices; it is recorded that this content was tested.
///
/// # Errors
/// [`TestError`]: no mail is sent, or, after an error of the store, only to the first recipients.
pub async fn send_test(with: &Testing<'_>, now: Timestamp, order: &TestOrder) -> Result<Tested, TestError> {
    let Testing { store, messages, notices, blobs, key } = *with;
    if order.to.is_empty() || order.to.len() > MOST_RECIPIENTS {
        return Err(TestError::Recipients(order.to.len()));
    }
    for to in &order.to {
        if store.is_suppressed(&key.hash_address(to)).await? {
            return Err(TestError::Suppressed(to.clone()));
        }
    }
    let stored = store.release_bytes(order.release).await?.ok_or(SampleError::NoRelease(order.release))?;
    let list = list_for(store, order.list.as_ref(), &order.reader).await?;
    let mailing = unsent(order.release, list.clone(), now);
    let prepared = messages.prepare(&mailing).await.map_err(SampleError::from)?;
    let content = tested_hash(&stored, &prepared.layout_hash());
    let mut sent = Tested { list, subject: String::new(), notices: Vec::new() };
    for to in &order.to {
        let notice = notices.reserve().await?;
        let test = TestMail { notice, release: order.release, to: to.clone() };
        let sample = prepared.sample(order.reader.shown(), Some(&test)).map_err(SampleError::Broken)?;
        let (mut batch, end) = (Batch::new(), kept_end(blobs, &sample.message).await?);
        notices.write_test(&mut batch, notice, &sample.message, end)?;
        tested::put(&mut batch, &content, now);
        if store.commit(batch).await? != Commit::Applied {
            return Err(StoreError::Contended(1).into());
        }
        sent.subject = sample.subject;
        sent.notices.push((notice, to.clone()));
    }
    notices.notify();
    Ok(sent)
}

/// Stores the shared end of a message, which contains nothing personal, as a file if the whole is too large for a record.
async fn kept_end(blobs: &Blobs, message: &Message) -> Result<Option<Blob>, BlobError> {
    if message.bytes.len() + message.shared_end.len() <= LONGEST {
        return Ok(None);
    }
    blobs.put(None, message.shared_end.as_slice()).await.map(Some)
}
