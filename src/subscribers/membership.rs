//! Putting a person on a list on their stated word, a pause, and its end.

use crate::base::id::{ListName, SubscriberId};
use crate::model::subscriber::{Subscriber, SubscriptionError};
use crate::model::subscription::{SubscriptionState, Wanted};
use crate::model::suppression::SuppressionReason;
use crate::store::decided::Decided;
use crate::store::engine::Batch;
use crate::store::subscribers::TooLarge;
use crate::store::{StoreError, lists, subscribers};

use super::rulebook::{Instruction, Rulebook};

/// What became of one subscription.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed {
    /// It is this now.
    Now(Box<Subscriber>),
    /// It was so before, or the wish has no effect on what it is.
    Already(Box<Subscriber>),
    /// It cannot become that.
    Refused(SubscriptionError),
    /// The address must not be mailed, so no mail begins.
    Suppressed(SuppressionReason),
    /// Nothing says what the person agreed to.
    NoWords,
    /// There is no such list.
    NoList,
    /// There is no such subscriber.
    NoSubscriber,
    /// The record would be too large.
    TooLarge(TooLarge),
}

impl Rulebook {
    /// Puts a person on a list on what they agreed to, as stated by another who answers for that. Who ended the
    /// subscription themselves is not put back (invariant 4).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn enrol(
        &self,
        who: SubscriberId,
        list: &ListName,
        said: &Instruction,
    ) -> Result<Decided<Changed>, StoreError> {
        self.change(who, list, Wanted::Join, said).await
    }

    /// Stops the mail of one list for a time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pause(
        &self,
        who: SubscriberId,
        list: &ListName,
        said: &Instruction,
    ) -> Result<Decided<Changed>, StoreError> {
        self.change(who, list, Wanted::Pause, said).await
    }

    /// Lets the mail of one list go on after a pause, or after a suspension by bounces.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn resume(
        &self,
        who: SubscriberId,
        list: &ListName,
        said: &Instruction,
    ) -> Result<Decided<Changed>, StoreError> {
        self.change(who, list, Wanted::Resume, said).await
    }

    async fn change(
        &self,
        who: SubscriberId,
        list: &ListName,
        wanted: Wanted,
        said: &Instruction,
    ) -> Result<Decided<Changed>, StoreError> {
        let mut batch = Batch::new();
        let Some(there) = self.store.list(list).await? else { return Ok(Decided::unchanged(Changed::NoList)) };
        if wanted == Wanted::Join && said.words.trim().is_empty() {
            return Ok(Decided::unchanged(Changed::NoWords));
        }
        let Some(before) = self.store.subscriber(who).await? else {
            return Ok(Decided::unchanged(Changed::NoSubscriber));
        };
        let mut subscriber = before.value.clone();
        match subscriber.want(list, wanted, said.at, &said.by, &said.words) {
            Ok(true) => {}
            Ok(false) => return Ok(Decided::unchanged(Changed::Already(Box::new(before.value)))),
            Err(refused) => return Ok(Decided::unchanged(Changed::Refused(refused))),
        }
        if subscriber.state_on(list) == Some(SubscriptionState::Active)
            && let Some(reason) = self.suppressed(&mut batch, &subscriber.address).await?
        {
            return Ok(Decided::unchanged(Changed::Suppressed(reason)));
        }
        if wanted == Wanted::Join {
            lists::expect(&mut batch, &there);
            if let Err(too_large) = subscribers::admit(&subscriber) {
                return Ok(Decided::unchanged(Changed::TooLarge(too_large)));
            }
        }
        subscribers::put_changed(&mut batch, &before, &subscriber);
        Ok(Decided { outcome: Changed::Now(Box::new(subscriber)), batch })
    }
}
