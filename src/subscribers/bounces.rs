//! The effect of a bounce, whatever its source: rejections in the SMTP session and bounces by mail both go through
//! [`note`].
//!
//! One delivery counts once. A bounce of a former address is recorded without effect. All writes go into the caller's
//! batch, with what was read as precondition, so that simultaneous bounces lose no count and a message handled twice
//! counts once.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, SubscriberId};
use crate::model::bounce::{
    Bounce, BounceEffect, BouncePolicy, BounceSource, Hit, Judgement, Score, ScoredBounce, Successes, Suspension,
    Verdict, evidence, judge, successes_since, suspend,
};
use crate::model::classify::Class;
use crate::model::ledger::DeliveryState;
use crate::model::mailing::Mailing;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::bounces::{put_bounce, put_score};
use crate::store::engine::{Batch, Value};
use crate::store::{Read, Store, StoreError, mailings, subscribers};

mod doubt;

pub use doubt::{Doubts, TakeBack, take_back};

/// How long a message to the old address may be under way after a subscriber's address changes.
const ON_ITS_WAY: chrono::Duration = chrono::Duration::minutes(15);
/// The most recent mailings searched for successful deliveries.
const MOST_MAILINGS: usize = 300;

/// What was reported about one delivery.
#[derive(Clone, Debug)]
pub struct Report {
    /// The mailing that was delivered.
    pub mailing: MailingId,
    /// The recipient.
    pub subscriber: SubscriberId,
    /// When the report came.
    pub at: Timestamp,
    /// The address it was sent to, if known.
    pub sent_to: Option<Address>,
    /// The outcome of the delivery.
    pub verdict: Verdict,
    /// The kind of fault.
    pub class: Class,
    /// Whether it counts against the address.
    pub counts: bool,
    /// Whether it names only addresses other than the subscriber's.
    pub names_other: bool,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The receiving server's text.
    pub words: String,
    /// The source of the report.
    pub source: BounceSource,
}

/// The effect of a recorded bounce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What followed; if the delivery has bounced before, what followed then.
    pub effect: BounceEffect,
    /// Whether a report of at least the same weight was known before.
    pub again: bool,
    /// The lists on which the subscriber was suspended now.
    pub suspended: Vec<ListName>,
}

/// Writes a report and its effect into `batch`, with all records it depends on as preconditions. `None` if the
/// subscriber was erased: then nothing is written.
///
/// # Errors
/// [`StoreError`].
pub async fn note(
    store: &Store,
    policy: &BouncePolicy,
    batch: &mut Batch,
    report: &Report,
) -> Result<Option<Noted>, StoreError> {
    let Some(subscriber) = store.subscriber(report.subscriber).await? else { return Ok(None) };
    let known = store.bounce(report.mailing, report.subscriber).await?;
    let has_counted = known.as_ref().is_some_and(|read| read.value.weight().1);
    let (mut effect, mut suspended) = (BounceEffect::Nothing, Vec::new());
    if report.counts && !has_counted {
        let score = store.score(report.subscriber).await?;
        let (score, stamp) = score.map_or_else(Default::default, |read| (read.value, Some(read.stamp)));
        let (after, follows) = count(store, policy, &subscriber.value, score, report).await?;
        let after = match follows {
            BounceEffect::Suspended => {
                let (after, lists) = suspend_in(batch, &subscriber, after, report);
                suspended = lists;
                after
            }
            _ => after,
        };
        // A subscriber who gets no mail cannot be suspended.
        effect =
            if follows == BounceEffect::Suspended && suspended.is_empty() { BounceEffect::Scored } else { follows };
        put_score(batch, report.subscriber, stamp, &after);
    }
    let (stamp, known) = known.map_or((None, None), |read| (Some(read.stamp), Some(read.value)));
    let (effect, again) = put(batch, stamp, known, report, effect);
    // After an erasure the batch must conflict, so that no bounce is kept.
    subscribers::expect(batch, &subscriber);
    Ok(Some(Noted { effect, again, suspended }))
}

/// Writes the weightiest report about a delivery and the number of reports. Returns the effect, and whether a report of
/// at least the same weight was known.
pub(crate) fn put(
    batch: &mut Batch,
    stamp: Option<Value>,
    known: Option<Bounce>,
    report: &Report,
    effect: BounceEffect,
) -> (BounceEffect, bool) {
    let mut bounce = Bounce {
        mailing: report.mailing,
        subscriber: report.subscriber,
        at: report.at,
        verdict: report.verdict,
        class: report.class,
        status: report.status.clone(),
        evidence: evidence(&report.words),
        source: report.source,
        effect,
        reports: 1,
    };
    let mut again = false;
    if let Some(known) = known {
        bounce.reports = known.reports.saturating_add(1);
        // An earlier effect is kept, whatever comes later.
        let stays = known.weight().1 && effect == BounceEffect::Nothing;
        bounce.effect = if stays { known.effect } else { effect };
        again = known.weight() >= bounce.weight();
        if again {
            bounce = Bounce { reports: bounce.reports, ..known };
        }
    }
    put_bounce(batch, stamp, &bounce);
    (bounce.effect, again)
}

/// The score after a bounce that counts, and the effect.
async fn count(
    store: &Store,
    policy: &BouncePolicy,
    subscriber: &Subscriber,
    score: Score,
    report: &Report,
) -> Result<(Score, BounceEffect), StoreError> {
    if is_former_address(store, &score, subscriber, report).await? {
        return Ok((score, BounceEffect::FormerAddress));
    }
    let is_active = subscriber.subscriptions.values().any(|s| s.state == SubscriptionState::Active);
    // The subscription was resumed since the suspension: earlier bounces no longer count.
    let score = if is_active && score.suspension.is_some() { score.cleared() } else { score };
    let case = ScoredBounce {
        hit: Hit { mailing: report.mailing, at: report.at },
        class: report.class,
        verdict: report.verdict,
        names_other: report.names_other,
    };
    let mut judged = judge(&score, policy, &case, &Successes::default());
    // Successful deliveries are looked up only if the bounces alone would suffice to suspend.
    if judged.1 == Judgement::Suspend
        && let Some(since) = successes_since(&score, policy, &case)
    {
        let until = report.at - policy.came_through_after;
        let successes = successes(store, subscriber.id, &score, (since, until)).await?;
        judged = judge(&score, policy, &case, &successes);
    }
    Ok(match judged {
        (after, Judgement::Scored) => (after, BounceEffect::Scored),
        (after, Judgement::Suspend) => (after, BounceEffect::Suspended),
    })
}

/// Whether the message was sent to a former address of the subscriber.
pub(crate) async fn is_former_address(
    store: &Store,
    score: &Score,
    subscriber: &Subscriber,
    report: &Report,
) -> Result<bool, StoreError> {
    if let Some(address) = &report.sent_to {
        return Ok(address.key() != subscriber.address.key());
    }
    let Some(since) = score.address_since else { return Ok(false) };
    // Otherwise no report would count while the clock was ahead at the time of the address change.
    let since = store.present(report.at).await?.made(since);
    let Some(mailing) = store.mailing(report.mailing).await? else { return Ok(true) };
    if mailing.value.frozen().is_some_and(|frozen| frozen.at >= since) {
        return Ok(false);
    }
    // Frozen before the change and possibly sent after it: the delivery record decides.
    let row = store.row_of(&mailing.value, report.subscriber).await?;
    Ok(match row.map(|row| row.delivery.state) {
        Some(DeliveryState::Accepted { at, .. }) => at < since + ON_ITS_WAY,
        _ => true,
    })
}

/// The times of deliveries that were accepted in this period without a failure reported.
async fn successes(
    store: &Store,
    subscriber: SubscriberId,
    score: &Score,
    (since, until): (Timestamp, Timestamp),
) -> Result<Successes, StoreError> {
    let mut came = Successes { at: Vec::new(), until: Some(until) };
    let frozen = |mailing: &Mailing| mailing.frozen().is_some_and(|frozen| frozen.at <= until);
    let (mut newest, mut mailings) = (store.pages(mailings::all().backward()), Vec::new());
    while let Some(read) = newest.next().await? {
        mailings.extend(Some(read.value).filter(frozen));
        if mailings.len() >= MOST_MAILINGS {
            break;
        }
    }
    for mailing in &mailings {
        let failed = score.hits.iter().any(|hit| hit.mailing == mailing.id)
            || store
                .bounce(mailing.id, subscriber)
                .await?
                .is_some_and(|read| !matches!(read.value.verdict, Verdict::None | Verdict::Delayed));
        if failed {
            continue;
        }
        let row = store.row_of(mailing, subscriber).await?;
        if let Some(DeliveryState::Accepted { at, .. }) = row.map(|row| row.delivery.state)
            && at > since
        {
            came.at.push(at);
        }
    }
    Ok(came)
}

/// Suspends the subscriber in `batch`, and records it in the score.
fn suspend_in(batch: &mut Batch, before: &Read<Subscriber>, score: Score, report: &Report) -> (Score, Vec<ListName>) {
    let mut subscriber = before.value.clone();
    let why = format!("{}: {}", report.class.word(), evidence(&report.words));
    let lists = suspend(&mut subscriber, report.at, &format!("{why} (mailing {})", report.mailing));
    if lists.is_empty() {
        return (score, lists);
    }
    subscribers::put_changed(batch, before, &subscriber);
    let suspension = Suspension { at: report.at, evidence: why, reported: false, probes: 0, probe: None };
    (Score { suspension: Some(suspension), ..score }, lists)
}
