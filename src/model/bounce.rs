//! Bounces and their consequences: a score for each subscriber, and the threshold at which their subscriptions are
//! suspended.
//!
//! A [`Bounce`] reports on one delivery, whether the receiver answered so in the SMTP session or by mail later: both
//! go through [`judge`]. Only faults of the address itself score, once for each mailing; mailings that came through
//! afterwards reduce the score, and a new address starts at zero.

use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, ListName, MailingId, SubscriberId};

use super::classify::Class;
use super::consent::ConsentSource;
use super::subscriber::{Subscriber, SubscriptionState};

mod score;

pub use score::{
    BouncePolicy, Hit, Judgement, Probe, Score, ScoredBounce, Successes, Suspension, Threshold, judge, successes_since,
};

/// The rule named in the consent ledger when bounces suspend or reinstate a subscription.
pub const RULE: &str = "bounces";
/// Maximum bytes of evidence kept.
const MOST_EVIDENCE: usize = 300;

/// What came back about one delivery: the most severe report, and the number of reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// The mailing.
    pub mailing: MailingId,
    /// The recipient.
    pub subscriber: SubscriberId,
    /// When this report arrived.
    pub at: Timestamp,
    /// What the report says happened to the message.
    pub verdict: Verdict,
    /// What the fault is about.
    pub class: Class,
    /// The enhanced status code (RFC 3463), if there was one.
    pub status: Option<String>,
    /// The text of the report, on one line (see [`evidence`]).
    pub evidence: String,
    /// How it arrived.
    pub source: BounceSource,
    /// Its consequence.
    pub effect: BounceEffect,
    /// Number of reports about this delivery; the others add nothing to this one.
    pub reports: u32,
}

/// What a report says happened to a message, in order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No failure: an automatic reply, a receipt.
    None,
    /// Not delivered yet; the server is still trying.
    Delayed,
    /// Given up, for a reason that may pass.
    Temporary,
    /// It was refused for good.
    Permanent,
    /// Delivered, and its reader reported it as unwanted.
    Complaint,
}

impl Verdict {
    /// The word for it in commands, API and records.
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

/// How a bounce arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BounceSource {
    /// In the SMTP session; the ledger has the whole reply.
    Session,
    /// By mail.
    Mail(InboundId),
}

/// The consequence of a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BounceEffect {
    /// None: it does not concern the address.
    Nothing,
    /// It scored, below the threshold.
    Scored,
    /// The subscriptions were suspended.
    Suspended,
    /// None: the subscriber has a new address since.
    FormerAddress,
    /// The subscription ended, and the address is suppressed: a complaint.
    Ended,
}

impl BounceEffect {
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
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
    /// Whether a later mail reported the failure of a message that the relay had accepted.
    pub(crate) fn is_later_failure(&self) -> bool {
        matches!(self.source, BounceSource::Mail(_)) && matches!(self.verdict, Verdict::Temporary | Verdict::Permanent)
    }

    /// Severity for comparing reports: the verdict, then whether it counted.
    pub(crate) fn weight(&self) -> (Verdict, bool) {
        (self.verdict, !matches!(self.effect, BounceEffect::Nothing | BounceEffect::FormerAddress))
    }
}

/// Makes a stranger's text safe to show (invariant 7): one line, of bounded length.
pub(crate) fn evidence(words: &str) -> String {
    let mut line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    line.truncate(line.floor_char_boundary(MOST_EVIDENCE));
    line
}

/// Suspends every active subscription, with `words` as the reason. Returns the lists concerned.
pub fn suspend(subscriber: &mut Subscriber, at: Timestamp, words: &str) -> Vec<ListName> {
    let is_active = |list: &&ListName| subscriber.state_on(list) == Some(SubscriptionState::Active);
    let lists: Vec<ListName> = subscriber.subscriptions.keys().filter(is_active).cloned().collect();
    for list in &lists {
        // A refusal is possible only for an ended subscription, and these are active.
        let _ = subscriber.change(list, SubscriptionState::Suspended, at, by_rule(), words.to_owned());
    }
    lists
}

/// Reactivates every subscription that bounces suspended, with `words` as the reason. Returns the lists concerned.
pub(crate) fn reinstate(
    subscriber: &mut Subscriber,
    at: Timestamp,
    source: &ConsentSource,
    words: &str,
) -> Vec<ListName> {
    let lists: Vec<ListName> =
        subscriber.subscriptions.keys().filter(|list| is_suspended_by_bounces(subscriber, list)).cloned().collect();
    for list in &lists {
        // A refusal is possible only for an ended subscription, and these are suspended.
        let _ = subscriber.change(list, SubscriptionState::Active, at, source.clone(), words.to_owned());
    }
    lists
}

/// Whether the subscription to `list` was suspended by bounces and not by a person.
pub(crate) fn is_suspended_by_bounces(subscriber: &Subscriber, list: &ListName) -> bool {
    subscriber.subscriptions.get(list).is_some_and(|subscription| {
        let by_bounces = |source: &ConsentSource| matches!(source, ConsentSource::System { rule } if rule == RULE);
        subscription.state == SubscriptionState::Suspended
            && subscription.events.last().is_some_and(|event| by_bounces(&event.source))
    })
}

/// The source of changes that the rule itself makes.
pub(crate) fn by_rule() -> ConsentSource {
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
