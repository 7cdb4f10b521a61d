//! Answers to invitations: who comes to what, as they said it last, and what they said before.
//!
//! One record for each event and address. An *event* is named by the release that first announced it; releases that
//! update, correct or cancel it are of the same event, so that an answer to any of them counts once.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, ReleaseId, SubscriberId};

/// Changes that are kept of one person's answers; the oldest beyond go.
pub const MOST_CHANGES: usize = 50;

/// What somebody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RsvpAnswer {
    /// They come.
    Yes,
    /// They do not.
    No,
    /// They may.
    Maybe,
    /// A person must look at what they wrote.
    Unclear,
}

impl RsvpAnswer {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Maybe => "maybe",
            Self::Unclear => "unclear",
        }
    }
}

/// By which way an answer came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RsvpSource {
    /// The reply of a calendar program (RFC 6047).
    Calendar {
        /// The mail.
        inbound: InboundId,
    },
    /// Words in a mail.
    Words {
        /// The mail.
        inbound: InboundId,
    },
    /// An operator who was told.
    Operator {
        /// Who.
        who: String,
    },
}

impl RsvpSource {
    /// The word used everywhere.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Calendar { .. } => "calendar",
            Self::Words { .. } => "words",
            Self::Operator { .. } => "operator",
        }
    }

    /// The mail, where it was one.
    pub fn inbound(&self) -> Option<InboundId> {
        match self {
            Self::Calendar { inbound } | Self::Words { inbound } => Some(*inbound),
            Self::Operator { .. } => None,
        }
    }
}

/// A text about a person, and whether they gave it in an answer or we knew it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The text.
    pub text: String,
    /// `false` where it is what the subscriber's record or the mail's From says.
    pub given: bool,
}

/// What is known of the one who answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RsvpPerson {
    /// The name.
    pub name: Option<Detail>,
    /// The newsroom or organisation.
    pub newsroom: Option<Detail>,
    /// The function.
    pub function: Option<Detail>,
    /// The number of the press card.
    pub press_card: Option<Detail>,
    /// How many people, where it was said.
    pub people: Option<u32>,
}

impl RsvpPerson {
    /// What is said now, and what was known before where nothing is said; what is given outweighs what is only known.
    pub fn over(self, before: Self) -> Self {
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

/// One thing that somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsvpChange {
    /// When it came.
    pub at: Timestamp,
    /// What it says.
    pub answer: RsvpAnswer,
    /// By which way.
    pub source: RsvpSource,
    /// The release that was answered.
    pub release: ReleaseId,
    /// What they wrote.
    pub comment: String,
    /// Why it is unclear; empty where it is not.
    pub why: String,
    /// Whether it came after the deadline.
    pub late: bool,
}

/// What one address answers to one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rsvp {
    /// The event, by the release that first announced it.
    pub event: ReleaseId,
    /// Who answers.
    pub address: Address,
    /// The subscriber who had that address when the last answer came.
    pub subscriber: Option<SubscriberId>,
    /// What is known of them.
    pub person: RsvpPerson,
    /// All that was said, the oldest first. Never empty.
    pub changes: Vec<RsvpChange>,
}

impl Rsvp {
    /// The first thing that somebody says.
    pub fn new(
        event: ReleaseId,
        address: Address,
        subscriber: Option<SubscriberId>,
        person: RsvpPerson,
        change: RsvpChange,
    ) -> Self {
        Self { event, address, subscriber, person, changes: vec![change] }
    }

    /// Adds what is said now.
    pub fn add(&mut self, subscriber: Option<SubscriberId>, person: RsvpPerson, change: RsvpChange) {
        self.subscriber = subscriber;
        self.person = person.over(std::mem::take(&mut self.person));
        self.changes.push(change);
        if self.changes.len() > MOST_CHANGES {
            // The one that counts must stay, and the first of all tells since when they are there.
            let counting = self.counting();
            let oldest = usize::from(counting == 0);
            self.changes.remove(oldest);
        }
    }

    fn counting(&self) -> usize {
        let certain = self.changes.iter().rposition(|change| change.answer != RsvpAnswer::Unclear);
        certain.unwrap_or(self.changes.len().saturating_sub(1))
    }

    /// What counts: the last certain answer, else the last unclear one. `None` only for a record without any.
    pub fn current(&self) -> Option<&RsvpChange> {
        self.changes.get(self.counting())
    }

    /// What is said.
    pub fn answer(&self) -> RsvpAnswer {
        self.current().map_or(RsvpAnswer::Unclear, |change| change.answer)
    }

    /// Whether something unclear came after the answer that counts, or nothing else ever: a person is to look.
    pub fn to_be_seen(&self) -> bool {
        self.changes.last().is_some_and(|last| last.answer == RsvpAnswer::Unclear)
    }

    /// Since when they say what they say.
    pub fn since(&self) -> Option<Timestamp> {
        let answer = self.answer();
        let certain = self
            .changes
            .iter()
            .rev()
            .filter(|change| change.answer != RsvpAnswer::Unclear || answer == RsvpAnswer::Unclear);
        certain.take_while(|change| change.answer == answer).last().map(|change| change.at)
    }

    /// How many people come: as many as they say, one without a word, none where they do not.
    pub fn heads(&self) -> u32 {
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
