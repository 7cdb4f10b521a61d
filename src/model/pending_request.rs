//! What somebody asked for by mail, and what makes it come true.
//!
//! A From field proves nothing, so nothing is done on its word alone: what was asked for is kept here, and a question with
//! a signed token goes to the address that it is about. A reply with the token grants it, once and in time. Nobody becomes
//! a subscriber before.

use std::collections::BTreeSet;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, PendingRequestId};
use crate::base::language::Language;

use super::consent::ConsentSource;
use super::present::Present;
use super::subscriber::{Subscriber, SubscriptionState};

/// Something asked for, waiting for its confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRequest {
    /// Its name, which is in its token.
    pub id: PendingRequestId,
    /// For whom; may be nobody's yet.
    pub address: Address,
    /// The list that was written to.
    pub list: ListName,
    /// The language of the notices about it.
    pub language: Language,
    /// What is to happen, in this order.
    pub actions: Vec<Action>,
    /// The words that are agreed to, as they stand in the question.
    pub words: String,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Until when it may be granted; afterwards the record may be forgotten.
    pub expires: Timestamp,
    /// Where it stands.
    pub state: PendingState,
}

/// Where a wish stands. Its token is good for one step only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingState {
    /// Not answered yet.
    Open,
    /// Confirmed and done.
    Granted {
        /// When.
        at: Timestamp,
    },
    /// The answer was no.
    Declined {
        /// When.
        at: Timestamp,
    },
}

/// One thing that a mail may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// To be on the list.
    Subscribe,
    /// To leave it.
    Unsubscribe,
    /// No mail from it for a time.
    Pause,
    /// Mail again after a pause.
    Resume,
    /// Mails in this language.
    Language(Language),
    /// These beats in place of those known.
    Beats(BTreeSet<String>),
    /// These regions, likewise.
    Regions(BTreeSet<String>),
}

impl PendingRequest {
    /// Whether it asks for this.
    pub fn asks_for(&self, action: &Action) -> bool {
        self.actions.contains(action)
    }

    /// Whether its time is over.
    pub fn is_over(&self, present: &Present) -> bool {
        present.is_over(self.asked, self.expires)
    }

    /// Carries the wish out on a subscriber who is there or is about to be. What has no effect (leaving a list that one is
    /// not on, resuming what was ended) changes nothing.
    pub fn grant(&self, subscriber: &mut Subscriber, at: Timestamp, source: &ConsentSource, words: &str) {
        use SubscriptionState::{Active, Ended, Paused, Suspended};
        for action in &self.actions {
            let state = match (action, subscriber.state_on(&self.list)) {
                (Action::Subscribe, _) => Some(Active),
                (Action::Unsubscribe, Some(_)) => Some(Ended),
                (Action::Pause, Some(Active)) => Some(Paused),
                (Action::Resume, Some(Paused | Suspended)) => Some(Active),
                _ => None,
            };
            match action {
                Action::Language(language) => subscriber.language = language.clone(),
                Action::Beats(beats) => subscriber.beats = beats.clone(),
                Action::Regions(regions) => subscriber.regions = regions.clone(),
                _ => {}
            }
            if let Some(state) = state {
                // Refused only where somebody other than the subscriber would revive what ended.
                let _ = subscriber.change(&self.list, state, at, source.clone(), words.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::SubscriberId;

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
        assert_eq!(after(&mut karin, Action::Resume), Some(Ended), "only a new subscription begins anew");
        assert_eq!(after(&mut karin, Action::Pause), Some(Ended));
        assert_eq!(after(&mut karin, Action::Subscribe), Some(Active));
        after(&mut karin, Action::Language(Language::english()));
        assert_eq!(karin.language.as_str(), "en");
    }
}
