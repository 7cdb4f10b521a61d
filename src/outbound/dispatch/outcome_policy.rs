//! The outcome policy: what an outcome means for its delivery, its mailing and the relay, decided after each
//! transaction.

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

/// Decides about outcomes, and keeps the state of the circuit breakers.
pub(super) struct OutcomePolicy {
    retry: RetryTable,
    classifier: Classifier,
    breakers: Mutex<Breakers>,
}

/// The attempt to decide about.
pub(super) struct Attempt<'a> {
    /// The clock reading.
    pub reading: Reading,
    /// Time of the first attempt.
    pub first: Timestamp,
    /// The delivery with the intent that was committed.
    pub delivery: &'a Delivery,
    /// The mailing's policy for doubt.
    pub uncertain: UncertainPolicy,
    /// Seed of the jitter, different for each delivery.
    pub seed: u64,
    /// The mailing, for its breaker.
    pub mailing: MailingId,
    /// The recipient's domain, for its breaker.
    pub domain: &'a str,
    /// Whether it was refused for good before, and is repeated because that was not believed.
    pub was_refused: bool,
    /// The envelope sender; empty for the null reverse-path.
    pub sender: &'a str,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The delivery after it.
    pub delivery: Delivery,
    /// The problem with the relay, if there is one.
    pub trouble: Option<String>,
    /// Why the mailing must pause, if it must; shown to the press office.
    pub pause: Option<String>,
    /// The word for the class of the refusal; `none` without a refusal.
    pub class: &'static str,
    /// The refusal, if the delivery failed by one that counts against the address.
    pub bounce: Option<Refusal>,
    /// The relay's reply, if it asks us to send more slowly.
    pub slow: Option<String>,
    /// The refusals to take back, because a breaker opened.
    pub doubted: Option<Doubted>,
}

/// A refusal that counts against the subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The class.
    pub class: Class,
    /// Whether the receiver refused permanently; otherwise it was retried until its time was over.
    pub permanent: bool,
    /// The reply.
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

/// The time of day for an instant of the breakers, which use steady time.
fn by_day(reading: Reading, at: Timestamp) -> Timestamp {
    reading.now + (at - reading.steady)
}

impl OutcomePolicy {
    /// Creates a policy without history.
    pub(crate) fn new(retry: RetryTable, breaker: BreakerSettings, classifier: Classifier) -> Self {
        Self { retry, classifier, breakers: Mutex::new(Breakers::new(breaker)) }
    }

    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rest of a domain, if it rests now: until when, and why.
    pub(crate) fn rest(&self, reading: Reading, domain: &str) -> Option<Rest> {
        let rest = self.breakers().rest(reading.steady, domain).cloned()?;
        Some(Rest { until: by_day(reading, rest.until), ..rest })
    }

    /// Reports that nearly all recent answers are temporary refusals, if so.
    pub(crate) fn put_off(&self) -> Option<PutOff> {
        self.breakers().put_off()
    }

    /// The domains that rest now.
    pub(crate) fn resting(&self, reading: Reading) -> Vec<(String, Rest)> {
        let resting = self.breakers().resting(reading.steady).into_iter();
        resting.map(|(domain, rest)| (domain, Rest { until: by_day(reading, rest.until), ..rest })).collect()
    }

    /// Starts a mailing, or resumes it after a person has seen why it was stopped.
    pub(crate) fn begin(&self, mailing: MailingId, expected: Expected) {
        self.breakers().begin(mailing, expected);
    }

    /// Checks a decided delivery again just before it is written: if a breaker opened since, it has not failed.
    /// `None` if the decision stands. The time of day alone does not end a doubt: a clock that was set forward would
    /// fail the delivery.
    pub(crate) fn doubts(
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

    /// Forgets the breakers' state of a mailing that has ended.
    pub(crate) fn forget(&self, mailing: MailingId) {
        self.breakers().forget(mailing);
    }

    /// Decides about one attempt.
    pub(crate) fn decide(&self, case: &Attempt<'_>, outcome: Outcome) -> Decision {
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
                    // RFC 5321 §4.2.1: 421 concerns the connection; the server closes it.
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

    /// The state after a permanent refusal: failed, unless it is not believed, or only when repeated.
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

    /// Retries by the retry table, or gives up.
    fn later(&self, case: &Attempt<'_>, cause: Cause) -> DeliveryState {
        match self.retry.next_attempt(case.first, case.reading.now, u32::from(case.delivery.attempts), case.seed) {
            NextAttempt::At(until) => DeliveryState::Deferred { first: case.first, until, cause },
            NextAttempt::GiveUp => DeliveryState::Failed { at: case.reading.now, cause },
        }
    }

    /// Retries as soon as the relay is back: its loss is not the delivery's fault. From the fourth time on the retry
    /// table applies, because this message may be what breaks the connection.
    fn soon(&self, case: &Attempt<'_>, cause: Cause) -> DeliveryState {
        match case.delivery.attempts {
            0..=3 => DeliveryState::Deferred { first: case.first, until: case.reading.now, cause },
            _ => self.later(case, cause),
        }
    }
}
