//! Everything that is known of one person, for them to have (GDPR Article 15).

use crate::base::id::SubscriberId;
use crate::model::bounce::Bounce;
use crate::model::ledger::{Delivery, Sequence};
use crate::model::mailing::Mailing;
use crate::model::rsvp::Rsvp;
use crate::model::subscriber::Subscriber;
use crate::model::suppression::Suppression;
use crate::store::{Store, StoreError, ledger};

use super::{Desk, PersonError};

/// One person's whole record.
#[derive(Clone, Debug)]
pub struct PersonRecord {
    /// What is known of them, with their subscriptions and the consent ledger of each.
    pub subscriber: Subscriber,
    /// Whether they must not be mailed.
    pub suppression: Option<Suppression>,
    /// What became of every mailing to them, the oldest first.
    pub deliveries: Vec<PersonDelivery>,
    /// What came back, the oldest mailing first.
    pub bounces: Vec<Bounce>,
    /// What they answered to invitations, in order of event.
    pub rsvps: Vec<Rsvp>,
}

/// One mailing to one person.
#[derive(Clone, Debug)]
pub struct PersonDelivery {
    /// The mailing.
    pub mailing: Mailing,
    /// The person's place in its audience.
    pub sequence: Sequence,
    /// What became of it.
    pub delivery: Delivery,
}

impl Desk {
    /// Everything that is known of one person.
    ///
    /// # Errors
    /// [`PersonError::NotFound`], [`PersonError::Store`].
    pub async fn record(&self, who: &str) -> Result<PersonRecord, PersonError> {
        let subscriber = self.find(who).await?.value;
        let suppression = self.store.suppression(&self.key.hash_address(&subscriber.address)).await?;
        let mut deliveries = Vec::new();
        for mailing in self.store.mailings().await? {
            let mailing = mailing.value;
            if let Some(row) = row_of(&self.store, &mailing, subscriber.id).await? {
                deliveries.push(PersonDelivery {
                    sequence: row.sequence,
                    delivery: mailing.settle(row.delivery),
                    mailing,
                });
            }
        }
        let bounces = self.store.bounces_of(subscriber.id).await?.into_iter().map(|read| read.value).collect();
        let rsvps = self.store.rsvps_of(&self.key.hash_address(&subscriber.address), Some(subscriber.id)).await?;
        let rsvps = rsvps.into_iter().map(|(_, read)| read.value).collect();
        let suppression = suppression.map(|read| read.value);
        Ok(PersonRecord { subscriber, suppression, deliveries, bounces, rsvps })
    }
}

/// A person's delivery in one mailing. The audience rises with the subscriber's number, so a search by halves finds
/// its chunk with a dozen reads of a million.
///
/// # Errors
/// [`StoreError`].
pub async fn row_of(
    store: &Store,
    mailing: &Mailing,
    subscriber: SubscriberId,
) -> Result<Option<ledger::Row>, StoreError> {
    let Some(frozen) = mailing.frozen() else { return Ok(None) };
    let (mut low, mut high) = (0, frozen.chunks);
    while low < high {
        let middle = low + (high - low) / 2;
        let chunk = store.chunk(mailing.id, middle).await?;
        match (chunk.first(), chunk.last()) {
            (Some(first), _) if subscriber < *first => high = middle,
            (_, Some(last)) if subscriber > *last => low = middle + 1,
            _ => {
                let rows = store.chunk_rows(mailing.id, middle).await?;
                return Ok(rows.into_iter().find(|row| row.subscriber == subscriber));
            }
        }
    }
    Ok(None)
}
