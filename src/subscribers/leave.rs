//! Leaving one list or all of them. It is never refused, whatever the channel: not because of a suppression, a removed
//! list or the size of the record. A repetition changes nothing.

use crate::base::id::{ListName, SubscriberId};
use crate::model::list::List;
use crate::model::subscriber::Subscriber;
use crate::model::subscription::Wanted;
use crate::store::decided::Decided;
use crate::store::engine::Batch;
use crate::store::{Read, StoreError, subscribers};

use super::rulebook::{Instruction, Rulebook};
use super::tokens::UnsubscribeToken;

/// Which subscriptions a person ends.
#[derive(Clone, Debug)]
pub enum Leaving {
    /// The subscription to one list.
    List(SubscriberId, ListName),
    /// All their subscriptions.
    All(SubscriberId),
    /// The subscription that the signed unsubscribe address of a mail identifies. The token of a notice is valid only
    /// for this list, to whose address it was sent.
    Signed(UnsubscribeToken, ListName),
}

/// The outcome of leaving.
#[derive(Clone, Debug, PartialEq)]
pub enum Left {
    /// These subscriptions were ended now.
    Now {
        /// The subscriber, as written.
        subscriber: Box<Subscriber>,
        /// The lists that they left.
        lists: Vec<ListName>,
        /// Those of them that may still send the person a notice about it: empty if the address is suppressed.
        may_tell: Vec<List>,
    },
    /// The subscriptions had ended before.
    Before(Box<Subscriber>),
    /// The subscriptions never existed.
    Never(Box<Subscriber>),
    /// The subscriber was erased.
    NoSubscriber,
    /// The token identifies no list any more: a person must look at it.
    NoList,
}

impl Leaving {
    fn who(&self) -> SubscriberId {
        match self {
            Self::List(who, _) | Self::All(who) => *who,
            Self::Signed(token, _) => token.subscriber,
        }
    }
}

impl Rulebook {
    /// Ends one subscription, or all of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn leave(&self, leaving: &Leaving, said: &Instruction) -> Result<Decided<Left>, StoreError> {
        let Some(Known { before, lists, may_tell }) = self.known(leaving).await? else {
            return Ok(Decided::unchanged(Left::NoSubscriber));
        };
        if lists.is_empty() && matches!(leaving, Leaving::Signed(..)) {
            return Ok(Decided::unchanged(Left::NoList));
        }
        let mut subscriber = before.value.clone();
        let ended = end(&mut subscriber, &lists, said);
        if ended.is_empty() {
            let was_on = lists.iter().any(|list| subscriber.state_on(list).is_some());
            let subscriber = Box::new(subscriber);
            return Ok(Decided::unchanged(if was_on { Left::Before(subscriber) } else { Left::Never(subscriber) }));
        }
        let may_tell = may_tell.into_iter().filter(|list| ended.contains(&list.name)).collect();
        let mut batch = Batch::new();
        subscribers::put_changed(&mut batch, &before, &subscriber);
        Ok(Decided { outcome: Left::Now { subscriber: Box::new(subscriber), lists: ended, may_tell }, batch })
    }

    /// Reads everything the decision needs; `None` if the subscriber does not exist.
    async fn known(&self, leaving: &Leaving) -> Result<Option<Known>, StoreError> {
        let Some(before) = self.store.subscriber(leaving.who()).await? else { return Ok(None) };
        let lists = match leaving {
            Leaving::List(_, list) => vec![list.clone()],
            Leaving::All(_) => before.value.subscriptions.keys().cloned().collect(),
            Leaving::Signed(token, addressed) => {
                let is_meant = |list: &ListName| !token.is_of_notice() || list == addressed;
                let lists = token.lists(&self.store, &before.value).await?;
                lists.into_iter().filter(is_meant).take(1).collect()
            }
        };
        let mut may_tell = Vec::new();
        if !self.store.is_suppressed(&self.key.hash_address(&before.value.address)).await? {
            for list in &lists {
                may_tell.extend(self.store.list(list).await?.map(|read| read.value));
            }
        }
        Ok(Some(Known { before, lists, may_tell }))
    }
}

/// The records of the person who leaves.
struct Known {
    before: Read<Subscriber>,
    /// The lists to leave.
    lists: Vec<ListName>,
    /// Those of them that exist, if the address may still get a notice.
    may_tell: Vec<List>,
}

/// Ends the subscriptions to these lists; returns those that had not ended before.
pub(super) fn end<'a>(
    subscriber: &mut Subscriber,
    lists: impl IntoIterator<Item = &'a ListName>,
    said: &Instruction,
) -> Vec<ListName> {
    let mut ends = |list: &ListName| subscriber.want(list, Wanted::Leave, said.at, &said.by, &said.words) == Ok(true);
    lists.into_iter().filter(|list| ends(list)).cloned().collect()
}
