//! What somebody asked for by mail, and what makes it come true.
//!
//! A From field proves nothing, so nothing is done on its word alone: what was asked for is kept here, and a question with
//! a signed token goes to the address that it is about. A reply with the token grants it, once and in time. Nobody becomes
//! a subscriber before.

use std::collections::BTreeSet;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, WishId};
use crate::base::language::Language;

use super::consent::ConsentSource;
use super::present::Present;
use super::profile::ProfileChange;
use super::subscriber::Subscriber;
use super::subscription::Wanted;

/// Something asked for, waiting for its confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its name, which is in its token.
    pub id: WishId,
    /// For whom; may be nobody's yet.
    pub address: Address,
    /// The list that was written to.
    pub list: ListName,
    /// The language of the letters about it.
    pub language: Language,
    /// What is to happen, in this order.
    pub deeds: Vec<Deed>,
    /// The words that are agreed to, as they stand in the question.
    pub words: String,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Until when it may be granted; afterwards the record may be forgotten.
    pub expires: Timestamp,
    /// Where it stands.
    pub state: WishState,
}

/// Where a wish stands. Its token is good for one step only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WishState {
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
pub enum Deed {
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

impl Wish {
    /// Whether it asks for this.
    pub fn asks_for(&self, deed: &Deed) -> bool {
        self.deeds.contains(deed)
    }

    /// Whether its time is over.
    pub fn is_over(&self, present: &Present) -> bool {
        present.is_over(self.asked, self.expires)
    }

    /// Carries the wish out on a subscriber who is there or is about to be. What has no effect (leaving a list that one is
    /// not on, resuming what was ended) changes nothing.
    pub fn grant(&self, subscriber: &mut Subscriber, at: Timestamp, source: &ConsentSource, words: &str) {
        for deed in &self.deeds {
            match deed.effect() {
                // Refused where it has no effect: there is nothing to leave, or what it would resume has ended.
                Effect::Subscription(wanted) => drop(subscriber.want(&self.list, wanted, at, source, words)),
                Effect::Profile(change) => drop(change.apply(subscriber)),
            }
        }
    }
}

/// What a deed changes.
enum Effect {
    Subscription(Wanted),
    Profile(ProfileChange),
}

impl Deed {
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

    fn after(subscriber: &mut Subscriber, deed: Deed) -> Option<SubscriptionState> {
        let list: ListName = "media".parse().unwrap();
        let wish = Wish {
            id: WishId(1),
            address: subscriber.address.clone(),
            list: list.clone(),
            language: Language::swedish(),
            deeds: vec![deed],
            words: String::new(),
            asked: at(0),
            expires: at(60),
            state: WishState::Open,
        };
        let source = ConsentSource::Mail { message_id: "a@example.org".into(), evidence: None };
        wish.grant(subscriber, at(1), &source, "ja");
        subscriber.state_on(&list)
    }

    #[test]
    fn a_wish_changes_what_it_can_and_nothing_else() {
        use SubscriptionState::*;
        let mut karin = karin();
        assert_eq!(after(&mut karin, Deed::Unsubscribe), None);
        assert_eq!(after(&mut karin, Deed::Resume), None);
        assert_eq!(after(&mut karin, Deed::Subscribe), Some(Active));
        assert_eq!(after(&mut karin, Deed::Resume), Some(Active));
        assert_eq!(after(&mut karin, Deed::Pause), Some(Paused));
        assert_eq!(after(&mut karin, Deed::Resume), Some(Active));
        assert_eq!(after(&mut karin, Deed::Unsubscribe), Some(Ended));
        assert_eq!(after(&mut karin, Deed::Resume), Some(Ended), "only a new subscription begins anew");
        assert_eq!(after(&mut karin, Deed::Pause), Some(Ended));
        assert_eq!(after(&mut karin, Deed::Subscribe), Some(Active));
        after(&mut karin, Deed::Language(Language::english()));
        assert_eq!(karin.language.as_str(), "en");
    }
}
