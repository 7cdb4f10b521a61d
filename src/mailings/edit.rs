//! Changes what a waiting mailing sends: the mailing stays the same, its release is another. Everything is tried again as
//! when it was queued, and its approval is void.

use std::time::Duration;

use similar::TextDiff;

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, ReleaseId};
use crate::composition::message::MessageSource;
use crate::model::mailing::{Edit, Mailing, MailingContent};
use crate::model::mailing_transitions::TransitionError;
use crate::model::operator::Operator;
use crate::store::engine::{Batch, Commit};
use crate::store::mailings::put_mailing;
use crate::store::{Store, StoreError, lists};

use super::queue_error::QueueError;
use super::repeated::must_not_repeat;
use super::trial::{Tried, try_mailing};

/// Number of attempts when the mailing or its lists change meanwhile.
const TRIES: u32 = 5;
/// Lines shown around each difference.
const CONTEXT: usize = 3;
/// Time after which the shortest difference is no longer searched for, in very long texts.
const DIFF_TIME: Duration = Duration::from_secs(2);

/// A request to change what a mailing sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditOrder {
    /// The release that it sends from now on.
    pub release: ReleaseId,
    /// Who changes it.
    pub by: Operator,
    /// Whether it may repeat what another mailing sends.
    pub again: bool,
}

/// A mailing that now sends another release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The mailing.
    pub mailing: Mailing,
    /// The release that it would have sent before.
    pub before: ReleaseId,
    /// Number of subscribers it would go to now.
    pub audience: u64,
    /// Warnings for people.
    pub warnings: Vec<String>,
}

/// Why a mailing was not edited. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The mailing does not exist.
    #[error("there is no mailing {0}")]
    NoMailing(MailingId),
    /// It sends a post.
    #[error("mailing {0} sends a post, which is sent as it was written and cannot be edited")]
    Post(MailingId),
    /// It sends this release already.
    #[error("mailing {mailing} already sends {release}: the file has not changed")]
    Unchanged {
        /// The mailing.
        mailing: MailingId,
        /// The release.
        release: ReleaseId,
    },
    /// Its stage does not allow it.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// It could not be queued with this release.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl From<StoreError> for EditError {
    fn from(error: StoreError) -> Self {
        Self::Queue(error.into())
    }
}

/// Changes what a mailing sends, if its audience is not frozen yet. If it was to be sent at once, the time in which it can
/// be undone begins again. Notify the scheduler afterwards.
///
/// # Errors
/// [`EditError`].
pub async fn edit(
    store: &Store,
    messages: &dyn MessageSource,
    now: Timestamp,
    id: MailingId,
    order: &EditOrder,
) -> Result<Edited, EditError> {
    for _ in 0..TRIES {
        let read = store.mailing(id).await?.ok_or(EditError::NoMailing(id))?;
        let MailingContent::Release(before) = read.value.content else { return Err(EditError::Post(id)) };
        if before == order.release {
            return Err(EditError::Unchanged { mailing: id, release: before });
        }
        let mut mailing = read.value.clone();
        // What its stage does not allow is refused before anything is tried.
        mailing.edit(order.release, Edit { before, at: now, by: order.by.clone() })?;
        let Tried { lists, audience, mut warnings, .. } = try_mailing(store, messages, &mut mailing).await?;
        if !order.again {
            must_not_repeat(store, &mailing).await?;
        }
        if audience == 0 {
            warnings.push("this audience is empty now; it is determined again when the mailing is sent".to_owned());
        }
        let mut batch = Batch::new();
        lists.iter().for_each(|list| lists::expect(&mut batch, list));
        put_mailing(&mut batch, &mailing, Some(read.stamp));
        if store.commit(batch).await? == Commit::Applied {
            return Ok(Edited { mailing, before, audience, warnings });
        }
    }
    Err(StoreError::Contended(TRIES).into())
}

/// What the last edit of a mailing changed in the text of its release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The edit.
    pub edit: Edit,
    /// The release that it sends now.
    pub after: ReleaseId,
    /// Both texts as a unified diff; empty if only files, contacts or boilerplate differ.
    pub text: String,
}

/// Compares the release of a mailing with the one before its last edit; `None` if it was never edited.
///
/// # Errors
/// [`StoreError`].
pub async fn difference(store: &Store, mailing: &Mailing) -> Result<Option<Difference>, StoreError> {
    let (Some(edit), MailingContent::Release(after)) = (mailing.edits.last(), mailing.content) else { return Ok(None) };
    let text_of = async |id: ReleaseId| -> Result<String, StoreError> {
        Ok(store.release(id).await?.map(|read| read.value.source).unwrap_or_default())
    };
    let (old, new) = (text_of(edit.before).await?, text_of(after).await?);
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(&old, &new);
    let text = diff
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&edit.before.to_string(), &after.to_string())
        .missing_newline_hint(false)
        .to_string();
    Ok(Some(Difference { edit: edit.clone(), after, text }))
}
