//! Notices that are settled, and counts of automatic replies, are dropped by age.

use crate::base::clock::Timestamp;
use crate::composition::notices::day;
use crate::model::present::Cutoff;
use crate::store::engine::{Batch, Commit};
use crate::store::notices::delete;
use crate::store::{Store, StoreError};

/// Notices looked at in one step.
const PAGE: usize = 500;

/// Drops notices that were settled before the cutoff, and forgets what was counted on days before today. Says how many
/// notices.
///
/// # Errors
/// [`StoreError`]: what was dropped before stays so.
pub async fn drop_notices(store: &Store, now: Timestamp, cutoff: impl Into<Cutoff>) -> Result<usize, StoreError> {
    let cutoff = cutoff.into();
    store.forget_replies(day(now)).await?;
    let (mut dropped, mut older) = (0, None);
    loop {
        let page = store.each_notice(older, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(dropped) };
        older = Some(*last);
        for (id, error) in page.iter().filter_map(|(id, read)| Some((id, read.as_ref().err()?))) {
            tracing::error!(notice = %id, %error, "a notice cannot be read, and stays");
        }
        let old = page
            .iter()
            .filter_map(|(_, read)| read.as_ref().ok())
            .filter(|read| read.value.settled().is_some_and(|at| cutoff.has(at)));
        let (mut batch, mut count) = (Batch::new(), 0);
        for read in old {
            delete(&mut batch, read);
            count += 1;
        }
        if count > 0 && store.commit(batch).await? == Commit::Applied {
            dropped += count;
        }
        // On a conflict somebody has just opened one of them again: the next run sees.
    }
}
