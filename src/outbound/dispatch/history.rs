//! The refusals in earlier mailings to the same lists, from which the breaker derives how many are implausible.

use crate::model::breaker::Expected;
use crate::model::ledger::Tally;
use crate::model::mailing::{Mailing, Stage};
use crate::store::{Read, Store, StoreError, ledger, mailings};

/// Number of mailings examined, latest first.
const LATEST: usize = 5;

/// The share of a mailing that is expected to be refused for good. An audience that has grown by more than a quarter
/// since has addresses without history.
pub(super) async fn expected(store: &Store, mailing: &Mailing) -> Result<Expected, StoreError> {
    let lists = &mailing.audience.lists;
    let is_earlier = |other: &Mailing| {
        matches!(other.stage, Stage::Finished { .. })
            && other.id < mailing.id
            && other.audience.lists.iter().any(|list| lists.contains(list))
    };
    let (mut total, mut largest, mut found) = (Tally::default(), 0, 0);
    let mut newest = store.pages(mailings::all().backward());
    while let Some(Read { value: other, .. }) = newest.next().await? {
        if !is_earlier(&other) {
            continue;
        }
        let mut tallies = store.pages(ledger::tallies(other.id));
        while let Some((_, tally)) = tallies.next().await? {
            total.merge(&tally);
        }
        largest = largest.max(other.frozen().map_or(0, |frozen| frozen.audience));
        found += 1;
        if found == LATEST {
            break;
        }
    }
    let now = mailing.frozen().map_or(0, |frozen| frozen.audience);
    Ok(match now <= largest + largest / 4 + 2 {
        true => Expected::from_history(total.accepted, total.failed),
        false => Expected::UNKNOWN,
    })
}
