//! What to do with a delivery before it is sent: whether it is still wanted (invariant 8), whether its domain rests,
//! and its message.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::clock::{Stopwatch, Timestamp};
use crate::composition::message::Message;
use crate::metrics::domain_group::DomainGroup;
use crate::model::classify::Class;
use crate::model::ledger::{Cause, Delivery, DeliveryState, SuppressedWhy};
use crate::model::mailing::AudienceQuery;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::outbound::dispatch::hold_back;
use crate::outbound::dispatch::stats::add;
use crate::outbound::dispatch::work::Job;
use crate::runtime::clock_jump::Reading;
use crate::store::StoreError;

use super::{Ended, Worker};

/// What to do with a delivery.
pub(super) enum Precheck {
    Send(Message),
    /// Record this state without sending, with the class of the obstacle and the domain group.
    Record(DeliveryState, &'static str, DomainGroup),
    /// Leave it unchanged: its mailing was paused.
    Leave,
}

impl Worker {
    /// Checks again whether the delivery is wanted (an unsubscribe counts until now), and composes its message.
    pub(super) async fn decide(&mut self, job: &Job) -> Result<Precheck, Ended> {
        let watch = Stopwatch::start();
        let subscriber = loop {
            match self.look_up(job).await {
                Ok(found) => break found,
                // A damaged record holds back only its own mailing.
                Err(StoreError::Record(error)) => {
                    let what = format!("{}: {error}", job.row.subscriber);
                    hold_back(&self.shared, job.run.current().value.id, what).await;
                    return Ok(Precheck::Leave);
                }
                Err(error) => self.survive(error).await?,
            }
        };
        add(&self.shared.stats.lookup_nanoseconds, watch.nanoseconds());
        let reading = Reading::of(&*self.shared.parts.clock);
        let at = reading.now;
        let subscriber = match subscriber {
            Ok(subscriber) => subscriber,
            Err((why, group)) => return Ok(Precheck::Record(DeliveryState::Suppressed { at, why }, "none", group)),
        };
        let group = DomainGroup::of(subscriber.address.domain());
        if let Some(rest) = self.shared.policy.rest(reading, subscriber.address.domain()) {
            let first = first_attempt(&job.row.delivery, at);
            let cause =
                Cause::Message(format!("{} is left alone for now: {}", subscriber.address.domain(), rest.evidence));
            let state = DeliveryState::Deferred { first, until: rest.until, cause };
            return Ok(Precheck::Record(state, Class::Policy.word(), group));
        }
        let watch = Stopwatch::start();
        // A message whose composition panics must not affect the connection and all other deliveries.
        let made = catch_unwind(AssertUnwindSafe(|| job.run.prepared.make(&subscriber)))
            .unwrap_or_else(|_| Err("the message could not be composed: an error in Depesch, see its log".to_owned()));
        add(&self.shared.stats.compose_nanoseconds, watch.nanoseconds());
        Ok(match made {
            Ok(message) => Precheck::Send(message),
            Err(what) => {
                let state = DeliveryState::Failed { at, cause: Cause::Message(what) };
                Precheck::Record(state, Class::Content.word(), group)
            }
        })
    }

    async fn look_up(&mut self, job: &Job) -> Result<Result<Subscriber, (SuppressedWhy, DomainGroup)>, StoreError> {
        let parts = &self.shared.parts;
        let Some(read) = parts.store.subscriber(job.row.subscriber).await? else {
            return Ok(Err((SuppressedWhy::Erased, DomainGroup::OTHER)));
        };
        let group = DomainGroup::of(read.value.address.domain());
        if !still_subscribed(&job.run.current().value.audience, &read.value) {
            return Ok(Err((SuppressedWhy::Unsubscribed, group)));
        }
        if parts.store.is_suppressed(&parts.key.hash_address(&read.value.address)).await? {
            return Ok(Err((SuppressedWhy::Suppression, group)));
        }
        Ok(Ok(read.value))
    }
}

/// When a delivery was first tried: the time until giving up counts from there.
pub(super) fn first_attempt(before: &Delivery, now: Timestamp) -> Timestamp {
    match before.state {
        DeliveryState::Deferred { first, .. } => first,
        DeliveryState::InDoubt { since } => since,
        _ => now,
    }
}

fn still_subscribed(audience: &AudienceQuery, subscriber: &Subscriber) -> bool {
    audience.lists.iter().any(|list| subscriber.state_on(list) == Some(SubscriptionState::Active))
}
