//! The consent ledger: when, how, from where and with what wording a subscription changed.

use crate::base::clock::Timestamp;

use super::subscription::SubscriptionState;

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
    /// A bounce, a complaint or a rule of the system.
    System {
        /// The name of the rule.
        rule: String,
    },
}

/// How well a subscription's basis can be proven, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// The subscriber's own mail, kept in its original form.
    KeptMail,
    /// The subscriber's own mail, identified but not kept.
    Mail,
    /// The statement of a third person: an operator, or the user who imported a file.
    Stated,
    /// None: no wording at all, or a rule of the system.
    None,
}

impl Proof {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::KeptMail, Self::Mail, Self::Stated, Self::None];

    /// The word for it in commands, API and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::KeptMail => "own-mail-kept",
            Self::Mail => "own-mail",
            Self::Stated => "stated",
            Self::None => "none",
        }
    }
}

impl ConsentEvent {
    /// SHA-256 of the subscriber's own mail, if it is to be kept.
    pub fn evidence(&self) -> Option<&[u8; 32]> {
        match &self.source {
            ConsentSource::Mail { evidence, .. } => evidence.as_ref(),
            _ => None,
        }
    }

    /// How well it proves that the subscriber agreed.
    pub fn proof(&self) -> Proof {
        match &self.source {
            ConsentSource::Mail { evidence: Some(_), .. } => Proof::KeptMail,
            ConsentSource::Mail { evidence: None, .. } => Proof::Mail,
            ConsentSource::Import { .. } | ConsentSource::Operator { .. } if !self.words.trim().is_empty() => {
                Proof::Stated
            }
            ConsentSource::Import { .. } | ConsentSource::Operator { .. } | ConsentSource::System { .. } => Proof::None,
        }
    }
}

/// The event that a subscription is based on: the first that made it active since it last ended or, for an ended one,
/// that of its last active period. A resumption is not a basis: it continues an earlier one.
pub fn basis(events: &[ConsentEvent]) -> Option<&ConsentEvent> {
    let last_active = events.iter().rposition(|event| event.became == SubscriptionState::Active)?;
    let run = events[..last_active].iter().rposition(|event| event.became == SubscriptionState::Ended);
    events[run.map_or(0, |ended| ended + 1)..].iter().find(|event| event.became == SubscriptionState::Active)
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
        let rule = ConsentSource::System { rule: "bounces".into() };
        assert_eq!(ConsentEvent { source: rule, ..event.clone() }.proof(), Proof::None);
    }
}
