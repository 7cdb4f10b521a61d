//! Operations on one person's records by an operator: add, edit, subscribe, unsubscribe, suppress. An adapter to the
//! [`rulebook`](super::rulebook): it parses fields given as text, and turns outcomes into errors that state a remedy.

use std::collections::BTreeMap;

use crate::base::address::{Address, AddressError};
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, SubscriberId};
use crate::base::language::Language;
use crate::base::token;
use crate::base::unicode;
use crate::model::consent::ConsentSource;
use crate::model::profile::ProfileChange;
use crate::model::subscriber::{Subscriber, SubscriptionError};
use crate::model::suppression::{Suppression, SuppressionReason};
use crate::store::engine::Batch;
use crate::store::subscribers::TooLarge;
use crate::store::{Attempt, Read, Store, StoreError, subscribers, suppressions};

use super::details::Noted;
use super::import::columns::attribute_name;
use super::import::headings::Headings;
use super::import::row;
use super::leave::{Leaving, Left};
use super::membership::Changed;
use super::rulebook::{Instruction, Rulebook};

/// Operations by one operator, all recorded with the same time.
#[derive(Clone)]
pub struct SubscriberService {
    /// The store.
    pub store: Store,
    /// The installation's key; suppressed addresses are stored as keyed hashes.
    pub key: token::Key,
    /// The time of the changes.
    pub at: Timestamp,
    /// The operator, for the consent ledger.
    pub who: String,
}

/// Details of a person. `None` leaves a field unchanged, an empty text clears it.
#[derive(Clone, Debug, Default)]
pub struct PersonFields {
    /// The address that mail is sent to; cannot be cleared.
    pub address: Option<String>,
    /// The full name.
    pub name: Option<String>,
    /// A language tag; cannot be cleared.
    pub language: Option<String>,
    /// The newsroom or organisation.
    pub organisation: Option<String>,
    /// All beats, separated by `,`, `;` or `|`.
    pub beats: Option<String>,
    /// All regions, separated in the same way.
    pub regions: Option<String>,
    /// Attributes, by name.
    pub attributes: BTreeMap<String, String>,
}

/// A change to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// Add to the list, with the words that the person agreed to.
    Subscribe,
    /// End it permanently.
    Unsubscribe,
    /// Pause it.
    Pause,
    /// Resume it after a pause, or after a suspension by bounces.
    Resume,
}

/// Why an operation on a person's records failed.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// No subscriber has this number or address.
    #[error("no subscriber has the number or address \u{201c}{0}\u{201d}")]
    NotFound(String),
    /// No list has this name.
    #[error("there is no list \u{201c}{0}\u{201d}")]
    NoList(ListName),
    /// A field is invalid.
    #[error("{0}")]
    Wrong(String),
    /// Another subscriber has the address.
    #[error("{address} already belongs to subscriber {holder}")]
    Taken {
        /// The address that is taken.
        address: Address,
        /// That subscriber.
        holder: SubscriberId,
    },
    /// The address is suppressed.
    #[error("the address must not be mailed (suppressed: {})", .0.word())]
    Suppressed(SuppressionReason),
    /// The subscription's state does not allow the change.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not all records could be searched.
    #[error("{0}")]
    Incomplete(String),
}

impl From<TooLarge> for PersonError {
    fn from(too_large: TooLarge) -> Self {
        Self::Wrong(too_large.to_string())
    }
}

impl From<AddressError> for PersonError {
    fn from(error: AddressError) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl SubscriberService {
    /// The person with a subscriber number such as `s17`, or with an address.
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

    /// The rulebook over the same store and key.
    fn rulebook(&self) -> Rulebook {
        Rulebook { store: self.store.clone(), key: self.key.clone() }
    }

    /// The operator's instruction, for the consent ledger.
    fn said(&self, words: &str) -> Instruction {
        let by = ConsentSource::Operator { who: self.who.clone() };
        Instruction { by, words: words.trim().to_owned(), at: self.at }
    }

    /// Adds a person, without subscriptions. A suppressed address is refused.
    ///
    /// # Errors
    /// [`PersonError`].
    pub async fn add(&self, fields: &PersonFields) -> Result<Subscriber, PersonError> {
        let address: Address = fields.address.as_deref().unwrap_or_default().parse()?;
        let mut subscriber = Subscriber::blank(address.clone(), Language::swedish(), self.at);
        profile_of(&subscriber, fields)?.apply(&mut subscriber);
        subscribers::admit(&subscriber)?;
        subscriber.id = SubscriberId(self.store.allocate(subscribers::COUNTER, 1).await?);
        let (address, new) = (&address, &subscriber);
        let added = self.store.attempt(|| async move {
            let mut batch = Batch::new();
            if let Some(reason) = self.rulebook().suppressed(&mut batch, address).await? {
                return Err(PersonError::Suppressed(reason));
            }
            if let Some(holder) = self.store.subscriber_by_address(address).await? {
                return Err(PersonError::Taken { address: address.clone(), holder: holder.value.id });
            }
            subscribers::put_new(&mut batch, new);
            Ok(Attempt::Commit(batch, ()))
        });
        added.await?;
        Ok(subscriber)
    }

    /// Changes a person's details. A new address must not belong to another subscriber or be suppressed; subscriptions
    /// suspended by bounces resume with it.
    ///
    /// # Errors
    /// [`PersonError`].
    pub async fn edit(&self, id: SubscriberId, fields: &PersonFields) -> Result<Subscriber, PersonError> {
        let address: Option<Address> = fields.address.as_ref().map(|address| address.parse()).transpose()?;
        let (rulebook, said) = (self.rulebook(), self.said(""));
        let noted = self.store.carry_out(|| async {
            let known = self.store.subscriber(id).await?.ok_or_else(|| PersonError::NotFound(id.to_string()))?;
            let profile = profile_of(&known.value, fields)?;
            let decided = match &address {
                Some(address) => rulebook.change_address(id, address, &profile, &said).await,
                None => rulebook.change_profile(id, &profile, &said).await,
            };
            Ok::<_, PersonError>(decided?)
        });
        match noted.await? {
            Noted::Now(subscriber) | Noted::Already(subscriber) => Ok(*subscriber),
            Noted::Taken(address, holder) => Err(PersonError::Taken { address, holder }),
            Noted::Suppressed(reason) => Err(PersonError::Suppressed(reason)),
            Noted::TooLarge(too_large) => Err(too_large.into()),
            Noted::NoSubscriber => Err(PersonError::NotFound(id.to_string())),
        }
    }

    /// Changes a subscription, with the words that the person agreed to, or the reason. It is no error if the
    /// subscription is in that state already. An ended subscription is never resumed (invariant 4).
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
        let (rulebook, said) = (self.rulebook(), self.said(words));
        let changed = match change {
            SubscriptionChange::Unsubscribe => return self.take_off(id, list, &said).await,
            SubscriptionChange::Subscribe => self.store.carry_out(|| rulebook.enrol(id, list, &said)).await?,
            SubscriptionChange::Pause => self.store.carry_out(|| rulebook.pause(id, list, &said)).await?,
            SubscriptionChange::Resume => self.store.carry_out(|| rulebook.resume(id, list, &said)).await?,
        };
        match changed {
            Changed::Now(subscriber) | Changed::Already(subscriber) => Ok(*subscriber),
            Changed::Refused(error) => Err(error.into()),
            Changed::Suppressed(reason) => Err(PersonError::Suppressed(reason)),
            Changed::NoWords => {
                Err(PersonError::Wrong("say with --consent, in their words, what they agreed to and how".to_owned()))
            }
            Changed::NoList => Err(PersonError::NoList(list.clone())),
            Changed::NoSubscriber => Err(PersonError::NotFound(id.to_string())),
            Changed::TooLarge(too_large) => Err(too_large.into()),
        }
    }

    async fn take_off(&self, id: SubscriberId, list: &ListName, said: &Instruction) -> Result<Subscriber, PersonError> {
        let (rulebook, leaving) = (self.rulebook(), Leaving::List(id, list.clone()));
        match self.store.carry_out(|| rulebook.leave(&leaving, said)).await? {
            Left::Now { subscriber, .. } | Left::Before(subscriber) => Ok(*subscriber),
            Left::Never(_) | Left::NoList if self.store.list(list).await?.is_none() => {
                Err(PersonError::NoList(list.clone()))
            }
            Left::Never(_) | Left::NoList => Err(SubscriptionError::None(list.clone()).into()),
            Left::NoSubscriber => Err(PersonError::NotFound(id.to_string())),
        }
    }

    /// Suppresses an address, known or not: it gets no more mail. Returns `false` if it was suppressed already; that
    /// suppression is left unchanged.
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
        let (hash, suppression) = (&hash, &suppression);
        let suppressed = self.store.attempt(|| async move {
            if self.store.is_suppressed(hash).await? {
                return Ok(Attempt::Leave(false));
            }
            let mut batch = Batch::new();
            suppressions::put(&mut batch, hash, None, suppression);
            Ok(Attempt::Commit(batch, true))
        });
        suppressed.await
    }

    /// Lifts a suppression and returns it; `None` if the address was not suppressed. No subscription is resumed.
    ///
    /// # Errors
    /// [`PersonError::Store`].
    pub async fn unsuppress(&self, address: &Address) -> Result<Option<Suppression>, PersonError> {
        let hash = self.key.hash_address(address);
        let hash = &hash;
        let lifted = self.store.attempt(|| async move {
            let Some(before) = self.store.suppression(hash).await? else { return Ok(Attempt::Leave(None)) };
            let mut batch = Batch::new();
            suppressions::delete(&mut batch, hash, before.stamp);
            Ok(Attempt::Commit(batch, Some(before.value)))
        });
        lifted.await
    }
}

fn known_words() -> Result<Headings, PersonError> {
    Headings::shipped().map_err(|error| PersonError::Wrong(error.to_string()))
}

/// The changes to a subscriber's profile from fields given as text.
fn profile_of(subscriber: &Subscriber, fields: &PersonFields) -> Result<ProfileChange, PersonError> {
    let line = |what: &str, text: &Option<String>| -> Result<Option<Option<String>>, PersonError> {
        let Some(text) = text else { return Ok(None) };
        let text = row::one_line(what, text).map_err(PersonError::Wrong)?;
        Ok(Some((!text.is_empty()).then_some(text)))
    };
    let words = |what: &str, text: &Option<String>| {
        text.as_ref().map(|text| row::words(what, text)).transpose().map_err(PersonError::Wrong)
    };
    let language = match &fields.language {
        Some(language) => Some(known_words()?.language(language).map_err(PersonError::Wrong)?),
        None => None,
    };
    let mut attributes = BTreeMap::new();
    for (name, value) in &fields.attributes {
        // An attribute stored before its heading got a meaning of its own can still be changed and cleared.
        let name = match subscriber.attributes.contains_key(unicode::key(name).as_ref()) {
            true => unicode::key(name).into_owned(),
            false => attribute_name(name, &known_words()?).map_err(|e| PersonError::Wrong(e.to_string()))?,
        };
        let value = row::attribute(&name, value).map_err(PersonError::Wrong)?;
        attributes.insert(name, value);
    }
    Ok(ProfileChange {
        name: line("the name", &fields.name)?,
        language,
        organisation: line("the organisation", &fields.organisation)?,
        beats: words("the beats", &fields.beats)?,
        regions: words("the regions", &fields.regions)?,
        attributes,
    })
}
