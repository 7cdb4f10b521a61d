//! What came back about a mailing after the relay had taken it. It stands beside the ledger, whose counts it does not
//! change: those deliveries were accepted.

use std::collections::BTreeMap;

use crate::base::id::{MailingId, SubscriberId};
use crate::model::bounce::{Bounce, BounceSource, Verdict};
use crate::store::{Store, StoreError};

/// Bounces read at a time.
const PAGE: usize = 2000;

/// What came back later.
#[derive(Clone, Debug, Default)]
pub struct Later {
    /// Accepted, then bounced.
    pub bounced: u64,
    /// Accepted, then called unwanted by the reader.
    pub complained: u64,
    /// Those alike, the most frequent first.
    pub groups: Vec<LaterGroup>,
    /// As many of them as were asked for, in order of subscriber.
    pub rows: Vec<Bounce>,
}

/// Deliveries that came back alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterGroup {
    /// Whose fault it is, in a word.
    pub class: &'static str,
    /// The enhanced status code.
    pub status: Option<String>,
    /// What was said of the first of them.
    pub example: String,
    /// How many.
    pub count: u64,
}

/// Whether a report tells of something that happened after the relay had taken the message.
pub fn is_later(bounce: &Bounce) -> bool {
    bounce.is_later_failure() || bounce.verdict == Verdict::Complaint && matches!(bounce.source, BounceSource::Mail(_))
}

/// What came back about a mailing, with at most `rows` of it one by one.
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
