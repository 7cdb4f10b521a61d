//! Answers to invitations: each person's latest answer, and their earlier ones.
//!
//! One record for each event and address. An *event* is identified by the release that first announced it; releases
//! that update, correct or cancel it belong to the same event, so that answers to any of them count once.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, ReleaseId, SubscriberId};
use crate::base::peer::Network;

/// Maximum number of changes kept of one person's answers; the oldest beyond are dropped.
pub(crate) const MOST_CHANGES: usize = 50;

/// An answer to an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RsvpAnswer {
    /// They will come.
    Yes,
    /// They will not come.
    No,
    /// They may come.
    Maybe,
    /// A person must read what they wrote.
    Unclear,
}

impl RsvpAnswer {
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Maybe => "maybe",
            Self::Unclear => "unclear",
        }
    }
}

/// How an answer arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RsvpSource {
    /// The reply of a calendar program (RFC 6047).
    Calendar {
        /// The mail.
        inbound: InboundId,
    },
    /// Text in a mail.
    Words {
        /// The mail.
        inbound: InboundId,
    },
    /// An operator entered it.
    Operator {
        /// Who.
        who: String,
    },
    /// A form on a public page, with a signed token that went to the address.
    Web {
        /// The network that it was sent from.
        network: Network,
    },
    /// A program with access to the API, with a signed token that went to the address.
    Api {
        /// The name that its access has.
        client: String,
    },
}

impl RsvpSource {
    /// The word for it in commands, API and records.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Calendar { .. } => "calendar",
            Self::Words { .. } => "words",
            Self::Operator { .. } => "operator",
            Self::Web { .. } => "web",
            Self::Api { .. } => "api",
        }
    }
}

/// A detail about a person, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The text.
    pub text: String,
    /// `true` if given in an answer; `false` if taken from the subscriber's record or the mail's From.
    pub given: bool,
}

/// What is known of the person who answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RsvpPerson {
    /// Their name.
    pub name: Option<Detail>,
    /// Their newsroom or organisation.
    pub newsroom: Option<Detail>,
    /// Their function.
    pub function: Option<Detail>,
    /// The number of their press card.
    pub press_card: Option<Detail>,
    /// Number of people, if stated.
    pub people: Option<u32>,
}

impl RsvpPerson {
    /// These details, completed with earlier ones where they are absent; details given in an answer win over others.
    pub(crate) fn over(self, before: Self) -> Self {
        let newer = |now: Option<Detail>, before: Option<Detail>| match (now, before) {
            (Some(now), Some(before)) if !now.given && before.given => Some(before),
            (now, before) => now.or(before),
        };
        Self {
            name: newer(self.name, before.name),
            newsroom: newer(self.newsroom, before.newsroom),
            function: newer(self.function, before.function),
            press_card: newer(self.press_card, before.press_card),
            people: self.people.or(before.people),
        }
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsvpChange {
    /// When it arrived.
    pub at: Timestamp,
    /// The answer.
    pub answer: RsvpAnswer,
    /// How it arrived.
    pub source: RsvpSource,
    /// The release that was answered.
    pub release: ReleaseId,
    /// Their comment.
    pub comment: String,
    /// Why it is unclear; empty if it is clear.
    pub why: String,
    /// Whether it came after the deadline.
    pub late: bool,
}

/// The answers from one address for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rsvp {
    /// The event: the release that first announced it.
    pub event: ReleaseId,
    /// The address that answers.
    pub address: Address,
    /// The subscriber who had that address when the last answer came.
    pub subscriber: Option<SubscriberId>,
    /// What is known of the person.
    pub person: RsvpPerson,
    /// All answers, oldest first. Never empty.
    pub changes: Vec<RsvpChange>,
}

impl Rsvp {
    /// The first answer.
    pub(crate) fn new(
        event: ReleaseId,
        address: Address,
        subscriber: Option<SubscriberId>,
        person: RsvpPerson,
        change: RsvpChange,
    ) -> Self {
        Self { event, address, subscriber, person, changes: vec![change] }
    }

    /// Adds an answer.
    pub(crate) fn add(&mut self, subscriber: Option<SubscriberId>, person: RsvpPerson, change: RsvpChange) {
        self.subscriber = subscriber;
        self.person = person.over(std::mem::take(&mut self.person));
        self.changes.push(change);
        if self.changes.len() > MOST_CHANGES {
            // The answer that counts must stay, and the first of all gives the date since when they are registered.
            let counting = self.counting();
            let oldest = usize::from(counting == 0);
            self.changes.remove(oldest);
        }
    }

    fn counting(&self) -> usize {
        let certain = self.changes.iter().rposition(|change| change.answer != RsvpAnswer::Unclear);
        certain.unwrap_or(self.changes.len().saturating_sub(1))
    }

    /// The answer that counts: the last clear one, otherwise the last unclear one. `None` only for a record without
    /// answers.
    pub fn current(&self) -> Option<&RsvpChange> {
        self.changes.get(self.counting())
    }

    /// The answer that counts.
    pub fn answer(&self) -> RsvpAnswer {
        self.current().map_or(RsvpAnswer::Unclear, |change| change.answer)
    }

    /// Whether a person must check it: something unclear came after the answer that counts, or all answers are
    /// unclear.
    pub fn to_be_seen(&self) -> bool {
        self.changes.last().is_some_and(|last| last.answer == RsvpAnswer::Unclear)
    }

    /// Since when they have given their current answer.
    pub fn since(&self) -> Option<Timestamp> {
        let answer = self.answer();
        let certain = self
            .changes
            .iter()
            .rev()
            .filter(|change| change.answer != RsvpAnswer::Unclear || answer == RsvpAnswer::Unclear);
        certain.take_while(|change| change.answer == answer).last().map(|change| change.at)
    }

    /// Number of people who come: as stated, one if not stated, zero if they do not come.
    pub(crate) fn heads(&self) -> u32 {
        match self.answer() {
            RsvpAnswer::Yes => self.person.people.unwrap_or(1),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone, Utc};

    fn at(minute: u32) -> Timestamp {
        Utc.with_ymd_and_hms(2027, 3, 4, 9, minute, 0).unwrap()
    }

    fn change(minute: u32, answer: RsvpAnswer) -> RsvpChange {
        RsvpChange {
            at: at(minute),
            answer,
            source: RsvpSource::Words { inbound: InboundId(u64::from(minute)) },
            release: ReleaseId(7),
            comment: String::new(),
            why: String::new(),
            late: false,
        }
    }

    fn said(answers: &[RsvpAnswer]) -> Rsvp {
        let address: Address = "karin@example.com".parse().unwrap();
        let mut rsvp = Rsvp::new(ReleaseId(7), address, None, RsvpPerson::default(), change(0, answers[0]));
        for (answer, minute) in answers[1..].iter().zip(1..) {
            rsvp.add(None, RsvpPerson::default(), change(minute % 60, *answer));
        }
        rsvp
    }

    #[test]
    fn the_latest_certain_answer_counts() {
        use RsvpAnswer::{Maybe, No, Unclear, Yes};
        for (answers, counts, since, seen) in [
            (&[Yes][..], Yes, 0, false),
            (&[Yes, No], No, 1, false),
            (&[No, Yes, Yes], Yes, 1, false),
            (&[Unclear], Unclear, 0, true),
            (&[Unclear, Maybe], Maybe, 1, false),
            (&[Yes, Unclear], Yes, 0, true),
            (&[Yes, Unclear, Yes], Yes, 0, false),
            (&[Yes, No, Unclear, Yes], Yes, 3, false),
        ] {
            let rsvp = said(answers);
            assert_eq!(
                (rsvp.answer(), rsvp.since(), rsvp.to_be_seen()),
                (counts, Some(at(since)), seen),
                "{answers:?}"
            );
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_keeps_what_counts() {
        let mut answers = vec![RsvpAnswer::Yes];
        answers.extend([RsvpAnswer::Unclear; 200]);
        let rsvp = said(&answers);
        assert_eq!((rsvp.changes.len(), rsvp.answer(), rsvp.since()), (MOST_CHANGES, RsvpAnswer::Yes, Some(at(0))));
    }

    #[test]
    fn what_is_given_outweighs_what_is_known() {
        let detail = |text: &str, given| Some(Detail { text: text.to_owned(), given });
        let given = RsvpPerson { name: detail("Karin Ek", true), people: Some(2), ..RsvpPerson::default() };
        let known = RsvpPerson { name: detail("K. Ek", false), newsroom: detail("X", false), ..RsvpPerson::default() };
        let both = known.over(given);
        assert_eq!((both.name, both.newsroom, both.people), (detail("Karin Ek", true), detail("X", false), Some(2)));
    }
}
