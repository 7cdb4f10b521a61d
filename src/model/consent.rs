//! The consent ledger: when, how, from where and with what wording a subscription changed.

use crate::base::clock::Timestamp;
use crate::base::peer::Network;

use super::channel::Channel;
use super::subscription::SubscriptionState;

/// The rule of the system that ends a subscription because its reader complained.
pub(crate) const COMPLAINT: &str = "complaint";

/// One change of one subscription. Events are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentEvent {
    /// When it took effect.
    pub at: Timestamp,
    /// What the subscription became.
    pub became: SubscriptionState,
    /// How the change arrived.
    pub source: ConsentSource,
    /// The exact words agreed to, or the reason given.
    pub words: String,
}

/// How a change of a subscription arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsentSource {
    /// A row of an imported file.
    Import {
        /// The file's name, without its folder.
        file: String,
        /// The line in it, from 1.
        line: u64,
    },
    /// A person at the control API or the command line.
    Operator {
        /// The user, as the system names them.
        who: String,
    },
    /// A mail from the subscriber.
    Mail {
        /// Its Message-ID.
        message_id: String,
        /// SHA-256 of the original mail where it is kept as evidence; it is stored among the attachments under this
        /// name.
        evidence: Option<[u8; 32]>,
    },
    /// A form on a public page that the subscriber sent, with a signed token that went to their address. The words of the
    /// event are the form's text.
    Web {
        /// The network that it was sent from.
        network: Network,
        /// The revision of the form's text.
        revision: String,
    },
    /// A program with access to the API, with a signed token that went to the subscriber's address.
    Api {
        /// The name that its access has.
        client: String,
    },
    /// A bounce, a complaint or a rule of the system.
    System {
        /// The name of the rule.
        rule: String,
    },
}

impl ConsentSource {
    /// The channel that it came by.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Import { .. } => Channel::Import,
            Self::Operator { .. } => Channel::Operator,
            Self::Mail { .. } => Channel::Mail,
            Self::Web { .. } => Channel::Web,
            Self::Api { .. } => Channel::Api,
            Self::System { .. } => Channel::System,
        }
    }

    /// SHA-256 of the subscriber's own mail, where it is to be kept.
    pub(crate) fn evidence(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Mail { evidence, .. } => evidence.as_ref(),
            _ => None,
        }
    }
}

/// How well a subscription's basis can be proven, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// The subscriber's own mail, kept in its original form.
    KeptMail,
    /// A form that the subscriber sent: its text is kept, and when and from which network it came.
    Form,
    /// The subscriber's own mail, named and not kept.
    Mail,
    /// The words of another: an operator, the person who imported a file, a program with access to the API.
    Stated,
    /// None: no wording at all, or a rule of the system.
    None,
}

impl Proof {
    /// The word for it in commands, API and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::KeptMail => "own-mail-kept",
            Self::Form => "own-form",
            Self::Mail => "own-mail",
            Self::Stated => "stated",
            Self::None => "none",
        }
    }
}

impl ConsentEvent {
    /// SHA-256 of the subscriber's own mail, if it is to be kept.
    pub(crate) fn evidence(&self) -> Option<&[u8; 32]> {
        self.source.evidence()
    }

    /// Whether the person ended the subscription with it, by their own word or by a complaint.
    pub(crate) fn is_own_end(&self) -> bool {
        let own = match &self.source {
            ConsentSource::System { rule } => rule == COMPLAINT,
            source => source.channel().is_of_the_person(),
        };
        own && self.became == SubscriptionState::Ended
    }

    /// How well it proves that the subscriber agreed.
    pub fn proof(&self) -> Proof {
        match &self.source {
            ConsentSource::Mail { evidence: Some(_), .. } => Proof::KeptMail,
            ConsentSource::Mail { evidence: None, .. } => Proof::Mail,
            ConsentSource::System { .. } => Proof::None,
            _ if self.words.trim().is_empty() => Proof::None,
            ConsentSource::Web { .. } => Proof::Form,
            ConsentSource::Import { .. } | ConsentSource::Operator { .. } | ConsentSource::Api { .. } => Proof::Stated,
        }
    }
}

/// The event that a subscription is based on: the first that made it active since it last ended or, for an ended one,
/// that of its last active period. A resumption is not a basis: it continues an earlier one.
pub(crate) fn basis(events: &[ConsentEvent]) -> Option<&ConsentEvent> {
    let last_active = events.iter().rposition(|event| event.became == SubscriptionState::Active)?;
    let run = events[..last_active].iter().rposition(|event| event.became == SubscriptionState::Ended);
    events[run.map_or(0, |ended| ended + 1)..].iter().find(|event| event.became == SubscriptionState::Active)
}

/// Whether the person ended a subscription with this history after they asked for it at `asked`, as known at `now`.
/// A late confirmation of that request must not begin the subscription again: an end is undone only by what was asked
/// for after it. An end that lies after `now` was recorded by a wrong clock and does not count, otherwise the person
/// could not come back before that time.
pub(crate) fn ended_since(events: &[ConsentEvent], asked: Timestamp, now: Timestamp) -> bool {
    let has_ended = events.last().is_some_and(|last| last.became == SubscriptionState::Ended);
    has_ended && events.iter().any(|event| event.is_own_end() && event.at > asked && event.at <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use SubscriptionState::{Active, Ended, Paused, Pending, Suspended};

    fn events(became: &[SubscriptionState]) -> Vec<ConsentEvent> {
        let event = |(number, became): (usize, &SubscriptionState)| ConsentEvent {
            at: Timestamp::default(),
            became: *became,
            source: ConsentSource::Operator { who: "kim".into() },
            words: number.to_string(),
        };
        became.iter().enumerate().map(event).collect()
    }

    fn check(became: &[SubscriptionState]) -> Option<String> {
        basis(&events(became)).map(|event| event.words.clone())
    }

    #[test]
    fn a_subscription_rests_on_what_last_began_it() {
        assert_eq!(check(&[]), None);
        assert_eq!(check(&[Pending]), None);
        assert_eq!(check(&[Pending, Active]).as_deref(), Some("1"));
        assert_eq!(check(&[Active, Paused, Active, Suspended, Active]).as_deref(), Some("0"));
        assert_eq!(check(&[Active, Ended, Active, Paused, Active]).as_deref(), Some("2"));
        assert_eq!(check(&[Active, Ended, Active, Paused, Ended]).as_deref(), Some("2"));
    }

    #[test]
    fn words_of_others_prove_less_than_an_own_mail() {
        let [event] = &events(&[Active])[..] else { panic!() };
        assert_eq!(event.proof(), Proof::Stated);
        assert_eq!(ConsentEvent { words: " ".into(), ..event.clone() }.proof(), Proof::None);
        let mail = |evidence| ConsentSource::Mail { message_id: "a@press.example".into(), evidence };
        assert_eq!(ConsentEvent { source: mail(None), ..event.clone() }.proof(), Proof::Mail);
        assert_eq!(ConsentEvent { source: mail(Some([0; 32])), ..event.clone() }.proof(), Proof::KeptMail);
        let network = Network::of("192.0.2.7".parse().unwrap());
        let form = ConsentSource::Web { network, revision: "2026-11-01".into() };
        assert_eq!(ConsentEvent { source: form.clone(), ..event.clone() }.proof(), Proof::Form);
        assert_eq!(ConsentEvent { source: form, words: String::new(), ..event.clone() }.proof(), Proof::None);
        let api = ConsentSource::Api { client: "union-website".into() };
        assert_eq!(ConsentEvent { source: api, ..event.clone() }.proof(), Proof::Stated);
        let rule = ConsentSource::System { rule: "bounces".into() };
        assert_eq!(ConsentEvent { source: rule, ..event.clone() }.proof(), Proof::None);
    }

    #[test]
    fn only_what_was_asked_for_after_an_own_end_begins_anew() {
        let at = |minute| Timestamp::default() + chrono::Duration::minutes(minute);
        let event = |minute, became, source: &ConsentSource| {
            let (source, words) = (source.clone(), String::new());
            ConsentEvent { at: at(minute), became, source, words }
        };
        let own = ConsentSource::Mail { message_id: "a@press.example".into(), evidence: None };
        let rule = |rule: &str| ConsentSource::System { rule: rule.into() };
        for (by, counts) in [(own.clone(), true), (rule("complaint"), true), (rule("another"), false)] {
            let left = [event(0, Active, &own), event(10, Ended, &by)];
            assert_eq!(ended_since(&left, at(9), at(20)), counts, "{by:?}");
            assert!(!ended_since(&left, at(10), at(20)), "asked after it");
            assert!(!ended_since(&left, at(9), at(5)), "an end in the future is a wrong clock's");
            let again = [left.as_slice(), &[event(12, Active, &own)]].concat();
            assert!(!ended_since(&again, at(9), at(20)), "it has begun again");
        }
        assert!(!ended_since(&[], at(0), at(1)));
    }
}
