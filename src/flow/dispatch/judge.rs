//! What an outcome means for its delivery, its mailing and the relay: one pure decision after each transaction.

use chrono::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::model::ledger::{Cause, Delivery, DeliveryState, Stage};
use crate::model::mailing::UncertainPolicy;
use crate::model::reply::Reply;
use crate::transport::Outcome;

/// Settings of the decision.
#[derive(Clone, Debug, Default)]
pub struct JudgeSettings {}

/// Decides, and remembers what the circuit breakers need.
pub struct Judge {}

/// The case to decide.
pub struct Case<'a> {
    /// Now.
    pub now: Timestamp,
    /// The first attempt.
    pub first: Timestamp,
    /// The delivery with the intent that was committed.
    pub delivery: &'a Delivery,
    /// What the mailing wants done with doubt.
    pub uncertain: UncertainPolicy,
    /// Makes the jitter differ between deliveries.
    pub seed: u64,
    /// The mailing, for its breaker.
    pub mailing: MailingId,
    /// The recipient's domain, for its breaker.
    pub domain: &'a str,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where the delivery stands now.
    pub delivery: Delivery,
    /// What is wrong with the relay, if something is.
    pub trouble: Option<String>,
    /// Why the mailing must pause, if it must: for the press office to read.
    pub pause: Option<String>,
}

impl Judge {
    /// A judge who has seen nothing yet.
    pub fn new(_settings: JudgeSettings) -> Self {
        Self {}
    }

    /// Decides one case.
    pub fn decide(&mut self, case: &Case<'_>, outcome: Outcome) -> Verdict {
        let at = case.now;
        let mut trouble = None;
        let mut resent = case.delivery.resent;
        let state = match outcome {
            Outcome::Accepted(reply) => DeliveryState::Accepted { at, reply },
            Outcome::Refused { stage, reply } => {
                // RFC 5321 §4.2.1: 421 is about the connection; it says that the server closes it.
                if reply.code == 421 {
                    trouble = Some(format!("the relay closed the connection: {reply}"));
                }
                match is_final(stage, &reply) {
                    true => DeliveryState::Failed { at, cause: Cause::Reply { stage, reply } },
                    false => self.later(case, Cause::Reply { stage, reply }),
                }
            }
            Outcome::Impossible(why) => DeliveryState::Failed { at, cause: Cause::Message(why) },
            Outcome::NotSent(what) => {
                trouble = Some(what.clone());
                self.soon(case, Cause::Connection(what))
            }
            Outcome::Unknown(what) => {
                trouble = Some(what.clone());
                match case.uncertain {
                    UncertainPolicy::Hold => DeliveryState::Uncertain { at, cause: Cause::Connection(what) },
                    UncertainPolicy::Resend => {
                        resent += 1;
                        self.soon(case, Cause::Connection(what))
                    }
                }
            }
        };
        Verdict { delivery: Delivery { state, attempts: case.delivery.attempts, resent }, trouble, pause: None }
    }

    /// Tried again by the retry table, or given up.
    fn later(&self, case: &Case<'_>, cause: Cause) -> DeliveryState {
        let until = case.now + Duration::minutes(10) * 2i32.pow(u32::from(case.delivery.attempts.min(8)));
        match until > case.first + Duration::days(4) {
            true => DeliveryState::Failed { at: case.now, cause },
            false => DeliveryState::Deferred { first: case.first, until, cause },
        }
    }

    /// Tried again at once when the relay is back: its loss is no fault of the delivery. From the fourth time on the
    /// retry table holds, because it may be this very message that breaks the connection.
    fn soon(&self, case: &Case<'_>, cause: Cause) -> DeliveryState {
        match case.delivery.attempts {
            0..=3 => DeliveryState::Deferred { first: case.first, until: case.now, cause },
            _ => self.later(case, cause),
        }
    }
}

/// Whether a refusal is for good.
fn is_final(stage: Stage, reply: &Reply) -> bool {
    // RFC 5321 §4.5.3.1.10: 552 to RCPT means "too many recipients" and is to be read as 452.
    reply.is_permanent() && !(stage == Stage::Recipient && reply.code == 552)
}
