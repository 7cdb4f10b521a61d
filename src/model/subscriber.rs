//! A subscriber and its subscriptions.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, SubscriberId};
use crate::base::language::Language;

use super::consent::{ConsentEvent, ConsentSource};

use super::subscription::{Refused, Wanted, after};

pub use super::subscription::SubscriptionState;

/// One person or newsroom with one address.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscriber {
    /// Its id, used in the ledger and in tokens.
    pub id: SubscriberId,
    /// Where mail is sent.
    pub address: Address,
    /// The person's name, as they write it.
    pub name: Option<String>,
    /// The language of mails to them.
    pub language: Language,
    /// The newsroom or organisation.
    pub organisation: Option<String>,
    /// Beats (subjects) they cover, lower case.
    pub beats: BTreeSet<String>,
    /// Regions they cover, lower case.
    pub regions: BTreeSet<String>,
    /// Further data kept by the organisation; usable in templates and queries.
    pub attributes: BTreeMap<String, String>,
    /// One for each list they were ever on.
    pub subscriptions: BTreeMap<ListName, Subscription>,
    /// When the record was created.
    pub created: Timestamp,
    /// When last changed.
    pub updated: Timestamp,
}

/// A subscriber's membership of one list, with its whole history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its current state: the result of the last event.
    pub state: SubscriptionState,
    /// Every change, oldest first; never empty.
    pub events: Vec<ConsentEvent>,
}

/// Why a subscription could not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// Invariant 4: an import or an operator never revives what the subscriber ended.
    #[error("the subscription to {0} was ended; only the subscriber can start it again")]
    Ended(ListName),
    /// The subscription does not exist.
    #[error("there is no subscription to {0}")]
    None(ListName),
}

impl Subscriber {
    /// A person known only by address and language, on no list and without a number.
    pub(crate) fn blank(address: Address, language: Language, at: Timestamp) -> Self {
        Self {
            id: SubscriberId(0),
            address,
            name: None,
            language,
            organisation: None,
            beats: BTreeSet::new(),
            regions: BTreeSet::new(),
            attributes: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            created: at,
            updated: at,
        }
    }

    /// The state on `list`, if there ever was a subscription.
    pub fn state_on(&self, list: &ListName) -> Option<SubscriptionState> {
        self.subscriptions.get(list).map(|s| s.state)
    }

    /// Applies a wanted change to the subscription to `list`, by the rule of [`after`]; returns whether it changed.
    ///
    /// # Errors
    /// [`SubscriptionError`] when the rule refuses it; nothing was changed.
    pub fn want(
        &mut self,
        list: &ListName,
        wanted: Wanted,
        at: Timestamp,
        by: &ConsentSource,
        words: &str,
    ) -> Result<bool, SubscriptionError> {
        let now = self.state_on(list);
        let state = after(now, wanted, by.channel()).map_err(|refused| match refused {
            Refused::Ended => SubscriptionError::Ended(list.clone()),
            Refused::None => SubscriptionError::None(list.clone()),
        })?;
        if now == Some(state) {
            return Ok(false);
        }
        self.change(list, state, at, by.clone(), words.to_owned())
    }

    /// Moves the subscription to `list` into `state`, with its evidence. Setting the same state again changes
    /// nothing.
    ///
    /// # Errors
    /// [`SubscriptionError::Ended`] when an ended subscription would be revived by anyone but the subscriber
    /// (invariant 4).
    pub fn change(
        &mut self,
        list: &ListName,
        state: SubscriptionState,
        at: Timestamp,
        source: ConsentSource,
        words: String,
    ) -> Result<bool, SubscriptionError> {
        let before = self.state_on(list);
        if before == Some(state) {
            return Ok(false);
        }
        if before == Some(SubscriptionState::Ended) && !source.channel().is_of_the_person() {
            return Err(SubscriptionError::Ended(list.clone()));
        }
        let event = ConsentEvent { at, became: state, source, words };
        let subscription =
            self.subscriptions.entry(list.clone()).or_insert_with(|| Subscription { state, events: Vec::new() });
        subscription.state = state;
        subscription.events.push(event);
        self.updated = at;
        Ok(true)
    }
}
