//! Everything known about one person, for them to receive (GDPR Articles 15 and 20): also for a person who is not a
//! subscriber, by address alone. It searches what an erasure searches.

use crate::base::address::Address;
use crate::base::id::SubscriberId;
use crate::model::bounce::Bounce;
use crate::model::inbound::Inbound;
use crate::model::ledger::{Delivery, Sequence};
use crate::model::mailing::Mailing;
use crate::model::notice::Notice;
use crate::model::pending_request::PendingRequest;
use crate::model::post::Post;
use crate::model::rsvp::Rsvp;
use crate::model::subscriber::Subscriber;
use crate::model::suppression::Suppression;
use crate::store::audit::KeptEntry;
use crate::store::{StoreError, mailings};
use crate::subscribers::profile::{PersonError, SubscriberService};

use super::personal_data::{Files, People, PersonalRecord};

/// Number of audit log entries read at a time.
const PAGE: usize = 500;

/// One person's whole record.
#[derive(Clone, Debug)]
pub struct PersonRecord {
    /// Their address.
    pub address: Address,
    /// Their subscriber record, with their subscriptions and the consent ledger of each, if they are a subscriber.
    pub subscriber: Option<Subscriber>,
    /// Whether they must not be mailed.
    pub suppression: Option<Suppression>,
    /// All mailings to them with the outcome, oldest first.
    pub deliveries: Vec<PersonDelivery>,
    /// Their bounces, oldest mailing first.
    pub bounces: Vec<Bounce>,
    /// Their answers to invitations, in order of event.
    pub rsvps: Vec<Rsvp>,
    /// Their requests made by mail.
    pub pending_requests: Vec<PendingRequest>,
    /// Notices to them, and those that mention them.
    pub notices: Vec<PersonalRecord<Notice>>,
    /// Mail from them, and mail that mentions them.
    pub inbound: Vec<PersonalRecord<Inbound>>,
    /// Posts by them, and posts that mention them.
    pub posts: Vec<PersonalRecord<Post>>,
    /// Audit log entries about them.
    pub audit: Vec<KeptEntry>,
}

impl PersonRecord {
    /// Whether nothing is known about them.
    fn is_empty(&self) -> bool {
        self.subscriber.is_none()
            && self.suppression.as_ref().is_none_or(|suppression| suppression.address.is_none())
            && self.rsvps.is_empty()
            && self.pending_requests.is_empty()
            && self.notices.is_empty()
            && self.inbound.is_empty()
            && self.posts.is_empty()
    }
}

/// The delivery of one mailing to one person.
#[derive(Clone, Debug)]
pub struct PersonDelivery {
    /// The mailing.
    pub mailing: Mailing,
    /// The person's position in its audience.
    pub sequence: Sequence,
    /// The delivery's state.
    pub delivery: Delivery,
}

impl SubscriberService {
    /// Everything known about one person, by number or address; with `files`, also what only mail contains.
    ///
    /// # Errors
    /// [`PersonError::NotFound`] when nothing is known, [`PersonError::Store`], [`PersonError::Incomplete`].
    pub async fn record(&self, who: &str, files: Option<&Files>) -> Result<PersonRecord, PersonError> {
        let not_found = || PersonError::NotFound(who.to_owned());
        let (address, subscriber) = match self.find(who).await {
            Ok(found) => (found.value.address.clone(), Some(found.value)),
            Err(PersonError::NotFound(_)) => (who.parse().map_err(|_| not_found())?, None),
            Err(error) => return Err(error),
        };
        let (store, hash, id) = (&self.store, self.key.hash_address(&address), subscriber.as_ref().map(|s| s.id));
        let people = People::new(&[(address.clone(), hash, id)]);
        let rsvps = store.rsvps_of(&hash, id).await?;
        let mut record = PersonRecord {
            suppression: store.suppression(&hash).await?.map(|read| read.value),
            deliveries: Vec::new(),
            bounces: Vec::new(),
            rsvps: rsvps.into_iter().map(|(_, read)| read.value).collect(),
            pending_requests: people.pending_requests(store).await?.into_iter().map(|entry| entry.read.value).collect(),
            notices: people.notices(store).await?.whole()?,
            inbound: people.inbound(store, files.map(|files| &files.spool), None).await?.whole()?,
            posts: people.posts(store, files.map(|files| &files.blobs)).await?.whole()?,
            audit: Vec::new(),
            address,
            subscriber,
        };
        if record.is_empty() {
            return Err(not_found());
        }
        if let Some(id) = id {
            record.deliveries = self.deliveries(id).await?;
            record.bounces = store.bounces_of(id).await?.into_iter().map(|read| read.value).collect();
            record.audit = self.audited(&id.to_string()).await?;
        }
        Ok(record)
    }

    async fn deliveries(&self, subscriber: SubscriberId) -> Result<Vec<PersonDelivery>, StoreError> {
        let mut deliveries = Vec::new();
        let mut mailings = self.store.pages(mailings::all());
        while let Some(read) = mailings.next().await? {
            let mailing = read.value;
            if let Some(row) = self.store.row_of(&mailing, subscriber).await? {
                let delivery = mailing.settle(row.delivery);
                deliveries.push(PersonDelivery { sequence: row.sequence, delivery, mailing });
            }
        }
        Ok(deliveries)
    }

    async fn audited(&self, id: &str) -> Result<Vec<KeptEntry>, StoreError> {
        let (mut about, mut after) = (Vec::new(), 0);
        loop {
            let page = self.store.audit_entries(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(about) };
            after = last.entry.number;
            about.extend(page.into_iter().filter(|kept| kept.entry.mentions(id)));
        }
    }
}
