//! The ledger of a mailing: the state of each delivery, and counts that always add up.
//!
//! An untouched delivery has no record of its own: it is [`DeliveryState::Waiting`].

use crate::base::clock::Timestamp;

use super::reply::Reply;

/// A delivery's place in the frozen audience of its mailing, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u32);

/// The record of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its state.
    pub state: DeliveryState,
    /// Number of transactions begun for it.
    pub attempts: u16,
    /// How many of those ended in doubt and were sent again: as many additional copies may have arrived.
    pub resent: u16,
}

/// The state of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Not yet tried, or due for a retry at once.
    Waiting,
    /// The intent to send is on disk, the outcome is not: after a crash it is unknown whether it was sent.
    InDoubt {
        /// When the intent was committed.
        since: Timestamp,
    },
    /// Accepted by the relay.
    Accepted {
        /// When.
        at: Timestamp,
        /// Its reply, with its queue id.
        reply: Reply,
    },
    /// Temporarily refused; retried later.
    Deferred {
        /// The first attempt: the time until giving up counts from here.
        first: Timestamp,
        /// Earliest time of the next attempt.
        until: Timestamp,
        /// The relay's reply, or what went wrong.
        cause: Cause,
    },
    /// Failed permanently.
    Failed {
        /// When.
        at: Timestamp,
        /// The relay's reply, or what went wrong.
        cause: Cause,
    },
    /// Not sent, because the subscriber no longer wants it or must not be mailed.
    Suppressed {
        /// When this was found.
        at: Timestamp,
        /// The reason.
        why: SuppressedWhy,
    },
    /// Not sent, because the mailing was cancelled first.
    Cancelled {
        /// When.
        at: Timestamp,
    },
    /// In doubt, and held for a person to decide.
    Uncertain {
        /// When this was found.
        at: Timestamp,
        /// What is known, e.g. `connection lost after the message was sent`.
        cause: Cause,
    },
}

/// Why a delivery did not go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The relay's reply.
    Reply {
        /// The stage of the command.
        stage: Stage,
        /// The reply.
        reply: Reply,
    },
    /// No answer came; the text says what happened to the connection.
    Connection(String),
    /// The message could not be built or must not be sent; the text says why and how to fix it.
    Message(String),
    /// The daemon stopped between intent and outcome.
    Stopped,
}

impl Cause {
    /// The text of the reply, or the reason; `None` where there is no text.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Reply { reply, .. } => Some(&reply.text),
            Self::Connection(text) | Self::Message(text) => Some(text),
            Self::Stopped => None,
        }
    }
}

/// The stage of the SMTP transaction that a reply belongs to (RFC 5321 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Greeting, EHLO, STARTTLS or AUTH.
    Connect,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The final dot.
    Message,
}

impl Stage {
    /// Whether a refusal at this stage is permanent: 5xx, except 552 to RCPT, which means "too many recipients" and
    /// is read as 452 (RFC 5321 §4.5.3.1.10).
    pub(crate) fn is_final(self, reply: &Reply) -> bool {
        reply.is_permanent() && !(self == Self::Recipient && reply.code == 552)
    }

    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Mail => "MAIL",
            Self::Recipient => "RCPT",
            Self::Data => "DATA",
            Self::Message => "message",
        }
    }
}

/// Why a delivery was not sent although its subscriber is in the audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressedWhy {
    /// The address is on the suppression list.
    Suppression,
    /// None of the subscriptions that put them into the audience is active any more.
    Unsubscribed,
    /// The subscriber was erased.
    Erased,
}

impl SuppressedWhy {
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Suppression => "suppression",
            Self::Unsubscribed => "unsubscribed",
            Self::Erased => "erased",
        }
    }
}

impl Delivery {
    /// An untouched delivery.
    pub const WAITING: Delivery = Delivery { state: DeliveryState::Waiting, attempts: 0, resent: 0 };

    /// Whether an additional copy may have arrived: it was left in doubt by a crash or a lost connection, and is to
    /// be sent again.
    pub(crate) fn may_have_arrived(&self) -> bool {
        matches!(self.state, DeliveryState::InDoubt { .. }) || (self.resent > 0 && !self.is_settled())
    }

    /// The delivery moved to `state` without sending. If it may have arrived all the same, it becomes uncertain
    /// instead of failed, suppressed or cancelled; if it is in doubt and sent later, it counts as sent again.
    pub(crate) fn unsent(&self, state: DeliveryState) -> Delivery {
        use DeliveryState::*;
        let doubtful = self.may_have_arrived();
        let why = |what: &str| Cause::Message(format!("it may have arrived when it was sent; not sent again: {what}"));
        let state = match state {
            Suppressed { at, why: reason } if doubtful => Uncertain { at, cause: why(reason.word()) },
            Failed { at, cause: Cause::Message(what) } if doubtful => Uncertain { at, cause: why(&what) },
            Cancelled { at } if doubtful => Uncertain { at, cause: why("the mailing was cancelled") },
            state => state,
        };
        let again = matches!((&self.state, &state), (InDoubt { .. }, Deferred { .. }));
        Delivery { state, attempts: self.attempts, resent: self.resent.saturating_add(u16::from(again)) }
    }

    /// Whether its state is final unless a person acts.
    pub fn is_settled(&self) -> bool {
        use DeliveryState::*;
        match self.state {
            Waiting | InDoubt { .. } | Deferred { .. } => false,
            Accepted { .. } | Failed { .. } | Suppressed { .. } | Cancelled { .. } | Uncertain { .. } => true,
        }
    }
}

impl DeliveryState {
    /// The word for it in commands, API and records.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::InDoubt { .. } => "in-doubt",
            Self::Accepted { .. } => "accepted",
            Self::Deferred { .. } => "deferred",
            Self::Failed { .. } => "failed",
            Self::Suppressed { .. } => "suppressed",
            Self::Cancelled { .. } => "cancelled",
            Self::Uncertain { .. } => "uncertain",
        }
    }
}

/// Number of deliveries in each state. The sum is the frozen audience at every moment (invariant 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Not yet tried.
    pub waiting: u64,
    /// Being sent now, or left so by a crash.
    pub in_doubt: u64,
    /// Accepted by the relay.
    pub accepted: u64,
    /// To be retried.
    pub deferred: u64,
    /// Given up.
    pub failed: u64,
    /// Not to be mailed.
    pub suppressed: u64,
    /// Withdrawn before sending.
    pub cancelled: u64,
    /// In doubt, held for a person.
    pub uncertain: u64,
    /// Of all these, sent again after a doubt: counted separately, not in the sum.
    pub resent: u64,
}

impl Tally {
    /// The sum of all states.
    pub fn audience(&self) -> u64 {
        self.waiting
            + self.in_doubt
            + self.accepted
            + self.deferred
            + self.failed
            + self.suppressed
            + self.cancelled
            + self.uncertain
    }

    /// Deliveries that are not settled: waiting, in doubt or deferred.
    pub fn open(&self) -> u64 {
        self.waiting + self.in_doubt + self.deferred
    }

    /// Adds one delivery.
    pub fn add(&mut self, delivery: &Delivery) {
        *self.counter(&delivery.state) += 1;
        self.resent += u64::from(delivery.resent > 0);
    }

    /// Adds the counts of another part of the same ledger.
    pub(crate) fn merge(&mut self, other: &Tally) {
        self.waiting += other.waiting;
        self.in_doubt += other.in_doubt;
        self.accepted += other.accepted;
        self.deferred += other.deferred;
        self.failed += other.failed;
        self.suppressed += other.suppressed;
        self.cancelled += other.cancelled;
        self.uncertain += other.uncertain;
        self.resent += other.resent;
    }

    fn counter(&mut self, state: &DeliveryState) -> &mut u64 {
        match state {
            DeliveryState::Waiting => &mut self.waiting,
            DeliveryState::InDoubt { .. } => &mut self.in_doubt,
            DeliveryState::Accepted { .. } => &mut self.accepted,
            DeliveryState::Deferred { .. } => &mut self.deferred,
            DeliveryState::Failed { .. } => &mut self.failed,
            DeliveryState::Suppressed { .. } => &mut self.suppressed,
            DeliveryState::Cancelled { .. } => &mut self.cancelled,
            DeliveryState::Uncertain { .. } => &mut self.uncertain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_is_in_doubt_is_not_called_unsent() {
        let waiting = Delivery { state: DeliveryState::Waiting, attempts: 1, resent: 0 };
        let in_doubt = Delivery { state: DeliveryState::InDoubt { since: at() }, attempts: 1, resent: 0 };
        let suppressed = DeliveryState::Suppressed { at: at(), why: SuppressedWhy::Unsubscribed };
        let failed = DeliveryState::Failed { at: at(), cause: Cause::Message("no greeting".into()) };
        let deferred = DeliveryState::Deferred { first: at(), until: at(), cause: Cause::Stopped };
        let to_be_resent = Delivery { state: deferred.clone(), attempts: 1, resent: 1 };
        let refused_for_now = Delivery { resent: 0, ..to_be_resent.clone() };
        for state in [suppressed, failed, DeliveryState::Cancelled { at: at() }] {
            for known in [&waiting, &refused_for_now] {
                assert_eq!(known.unsent(state.clone()), Delivery { state: state.clone(), ..known.clone() });
            }
            for doubtful in [&in_doubt, &to_be_resent] {
                assert_eq!(doubtful.unsent(state.clone()).state.word(), "uncertain");
            }
        }
        assert_eq!(to_be_resent.unsent(deferred.clone()).resent, 1);
        assert_eq!(waiting.unsent(deferred.clone()).resent, 0);
        assert_eq!(in_doubt.unsent(deferred).resent, 1);
    }
}
