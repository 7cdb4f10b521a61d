//! Deletes settled notices, and counts of automatic replies, by age.

use crate::base::clock::Timestamp;
use crate::composition::notices::day;
use crate::model::present::Cutoff;
use crate::store::engine::{Batch, Commit};
use crate::store::notices::delete;
use crate::store::{Store, StoreError};

/// Number of notices examined in one step.
const PAGE: usize = 500;

/// Deletes notices settled before the cutoff, and the counts of days before today. Returns how many notices.
///
/// # Errors
/// [`StoreError`]: what was deleted before stays deleted.
pub async fn drop_notices(store: &Store, now: Timestamp, cutoff: impl Into<Cutoff>) -> Result<usize, StoreError> {
    let cutoff = cutoff.into();
    store.forget_replies(day(now)).await?;
    let (mut dropped, mut older) = (0, None);
    loop {
        let page = store.each_notice(older, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(dropped) };
        older = Some(*last);
        for (id, error) in page.iter().filter_map(|(id, read)| Some((id, read.as_ref().err()?))) {
            tracing::error!(notice = %id, %error, "a notice cannot be read; it is kept");
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
        // On a conflict one of them was just reopened: the next run decides.
    }
}
