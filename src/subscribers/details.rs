//! A person's details: preferences, and the address to which mail is sent.

use crate::base::address::Address;
use crate::base::id::SubscriberId;
use crate::model::bounce;
use crate::model::profile::ProfileChange;
use crate::model::subscriber::Subscriber;
use crate::model::suppression::SuppressionReason;
use crate::store::decided::Decided;
use crate::store::engine::Batch;
use crate::store::subscribers::TooLarge;
use crate::store::{StoreError, subscribers};

use super::rulebook::{Instruction, Rulebook};

/// The outcome of a change to a person's details.
#[derive(Clone, Debug, PartialEq)]
pub enum Noted {
    /// The details were changed.
    Now(Box<Subscriber>),
    /// They were already as requested.
    Already(Box<Subscriber>),
    /// The new address belongs to another subscriber.
    Taken(Address, SubscriberId),
    /// The new address is suppressed.
    Suppressed(SuppressionReason),
    /// The record would be too large.
    TooLarge(TooLarge),
    /// No subscriber has this number.
    NoSubscriber,
}

impl Rulebook {
    /// Changes a person's details: language, beats and regions, name, organisation, attributes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn change_profile(
        &self,
        who: SubscriberId,
        profile: &ProfileChange,
        said: &Instruction,
    ) -> Result<Decided<Noted>, StoreError> {
        self.note(who, None, profile, said).await
    }

    /// Changes a person's address, and other details in the same commit. The address must not belong to another
    /// subscriber or be suppressed; the subscriptions are kept. Subscriptions suspended by bounces of the old address
    /// resume.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_address(
        &self,
        who: SubscriberId,
        address: &Address,
        profile: &ProfileChange,
        said: &Instruction,
    ) -> Result<Decided<Noted>, StoreError> {
        self.note(who, Some(address), profile, said).await
    }

    async fn note(
        &self,
        who: SubscriberId,
        address: Option<&Address>,
        profile: &ProfileChange,
        said: &Instruction,
    ) -> Result<Decided<Noted>, StoreError> {
        let Some(before) = self.store.subscriber(who).await? else {
            return Ok(Decided::unchanged(Noted::NoSubscriber));
        };
        let mut subscriber = before.value.clone();
        profile.apply(&mut subscriber);
        if let Some(address) = address {
            subscriber.address = address.clone();
        }
        let moves = subscriber.address.key() != before.value.address.key();
        if moves {
            bounce::reinstate(&mut subscriber, said.at, &bounce::by_rule(), "the address has changed");
        }
        if let Err(too_large) = subscribers::admit(&subscriber) {
            return Ok(Decided::unchanged(Noted::TooLarge(too_large)));
        }
        if subscriber == before.value {
            return Ok(Decided::unchanged(Noted::Already(Box::new(subscriber))));
        }
        subscriber.updated = said.at;
        let mut batch = Batch::new();
        if moves {
            if let Some(reason) = self.suppressed(&mut batch, &subscriber.address).await? {
                return Ok(Decided::unchanged(Noted::Suppressed(reason)));
            }
            if let Some(holder) = self.store.subscriber_by_address(&subscriber.address).await? {
                return Ok(Decided::unchanged(Noted::Taken(subscriber.address, holder.value.id)));
            }
        }
        subscribers::put_changed(&mut batch, &before, &subscriber);
        Ok(Decided { outcome: Noted::Now(Box::new(subscriber)), batch })
    }
}
