//! Why a mailing is not queued or edited.

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, PostId, ReleaseId, SubscriberId};
use crate::composition::message::PrepareError;
use crate::store::StoreError;

/// Recipients for whom no message can be composed, all for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// One of them.
    pub subscriber: SubscriberId,
    /// Number of recipients with exactly the same fields.
    pub readers: u64,
    /// The reason.
    pub why: String,
}

/// Why a mailing is not queued. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// No list was named.
    #[error("a mailing needs at least one list, or the earlier mailing whose recipients get it")]
    NoLists,
    /// The list does not exist.
    #[error("there is no list {0}")]
    NoList(ListName),
    /// The release does not exist.
    #[error("there is no release {0}")]
    NoRelease(ReleaseId),
    /// The post does not exist.
    #[error("there is no post {0}")]
    NoPost(PostId),
    /// The earlier mailing whose recipients are selected does not exist or has not been sent yet.
    #[error("mailing {id} has reached no one: {why}")]
    NotReached {
        /// Its id.
        id: MailingId,
        /// The reason.
        why: &'static str,
    },
    /// The time is in the past.
    #[error("{0} is past")]
    Past(Timestamp),
    /// It would go out at once, without recipients.
    #[error("this audience is empty, and the mailing would be sent at once")]
    EmptyAudience,
    /// The release cannot be sent.
    #[error("{0}")]
    Broken(String),
    /// For some recipients no message can be composed.
    #[error("no message can be composed for {} of the audience: {}", readers(.0), reasons(.0))]
    Unmakeable(Vec<Problem>),
    /// A list requires a test mail first.
    #[error("list {list} requires a test mail of exactly this content first, and none of {release} was sent")]
    Untested {
        /// The list.
        list: ListName,
        /// The release.
        release: ReleaseId,
    },
    /// The same release went, or will go, to the same list.
    #[error("{release} was already queued for list {list}: mailing {mailing} is {stage}")]
    Again {
        /// The release.
        release: ReleaseId,
        /// A list in both audiences.
        list: ListName,
        /// The other mailing.
        mailing: MailingId,
        /// The word for its stage.
        stage: &'static str,
    },
    /// Another version of the release still waits for the same list.
    #[error("mailing {mailing} still waits with {waits}, another version of {release}, for list {list}")]
    OtherVersion {
        /// The release.
        release: ReleaseId,
        /// A list in both audiences.
        list: ListName,
        /// The mailing that waits.
        mailing: MailingId,
        /// Its release.
        waits: ReleaseId,
    },
    /// The key was used for another order.
    #[error("the idempotency key was already used for another order, mailing {0}")]
    OtherOrder(MailingId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PrepareError> for QueueError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Broken(what) => Self::Broken(what),
            PrepareError::Store(error) => Self::Store(error),
        }
    }
}

fn readers(problems: &[Problem]) -> u64 {
    problems.iter().map(|problem| problem.readers).sum()
}

fn reasons(problems: &[Problem]) -> String {
    let reason = |p: &Problem| format!("{} (such as {})", p.why, p.subscriber);
    problems.iter().map(reason).collect::<Vec<_>>().join("; ")
}
