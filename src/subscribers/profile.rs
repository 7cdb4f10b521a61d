//! What an operator does with one person's records: add, edit, put on and take off lists, suppress, erase, and show
//! everything that is known.

use std::collections::BTreeMap;

use crate::base::address::{Address, AddressError};
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, SubscriberId};
use crate::base::language::Language;
use crate::base::token;
use crate::base::unicode;
use crate::model::bounce;
use crate::model::consent::ConsentSource;
use crate::model::subscriber::{Subscriber, SubscriptionError, SubscriptionState};
use crate::model::suppression::{Suppression, SuppressionReason};
use crate::store::engine::{Batch, Commit};
use crate::store::{CONFLICT_TRIES, Read, Store, StoreError, subscribers, suppressions};

use super::import::columns::attribute_name;
use super::import::headings::Headings;
use super::import::row;

/// Where one operator works at one moment.
#[derive(Clone)]
pub struct SubscriberService {
    /// The store.
    pub store: Store,
    /// The installation's key: suppressed addresses are known by their keyed hash.
    pub key: token::Key,
    /// When.
    pub at: Timestamp,
    /// Who, for the consent ledger.
    pub who: String,
}

/// What is to be known of a person. `None` leaves a field as it is, an empty text clears it.
#[derive(Clone, Debug, Default)]
pub struct PersonFields {
    /// Where mail goes; cannot be cleared.
    pub address: Option<String>,
    /// The whole name.
    pub name: Option<String>,
    /// A language tag; cannot be cleared.
    pub language: Option<String>,
    /// The newsroom or organisation.
    pub organisation: Option<String>,
    /// All beats, divided by `,`, `;` or `|`.
    pub beats: Option<String>,
    /// All regions, likewise.
    pub regions: Option<String>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, String>,
}

/// What is to become of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// Put on the list, on the words that the person agreed to.
    Subscribe,
    /// Taken off for good.
    Unsubscribe,
    /// Stopped for a time.
    Pause,
    /// Begun again after a pause, or after a suspension by bounces.
    Resume,
}

/// Why something was not done with a person's records.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// Nobody is known by that.
    #[error("nobody is known as \u{201c}{0}\u{201d}")]
    NotFound(String),
    /// There is no such list.
    #[error("there is no list \u{201c}{0}\u{201d}")]
    NoList(ListName),
    /// A field holds something wrong.
    #[error("{0}")]
    Wrong(String),
    /// Somebody else has the address.
    #[error("{address} belongs to subscriber {holder} already")]
    Taken {
        /// The address.
        address: Address,
        /// Who has it.
        holder: SubscriberId,
    },
    /// The address must not be mailed.
    #[error("the address must not be mailed (suppressed: {})", .0.word())]
    Suppressed(SuppressionReason),
    /// The subscription cannot become that.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not everything could be looked through.
    #[error("{0}")]
    Incomplete(String),
}

impl From<AddressError> for PersonError {
    fn from(error: AddressError) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl SubscriberService {
    /// The person known by a subscriber number such as `s17`, or by an address.
    ///
    /// # Errors
    /// [`PersonError::NotFound`], [`PersonError::Store`].
    pub async fn find(&self, who: &str) -> Result<Read<Subscriber>, PersonError> {
        let found = match (who.parse::<SubscriberId>(), who.parse::<Address>()) {
            (Ok(id), _) => self.store.subscriber(id).await?,
            (_, Ok(address)) => self.store.subscriber_by_address(&address).await?,
            (Err(_), Err(error)) if who.contains('@') => return Err(error.into()),
            (Err(_), Err(_)) => None,
        };
        found.ok_or_else(|| PersonError::NotFound(who.to_owned()))
    }

    /// Adds a person, on no list yet. Nobody whose address is suppressed is added.
    ///
    /// # Errors
    /// [`PersonError`].
    pub async fn add(&self, fields: &PersonFields) -> Result<Subscriber, PersonError> {
        let address: Address = fields.address.as_deref().unwrap_or_default().parse()?;
        let mut subscriber = Subscriber {
            id: SubscriberId(0),
            address: address.clone(),
            name: None,
            language: Language::swedish(),
            organisation: None,
            beats: Default::default(),
            regions: Default::default(),
            attributes: Default::default(),
            subscriptions: Default::default(),
            created: self.at,
            updated: self.at,
        };
        fill(&mut subscriber, fields)?;
        subscriber.id = SubscriberId(self.store.allocate(subscribers::COUNTER, 1).await?);
        for _ in 0..CONFLICT_TRIES {
            let mut batch = Batch::new();
            self.demand_not_suppressed(&mut batch, &address).await?;
            if let Some(holder) = self.store.subscriber_by_address(&address).await? {
                return Err(PersonError::Taken { address, holder: holder.value.id });
            }
            subscribers::put_new(&mut batch, &subscriber);
            if self.store.commit(batch).await? == Commit::Applied {
                return Ok(subscriber);
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// Changes what is known of a person. A new address must be nobody's, and not suppressed; what bounces suspended
    /// begins again with it.
    ///
    /// # Errors
    /// [`PersonError`].
    pub async fn edit(&self, id: SubscriberId, fields: &PersonFields) -> Result<Subscriber, PersonError> {
        self.update(id, false, |subscriber| {
            let former = subscriber.address.key();
            fill(subscriber, fields)?;
            if subscriber.address.key() != former {
                bounce::reinstate(subscriber, self.at, &bounce::by_rule(), "the address is another now");
            }
            Ok(())
        })
        .await
    }

    /// Changes a subscription, with the words that the person agreed to, or the reason. The state it has already is no
    /// error. An ended one is never begun anew (invariant 4).
    ///
    /// # Errors
    /// [`PersonError`].
    pub async fn change_subscription(
        &self,
        id: SubscriberId,
        list: &ListName,
        change: SubscriptionChange,
        words: &str,
    ) -> Result<Subscriber, PersonError> {
        use SubscriptionState::{Active, Ended, Paused, Suspended};
        if self.store.list(list).await?.is_none() {
            return Err(PersonError::NoList(list.clone()));
        }
        let begins = matches!(change, SubscriptionChange::Subscribe | SubscriptionChange::Resume);
        if words.trim().is_empty() && change == SubscriptionChange::Subscribe {
            return Err(PersonError::Wrong(
                "say with --consent, in their words, what they agreed to and how".to_owned(),
            ));
        }
        self.update(id, begins, |subscriber| {
            let state = match (change, subscriber.state_on(list)) {
                (SubscriptionChange::Subscribe, _) => Active,
                (_, None) => return Err(SubscriptionError::None(list.clone()).into()),
                (SubscriptionChange::Unsubscribe, _) => Ended,
                (SubscriptionChange::Pause, Some(Active)) => Paused,
                (SubscriptionChange::Resume, Some(Paused | Suspended)) => Active,
                (SubscriptionChange::Pause | SubscriptionChange::Resume, Some(Ended)) => {
                    return Err(SubscriptionError::Ended(list.clone()).into());
                }
                (SubscriptionChange::Pause | SubscriptionChange::Resume, Some(state)) => state,
            };
            let source = ConsentSource::Operator { who: self.who.clone() };
            subscriber.change(list, state, self.at, source, words.trim().to_owned())?;
            match change {
                SubscriptionChange::Subscribe => {
                    subscribers::admit(subscriber).map_err(|too_large| PersonError::Wrong(too_large.to_string()))
                }
                // What only makes mail stop, or go on, is never refused.
                _ => Ok(()),
            }
        })
        .await
    }

    /// Suppresses an address, known or not: it gets no mail any more. `false` when it was suppressed already, which
    /// is left as it is.
    ///
    /// # Errors
    /// [`PersonError::Store`].
    pub async fn suppress(
        &self,
        address: &Address,
        reason: SuppressionReason,
        note: &str,
    ) -> Result<bool, PersonError> {
        let hash = self.key.hash_address(address);
        let suppression =
            Suppression { address: Some(address.clone()), reason, since: self.at, note: note.trim().to_owned() };
        for _ in 0..CONFLICT_TRIES {
            if self.store.is_suppressed(&hash).await? {
                return Ok(false);
            }
            let mut batch = Batch::new();
            suppressions::put(&mut batch, &hash, None, &suppression);
            if self.store.commit(batch).await? == Commit::Applied {
                return Ok(true);
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// Lifts a suppression: gives what it was, `None` when there was none. It begins no subscription.
    ///
    /// # Errors
    /// [`PersonError::Store`].
    pub async fn unsuppress(&self, address: &Address) -> Result<Option<Suppression>, PersonError> {
        let hash = self.key.hash_address(address);
        for _ in 0..CONFLICT_TRIES {
            let Some(before) = self.store.suppression(&hash).await? else { return Ok(None) };
            let mut batch = Batch::new();
            suppressions::delete(&mut batch, &hash, before.stamp);
            if self.store.commit(batch).await? == Commit::Applied {
                return Ok(Some(before.value));
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// Reads, changes, writes, anew when others changed it. With `mails`, and whenever the address changes, the
    /// address must not be suppressed.
    async fn update(
        &self,
        id: SubscriberId,
        mails: bool,
        change: impl Fn(&mut Subscriber) -> Result<(), PersonError>,
    ) -> Result<Subscriber, PersonError> {
        for _ in 0..CONFLICT_TRIES {
            let read = self.store.subscriber(id).await?;
            let before = read.ok_or_else(|| PersonError::NotFound(id.to_string()))?;
            let mut subscriber = before.value.clone();
            change(&mut subscriber)?;
            if subscriber == before.value {
                return Ok(subscriber);
            }
            subscriber.updated = self.at;
            let mut batch = Batch::new();
            let moves = subscriber.address.key() != before.value.address.key();
            if mails || moves {
                self.demand_not_suppressed(&mut batch, &subscriber.address).await?;
            }
            if moves && let Some(holder) = self.store.subscriber_by_address(&subscriber.address).await? {
                return Err(PersonError::Taken { address: subscriber.address, holder: holder.value.id });
            }
            subscribers::put_changed(&mut batch, &before, &subscriber);
            if self.store.commit(batch).await? == Commit::Applied {
                return Ok(subscriber);
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// Refuses a suppressed address, and lets the batch fail when it becomes suppressed before it applies.
    async fn demand_not_suppressed(&self, batch: &mut Batch, address: &Address) -> Result<(), PersonError> {
        let edition = self.store.suppressions_edition().await?;
        suppressions::expect_edition(batch, edition);
        match self.store.suppression(&self.key.hash_address(address)).await? {
            Some(found) => Err(PersonError::Suppressed(found.value.reason)),
            None => Ok(()),
        }
    }
}

fn known_words() -> Result<Headings, PersonError> {
    Headings::shipped().map_err(|error| PersonError::Wrong(error.to_string()))
}

fn fill(subscriber: &mut Subscriber, fields: &PersonFields) -> Result<(), PersonError> {
    let line = |what: &str, text: &str| -> Result<Option<String>, PersonError> {
        let text = row::one_line(what, text).map_err(PersonError::Wrong)?;
        Ok((!text.is_empty()).then_some(text))
    };
    if let Some(address) = &fields.address {
        subscriber.address = address.parse()?;
    }
    if let Some(name) = &fields.name {
        subscriber.name = line("the name", name)?;
    }
    if let Some(language) = &fields.language {
        subscriber.language = known_words()?.language(language).map_err(PersonError::Wrong)?;
    }
    if let Some(organisation) = &fields.organisation {
        subscriber.organisation = line("the organisation", organisation)?;
    }
    if let Some(beats) = &fields.beats {
        subscriber.beats = row::words("the beats", beats).map_err(PersonError::Wrong)?;
    }
    if let Some(regions) = &fields.regions {
        subscriber.regions = row::words("the regions", regions).map_err(PersonError::Wrong)?;
    }
    for (name, value) in &fields.attributes {
        // One that a file gave before its heading got a meaning can still be changed and cleared.
        let name = match subscriber.attributes.contains_key(unicode::key(name).as_ref()) {
            true => unicode::key(name).into_owned(),
            false => attribute_name(name, &known_words()?).map_err(|e| PersonError::Wrong(e.to_string()))?,
        };
        match row::attribute(&name, value).map_err(PersonError::Wrong)? {
            Some(value) => subscriber.attributes.insert(name, value),
            None => subscriber.attributes.remove(&name),
        };
    }
    subscribers::admit(subscriber).map_err(|too_large| PersonError::Wrong(too_large.to_string()))
}
