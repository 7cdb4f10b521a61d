//! The refusals in earlier mailings to the same lists, from which the breaker derives how many are implausible.

use crate::model::breaker::Expected;
use crate::model::ledger::Tally;
use crate::model::mailing::{Mailing, Stage};
use crate::store::{Store, StoreError};

/// Number of mailings examined, latest first.
const LATEST: usize = 5;

/// The share of a mailing that is expected to be refused for good. An audience that has grown by more than a quarter
/// since has addresses without history.
pub(super) async fn expected(store: &Store, mailing: &Mailing) -> Result<Expected, StoreError> {
    let lists = &mailing.audience.lists;
    let earlier = store.mailings().await?.into_iter().map(|read| read.value).filter(|other| {
        matches!(other.stage, Stage::Finished { .. })
            && other.id < mailing.id
            && other.audience.lists.iter().any(|list| lists.contains(list))
    });
    let mut earlier: Vec<Mailing> = earlier.collect();
    let (mut total, mut largest) = (Tally::default(), 0);
    earlier.sort_by_key(|other| std::cmp::Reverse(other.id));
    for other in earlier.iter().take(LATEST) {
        store.settled_chunks(other.id).await?.values().for_each(|tally| total.merge(tally));
        largest = largest.max(other.frozen().map_or(0, |frozen| frozen.audience));
    }
    let now = mailing.frozen().map_or(0, |frozen| frozen.audience);
    Ok(match now <= largest + largest / 4 + 2 {
        true => Expected::from_history(total.accepted, total.failed),
        false => Expected::UNKNOWN,
    })
}
