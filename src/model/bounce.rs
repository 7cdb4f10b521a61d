//! Bounces, and what follows from them: a score for each subscriber, and the point at which their subscriptions are
//! suspended.
//!
//! A [`Bounce`] is what came back about one delivery, whether the receiver said it in the SMTP session or in a mail
//! later: both go through [`judge`]. Only what counts against the address itself scores, once for each mailing; mailings
//! that came through afterwards take it off again, and a new address begins with nothing.

use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, ListName, MailingId, SubscriberId};

use super::classify::Class;
use super::consent::ConsentSource;
use super::subscriber::{Subscriber, SubscriptionState};

mod score;

pub use score::{
    BouncePolicy, Case, Hit, Judgement, Probe, Score, Successes, Suspension, Threshold, judge, successes_since,
};

/// The rule in the consent ledger by which a subscription is suspended, and begins again.
pub const RULE: &str = "bounces";
/// Bytes of evidence that are kept.
const MOST_EVIDENCE: usize = 300;

/// What came back about one delivery: the weightiest report, and how many there were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// The mailing.
    pub mailing: MailingId,
    /// To whom it was.
    pub subscriber: SubscriberId,
    /// When this report came.
    pub at: Timestamp,
    /// What it says became of the message.
    pub verdict: Verdict,
    /// Whose fault it is.
    pub class: Class,
    /// The enhanced status code (RFC 3463), if there was one.
    pub status: Option<String>,
    /// The words of the report, on one line (see [`evidence`]).
    pub evidence: String,
    /// How it came.
    pub source: BounceSource,
    /// What followed.
    pub effect: BounceEffect,
    /// How many reports came about this delivery; all but one say no more than this one.
    pub reports: u32,
}

/// What a report says became of a message, the lightest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing against it: an automatic reply, a receipt.
    None,
    /// It has not come through yet, and is still being tried.
    Delayed,
    /// It was given up, for a reason that may pass.
    Temporary,
    /// It was refused for good.
    Permanent,
    /// It came through, and its reader called it unwanted.
    Complaint,
}

impl Verdict {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Delayed => "delayed",
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
            Self::Complaint => "complaint",
        }
    }
}

/// How a bounce came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BounceSource {
    /// The receiver said so in the SMTP session; the ledger has the whole reply.
    Session,
    /// By mail.
    Mail(InboundId),
}

/// What followed from a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BounceEffect {
    /// Nothing: it says nothing against the address.
    Nothing,
    /// It counts, and it was not the last straw.
    Scored,
    /// The subscriptions were suspended.
    Suspended,
    /// Nothing: the subscriber has had another address since.
    FormerAddress,
    /// The subscription ended, and the address is suppressed: a complaint.
    Ended,
}

impl BounceEffect {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Scored => "scored",
            Self::Suspended => "suspended",
            Self::FormerAddress => "former-address",
            Self::Ended => "ended",
        }
    }
}

impl Bounce {
    /// Whether the message did not come through, as a mail said that came after the relay had taken it.
    pub fn is_later_failure(&self) -> bool {
        matches!(self.source, BounceSource::Mail(_)) && matches!(self.verdict, Verdict::Temporary | Verdict::Permanent)
    }

    /// By what one report outweighs another: its verdict, then whether it counted.
    pub fn weight(&self) -> (Verdict, bool) {
        (self.verdict, !matches!(self.effect, BounceEffect::Nothing | BounceEffect::FormerAddress))
    }
}

/// A stranger's words on one line, safe to show (invariant 7), short enough to keep.
pub fn evidence(words: &str) -> String {
    let mut line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    line.truncate(line.floor_char_boundary(MOST_EVIDENCE));
    line
}

/// Suspends every active subscription; `words` say why. The lists that it was active on.
pub fn suspend(subscriber: &mut Subscriber, at: Timestamp, words: &str) -> Vec<ListName> {
    let is_active = |list: &&ListName| subscriber.state_on(list) == Some(SubscriptionState::Active);
    let lists: Vec<ListName> = subscriber.subscriptions.keys().filter(is_active).cloned().collect();
    for list in &lists {
        // Only an ended subscription refuses, and these are active.
        let _ = subscriber.change(list, SubscriptionState::Suspended, at, by_rule(), words.to_owned());
    }
    lists
}

/// Lets every subscription that bounces suspended begin again; `words` say why. The lists that it is active on again.
pub fn reinstate(subscriber: &mut Subscriber, at: Timestamp, source: &ConsentSource, words: &str) -> Vec<ListName> {
    let lists: Vec<ListName> =
        subscriber.subscriptions.keys().filter(|list| is_suspended_by_bounces(subscriber, list)).cloned().collect();
    for list in &lists {
        // Only an ended subscription refuses, and these are suspended.
        let _ = subscriber.change(list, SubscriptionState::Active, at, source.clone(), words.to_owned());
    }
    lists
}

/// Whether bounces, and nobody else, suspended the subscription to `list`.
pub fn is_suspended_by_bounces(subscriber: &Subscriber, list: &ListName) -> bool {
    subscriber.subscriptions.get(list).is_some_and(|subscription| {
        let by_bounces = |source: &ConsentSource| matches!(source, ConsentSource::System { rule } if rule == RULE);
        subscription.state == SubscriptionState::Suspended
            && subscription.events.last().is_some_and(|event| by_bounces(&event.source))
    })
}

/// The source of changes that the rule itself makes.
pub fn by_rule() -> ConsentSource {
    ConsentSource::System { rule: RULE.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_one_short_line() {
        let line = evidence(&format!("550 5.1.1\r\n no such\u{0} user {}", "\u{e5}".repeat(400)));
        assert!(line.starts_with("550 5.1.1 no such user \u{e5}"), "{line}");
        assert!(line.len() <= MOST_EVIDENCE && !line.contains(char::is_control));
    }
}
