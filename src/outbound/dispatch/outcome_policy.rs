//! What an outcome means for its delivery, its mailing and the relay: one decision after each transaction.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::model::breaker::{Belief, BreakerSettings, Breakers, Doubted, Expected, Opened, PutOff, Rest};
use crate::model::classify::{Class, Classifier};
use crate::model::ledger::{Cause, Delivery, DeliveryState};
use crate::model::mailing::UncertainPolicy;
use crate::model::reply::Reply;
use crate::model::retry::{NextAttempt, RetryTable};
use crate::runtime::clock_jump::Reading;
use crate::transport::Outcome;

/// Decides, and remembers what the circuit breakers need.
pub(super) struct OutcomePolicy {
    retry: RetryTable,
    classifier: Classifier,
    breakers: Mutex<Breakers>,
}

/// The case to decide.
pub(super) struct Attempt<'a> {
    /// Now.
    pub reading: Reading,
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
    /// Whether it was refused for good before, and was asked again because that was not believed.
    pub was_refused: bool,
    /// The envelope sender; empty for the null reverse-path.
    pub sender: &'a str,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// Where the delivery stands now.
    pub delivery: Delivery,
    /// What is wrong with the relay, if something is.
    pub trouble: Option<String>,
    /// Why the mailing must pause, if it must: for the press office to read.
    pub pause: Option<String>,
    /// The word for what refused it; `none` where nothing did.
    pub class: &'static str,
    /// What the refusal says against the address, if the delivery failed by one that does.
    pub bounce: Option<Refusal>,
    /// What the relay said, if it asks us to send more slowly.
    pub slow: Option<String>,
    /// What must be taken back, because a breaker opened.
    pub doubted: Option<Doubted>,
}

/// A refusal that counts against the subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Whose fault it is.
    pub class: Class,
    /// Whether the receiver meant it for good; else it was tried until its time was over.
    pub permanent: bool,
    /// What it said.
    pub reply: Reply,
}

impl Decision {
    fn opened(&mut self, opened: Option<Opened>, reading: Reading) {
        if let Some(Opened { mailing_pauses, doubted, .. }) = opened {
            let (since, until) = (by_day(reading, doubted.since), by_day(reading, doubted.until));
            (self.pause, self.doubted) = (mailing_pauses, Some(Doubted { since, until, ..doubted }));
        }
    }
}

/// The time of day for an instant of the breakers, who count the time that passed.
fn by_day(reading: Reading, at: Timestamp) -> Timestamp {
    reading.now + (at - reading.steady)
}

impl OutcomePolicy {
    /// A judge who has seen nothing yet.
    pub fn new(retry: RetryTable, breaker: BreakerSettings, classifier: Classifier) -> Self {
        Self { retry, classifier, breakers: Mutex::new(Breakers::new(breaker)) }
    }

    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when a domain is left alone, and why, if it is.
    pub fn rest(&self, reading: Reading, domain: &str) -> Option<Rest> {
        let rest = self.breakers().rest(reading.steady, domain).cloned()?;
        Some(Rest { until: by_day(reading, rest.until), ..rest })
    }

    /// That nearly all answers are temporary refusals, if they are.
    pub fn put_off(&self) -> Option<PutOff> {
        self.breakers().put_off()
    }

    /// The domains that are left alone now.
    pub fn resting(&self, reading: Reading) -> Vec<(String, Rest)> {
        let resting = self.breakers().resting(reading.steady).into_iter();
        resting.map(|(domain, rest)| (domain, Rest { until: by_day(reading, rest.until), ..rest })).collect()
    }

    /// A mailing begins, or goes on after a person has seen why it was stopped.
    pub fn begin(&self, mailing: MailingId, expected: Expected) {
        self.breakers().begin(mailing, expected);
    }

    /// A delivery that was decided before and is about to be written: if a breaker opened since, it has not failed. `None`
    /// where it stays as it was decided. The time of day alone ends no doubt: a clock that was set forward would fail it.
    pub fn doubts(
        &self,
        reading: Reading,
        (mailing, domain): (MailingId, &str),
        (first, attempts): (Timestamp, u16),
        state: &DeliveryState,
    ) -> Option<DeliveryState> {
        let DeliveryState::Failed { cause, .. } = state else { return None };
        let Belief::Doubted(until) = self.breakers().belief(reading.steady, mailing, domain) else { return None };
        let is_over = self.retry.is_over(first, reading.now, u32::from(attempts));
        (!is_over).then(|| DeliveryState::Deferred { first, until: by_day(reading, until), cause: cause.clone() })
    }

    /// Forgets what the breakers know of a mailing that has ended.
    pub fn forget(&self, mailing: MailingId) {
        self.breakers().forget(mailing);
    }

    /// Decides one case.
    pub fn decide(&self, case: &Attempt<'_>, outcome: Outcome) -> Decision {
        let Reading { now: at, steady } = case.reading;
        let delivery = case.delivery.clone();
        let mut decision =
            Decision { delivery, trouble: None, pause: None, class: "none", bounce: None, slow: None, doubted: None };
        decision.delivery.state = match outcome {
            Outcome::Accepted(reply) => {
                let mut breakers = self.breakers();
                breakers.count(steady, case.mailing, case.domain);
                breakers.answered(at, None);
                DeliveryState::Accepted { at, reply }
            }
            Outcome::Refused { stage, reply } => {
                let classified = self.classifier.classify_from(stage, &reply, &[case.sender]);
                let is_temporary = !stage.is_final(&reply);
                if classified.slow && is_temporary {
                    decision.slow = Some(reply.to_string());
                } else {
                    let words = is_temporary.then(|| reply.to_string());
                    self.breakers().answered(at, words.as_deref());
                    // RFC 5321 §4.2.1: 421 is about the connection; it says that the server closes it.
                    if reply.code == 421 {
                        decision.trouble = Some(format!("the relay closed the connection: {reply}"));
                    }
                }
                decision.class = classified.class.word();
                let opened = self.breakers().refused(steady, case.mailing, case.domain, (stage, &reply), &classified);
                decision.opened(opened, case.reading);
                let permanent = stage.is_final(&reply);
                let counts = classified.counts(permanent) && !self.is_doubted(case);
                let refusal = counts.then(|| Refusal { class: classified.class, permanent, reply: reply.clone() });
                let cause = Cause::Reply { stage, reply };
                let state = if permanent { self.for_good(case, cause) } else { self.later(case, cause) };
                decision.bounce = refusal.filter(|_| matches!(state, DeliveryState::Failed { .. }));
                state
            }
            Outcome::Impossible(why) => {
                let class = Class::Content;
                decision.class = class.word();
                let opened = self.breakers().refused_for_good(steady, case.mailing, case.domain, (class, &why));
                decision.opened(opened, case.reading);
                self.for_good(case, Cause::Message(why))
            }
            Outcome::NotSent(what) => {
                decision.class = Class::Network.word();
                decision.trouble = Some(what.clone());
                self.soon(case, Cause::Connection(what))
            }
            Outcome::Unknown(what) => {
                decision.class = Class::Network.word();
                decision.trouble = Some(what.clone());
                match case.uncertain {
                    UncertainPolicy::Hold => DeliveryState::Uncertain { at, cause: Cause::Connection(what) },
                    UncertainPolicy::Resend => {
                        decision.delivery.resent += 1;
                        self.soon(case, Cause::Connection(what))
                    }
                }
            }
        };
        decision
    }

    fn is_doubted(&self, case: &Attempt<'_>) -> bool {
        matches!(self.breakers().belief(case.reading.steady, case.mailing, case.domain), Belief::Doubted(_))
    }

    /// Refused for good: failed, unless that is not believed, or not before it is said twice.
    fn for_good(&self, case: &Attempt<'_>, cause: Cause) -> DeliveryState {
        let belief = self.breakers().belief(case.reading.steady, case.mailing, case.domain);
        match belief {
            Belief::Twice if !case.was_refused => self.later(case, cause),
            _ => {
                let failed = DeliveryState::Failed { at: case.reading.now, cause };
                let since = (case.first, case.delivery.attempts);
                self.doubts(case.reading, (case.mailing, case.domain), since, &failed).unwrap_or(failed)
            }
        }
    }

    /// Tried again by the retry table, or given up.
    fn later(&self, case: &Attempt<'_>, cause: Cause) -> DeliveryState {
        match self.retry.next_attempt(case.first, case.reading.now, u32::from(case.delivery.attempts), case.seed) {
            NextAttempt::At(until) => DeliveryState::Deferred { first: case.first, until, cause },
            NextAttempt::GiveUp => DeliveryState::Failed { at: case.reading.now, cause },
        }
    }

    /// Tried again at once when the relay is back: its loss is no fault of the delivery. From the fourth time on the
    /// retry table holds, because it may be this very message that breaks the connection.
    fn soon(&self, case: &Attempt<'_>, cause: Cause) -> DeliveryState {
        match case.delivery.attempts {
            0..=3 => DeliveryState::Deferred { first: case.first, until: case.reading.now, cause },
            _ => self.later(case, cause),
        }
    }
}
