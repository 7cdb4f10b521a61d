//! Subscribers by what is known of them: list and state, language, beat, region, organisation.

use crate::base::id::{ListName, SubscriberId};
use crate::base::language::Language;
use crate::base::unicode;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::{Read, Store, StoreError};

/// Number of subscribers read at a time.
const STEP: usize = 500;

/// Which subscribers are wanted. Absent fields do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Who are or were on this list.
    pub list: Option<ListName>,
    /// Whose subscription to that list, or to any if no list is given, is in this state.
    pub state: Option<SubscriptionState>,
    /// Who read this language (matched by primary subtag).
    pub language: Option<Language>,
    /// Who cover this beat.
    pub beat: Option<String>,
    /// Who cover this region.
    pub region: Option<String>,
    /// Whose organisation contains these words, without case and invisible characters.
    pub organisation: Option<String>,
}

impl Wanted {
    fn has(&self, one: &Subscriber) -> bool {
        let is_in_state = |list: &ListName| self.state.is_none_or(|state| one.state_on(list) == Some(state));
        let subscribed = match &self.list {
            Some(list) => one.subscriptions.contains_key(list) && is_in_state(list),
            None => self.state.is_none() || one.subscriptions.keys().any(is_in_state),
        };
        let covers = |wanted: &Option<String>, words: &std::collections::BTreeSet<String>| {
            wanted.as_ref().is_none_or(|wanted| words.iter().any(|word| unicode::same(wanted, word)))
        };
        let works_at = |words: &String| {
            let organisation = one.organisation.as_deref().unwrap_or_default();
            unicode::key(organisation).contains(&*unicode::key(words))
        };
        subscribed
            && self.language.as_ref().is_none_or(|language| language.primary() == one.language.primary())
            && covers(&self.beat, &one.beats)
            && covers(&self.region, &one.regions)
            && self.organisation.as_ref().is_none_or(works_at)
    }
}

/// Up to `limit` wanted subscribers after `after`, in order of id, and the id to continue after; `None` at the end.
///
/// # Errors
/// [`StoreError`].
pub async fn list(
    store: &Store,
    wanted: &Wanted,
    after: SubscriberId,
    limit: usize,
) -> Result<(Vec<Read<Subscriber>>, Option<SubscriberId>), StoreError> {
    let (mut found, mut cursor) = (Vec::new(), Some(after));
    while let Some(after) = cursor {
        let step = match &wanted.list {
            Some(list) => {
                let (step, next) = store.people_of([list], after, STEP).await?;
                cursor = next;
                step
            }
            None => {
                let step = store.scan_subscribers(after, STEP).await?;
                cursor = step.last().map(|read| read.value.id).filter(|_| step.len() == STEP);
                step
            }
        };
        for read in step {
            if wanted.has(&read.value) {
                let id = read.value.id;
                found.push(read);
                if found.len() == limit {
                    return Ok((found, Some(id)));
                }
            }
        }
    }
    Ok((found, None))
}
