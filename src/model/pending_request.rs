//! Pending requests without proof, through any channel, and how a confirmation carries them out.
//!
//! A From field proves nothing, so nothing is done because of it alone: the request is stored here, and a question
//! with a signed token is sent to the address concerned. A reply with the token grants it, once and in time. A person
//! becomes a subscriber only then.

use std::collections::BTreeSet;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, PendingRequestId};
use crate::base::language::Language;

use super::consent::{ConsentSource, ended_since};
use super::present::Present;
use super::profile::ProfileChange;
use super::subscriber::Subscriber;
use super::subscription::Wanted;

/// A request waiting for its confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRequest {
    /// Its id, which is part of its token.
    pub id: PendingRequestId,
    /// The address concerned; it need not be a subscriber's yet.
    pub address: Address,
    /// The list that it is about.
    pub list: ListName,
    /// The language of the notices about it.
    pub language: Language,
    /// The requested actions, in this order.
    pub actions: Vec<Action>,
    /// The wording agreed to, as in the question.
    pub words: String,
    /// When it was requested.
    pub asked: Timestamp,
    /// Until when it may be granted; afterwards the record may be deleted.
    pub expires: Timestamp,
    /// Its state.
    pub state: PendingState,
}

/// The state of a pending request. Its token is valid for one transition only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingState {
    /// Not answered yet.
    Open,
    /// Confirmed and done.
    Granted {
        /// When.
        at: Timestamp,
    },
    /// Declined.
    Declined {
        /// When.
        at: Timestamp,
    },
}

/// One action that may be requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Subscribe to the list.
    Subscribe,
    /// Leave the list.
    Unsubscribe,
    /// Pause mail from the list.
    Pause,
    /// Resume mail after a pause.
    Resume,
    /// Set the language of mails.
    Language(Language),
    /// Replace the beats.
    Beats(BTreeSet<String>),
    /// Replace the regions.
    Regions(BTreeSet<String>),
}

impl PendingRequest {
    /// Whether it requests this action.
    pub(crate) fn asks_for(&self, action: &Action) -> bool {
        self.actions.contains(action)
    }

    /// Whether its time to be granted has passed.
    pub(crate) fn is_over(&self, present: &Present) -> bool {
        present.is_over(self.asked, self.expires)
    }

    /// Whether the person left the list after they asked to join it: then a confirmation carries nothing out
    /// ([`ended_since`]).
    pub(crate) fn is_outdated(&self, subscriber: &Subscriber, now: Timestamp) -> bool {
        let events = subscriber.subscriptions.get(&self.list).map_or(&[][..], |subscription| &subscription.events);
        self.asks_for(&Action::Subscribe) && ended_since(events, self.asked, now)
    }

    /// Carries the request out on an existing or new subscriber. Actions without effect (leaving a list they are not
    /// on, resuming what was ended) change nothing. It must not be [outdated](PendingRequest::is_outdated).
    pub(crate) fn grant(&self, subscriber: &mut Subscriber, at: Timestamp, source: &ConsentSource, words: &str) {
        for action in &self.actions {
            match action.effect() {
                // Refused where it has no effect: there is nothing to leave, or what it would resume has ended.
                Effect::Subscription(wanted) => drop(subscriber.want(&self.list, wanted, at, source, words)),
                Effect::Profile(change) => drop(change.apply(subscriber)),
            }
        }
    }
}

/// What an action changes.
enum Effect {
    Subscription(Wanted),
    Profile(ProfileChange),
}

impl Action {
    fn effect(&self) -> Effect {
        let profile = ProfileChange::default();
        match self {
            Self::Subscribe => Effect::Subscription(Wanted::Join),
            Self::Unsubscribe => Effect::Subscription(Wanted::Leave),
            Self::Pause => Effect::Subscription(Wanted::Pause),
            Self::Resume => Effect::Subscription(Wanted::Resume),
            Self::Language(language) => Effect::Profile(ProfileChange { language: Some(language.clone()), ..profile }),
            Self::Beats(beats) => Effect::Profile(ProfileChange { beats: Some(beats.clone()), ..profile }),
            Self::Regions(regions) => Effect::Profile(ProfileChange { regions: Some(regions.clone()), ..profile }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::SubscriberId;
    use crate::model::subscription::SubscriptionState;

    fn at(minutes: i64) -> Timestamp {
        "2026-11-23T08:00:00Z".parse::<Timestamp>().unwrap() + chrono::Duration::minutes(minutes)
    }

    fn karin() -> Subscriber {
        Subscriber {
            id: SubscriberId(1),
            address: "karin@example.org".parse().unwrap(),
            name: None,
            language: Language::swedish(),
            organisation: None,
            beats: BTreeSet::new(),
            regions: BTreeSet::new(),
            attributes: Default::default(),
            subscriptions: Default::default(),
            created: at(0),
            updated: at(0),
        }
    }

    fn after(subscriber: &mut Subscriber, action: Action) -> Option<SubscriptionState> {
        let list: ListName = "media".parse().unwrap();
        let pending = PendingRequest {
            id: PendingRequestId(1),
            address: subscriber.address.clone(),
            list: list.clone(),
            language: Language::swedish(),
            actions: vec![action],
            words: String::new(),
            asked: at(0),
            expires: at(60),
            state: PendingState::Open,
        };
        let source = ConsentSource::Mail { message_id: "a@example.org".into(), evidence: None };
        pending.grant(subscriber, at(1), &source, "ja");
        subscriber.state_on(&list)
    }

    #[test]
    fn a_request_changes_what_it_can_and_nothing_else() {
        use SubscriptionState::*;
        let mut karin = karin();
        assert_eq!(after(&mut karin, Action::Unsubscribe), None);
        assert_eq!(after(&mut karin, Action::Resume), None);
        assert_eq!(after(&mut karin, Action::Subscribe), Some(Active));
        assert_eq!(after(&mut karin, Action::Resume), Some(Active));
        assert_eq!(after(&mut karin, Action::Pause), Some(Paused));
        assert_eq!(after(&mut karin, Action::Resume), Some(Active));
        assert_eq!(after(&mut karin, Action::Unsubscribe), Some(Ended));
        assert_eq!(after(&mut karin, Action::Resume), Some(Ended), "only a new subscription starts again");
        assert_eq!(after(&mut karin, Action::Pause), Some(Ended));
        assert_eq!(after(&mut karin, Action::Subscribe), Some(Active));
        after(&mut karin, Action::Language(Language::english()));
        assert_eq!(karin.language.as_str(), "en");
    }
}
