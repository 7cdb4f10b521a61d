//! Bounces that arrived after the relay had accepted the messages of a mailing. They are reported beside the ledger
//! and do not change its counts: those deliveries were accepted.

use std::collections::BTreeMap;

use crate::base::id::{MailingId, SubscriberId};
use crate::model::bounce::{Bounce, BounceSource, Verdict};
use crate::store::{Store, StoreError};

/// Number of bounces read at a time.
const PAGE: usize = 2000;

/// Later bounces of a mailing.
#[derive(Clone, Debug, Default)]
pub struct Later {
    /// Accepted, then bounced.
    pub bounced: u64,
    /// Accepted, then reported as unwanted by the reader.
    pub complained: u64,
    /// Groups of similar bounces, the most frequent first.
    pub groups: Vec<LaterGroup>,
    /// Single bounces up to the requested number, in order of subscriber.
    pub rows: Vec<Bounce>,
}

/// Deliveries with similar bounces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterGroup {
    /// The word for the class.
    pub class: &'static str,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The text of the first of them.
    pub example: String,
    /// Number of bounces.
    pub count: u64,
}

/// Whether a bounce reports something that happened after the relay had accepted the message.
pub(crate) fn is_later(bounce: &Bounce) -> bool {
    bounce.is_later_failure() || bounce.verdict == Verdict::Complaint && matches!(bounce.source, BounceSource::Mail(_))
}

/// The later bounces of a mailing, with at most `rows` single ones.
///
/// # Errors
/// [`StoreError`].
pub async fn later(store: &Store, mailing: MailingId, rows: usize) -> Result<Later, StoreError> {
    let mut later = Later::default();
    let mut groups: BTreeMap<(&'static str, Option<String>), (u64, String)> = BTreeMap::new();
    let mut after = SubscriberId(0);
    loop {
        let page = store.bounces_of_mailing(mailing, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.subscriber;
        for bounce in page.into_iter().filter(is_later) {
            match bounce.verdict {
                Verdict::Complaint => later.complained += 1,
                _ => later.bounced += 1,
            }
            let group = groups.entry((bounce.class.word(), bounce.status.clone()));
            group.or_insert_with(|| (0, bounce.evidence.clone())).0 += 1;
            if later.rows.len() < rows {
                later.rows.push(bounce);
            }
        }
    }
    let group = |((class, status), (count, example))| LaterGroup { class, status, example, count };
    later.groups = groups.into_iter().map(group).collect();
    later.groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    Ok(later)
}
