//! Adds a person to a list on their stated consent; pauses and resumes their mail.

use crate::base::id::{ListName, SubscriberId};
use crate::model::subscriber::{Subscriber, SubscriptionError};
use crate::model::subscription::{SubscriptionState, Wanted};
use crate::model::suppression::SuppressionReason;
use crate::store::decided::Decided;
use crate::store::engine::Batch;
use crate::store::subscribers::TooLarge;
use crate::store::{StoreError, lists, subscribers};

use super::rulebook::{Instruction, Rulebook};

/// The outcome of a change to one subscription.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed {
    /// It was changed.
    Now(Box<Subscriber>),
    /// It was already in that state, or the request has no effect in its state.
    Already(Box<Subscriber>),
    /// The change is not allowed in its state.
    Refused(SubscriptionError),
    /// The address is suppressed, so its mail cannot be started.
    Suppressed(SuppressionReason),
    /// The words that the person agreed to are missing.
    NoWords,
    /// No list has this name.
    NoList,
    /// No subscriber has this number.
    NoSubscriber,
    /// The record would be too large.
    TooLarge(TooLarge),
}

impl Rulebook {
    /// Adds a person to a list with the words they agreed to, on the word of another person who is responsible for
    /// that. A person who ended the subscription themselves is not added again (invariant 4).
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

    /// Pauses the mail of one list.
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

    /// Resumes the mail of one list after a pause, or after a suspension by bounces.
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
