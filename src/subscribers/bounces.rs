//! What follows from a bounce, wherever it came from: the SMTP session and a mail later go through the same [`note`].
//!
//! One delivery counts once. A bounce of what was sent to a former address is noted and changes nothing. Everything is
//! put into the caller's batch, with what was read as its precondition, so that two bounces at once lose no count and a
//! message handled twice counts once.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, SubscriberId};
use crate::model::bounce::{
    Bounce, BounceEffect, BouncePolicy, BounceSource, Case, Hit, Judgement, Score, Successes, Suspension, Verdict,
    evidence, judge, successes_since, suspend,
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

/// A message may be on its way for so long while its subscriber's address changes.
const ON_ITS_WAY: chrono::Duration = chrono::Duration::minutes(15);
/// Mailings looked at for successes, the latest first.
const MOST_MAILINGS: usize = 300;

/// What came back about one delivery.
#[derive(Clone, Debug)]
pub struct Report {
    /// The mailing.
    pub mailing: MailingId,
    /// To whom it was.
    pub subscriber: SubscriberId,
    /// When the report came.
    pub at: Timestamp,
    /// To which address it was sent, where that is known.
    pub sent_to: Option<Address>,
    /// What became of the message.
    pub verdict: Verdict,
    /// Whose fault it is.
    pub class: Class,
    /// Whether it says something against the address.
    pub counts: bool,
    /// Whether it names only addresses that are not the subscriber's.
    pub names_other: bool,
    /// The enhanced status code.
    pub status: Option<String>,
    /// The receiver's words.
    pub words: String,
    /// How it came.
    pub source: BounceSource,
}

/// What a bounce came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What followed; of a delivery that has bounced before, what followed then.
    pub effect: BounceEffect,
    /// Whether something as weighty was known already.
    pub again: bool,
    /// The lists on which the subscriber was suspended now.
    pub suspended: Vec<ListName>,
}

/// Puts a report and what follows from it into `batch`, provided that nothing it builds on changes meanwhile. `None` when
/// the subscriber was erased: then nothing is put.
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
        // Nobody is suspended who gets no mail anyway.
        effect =
            if follows == BounceEffect::Suspended && suspended.is_empty() { BounceEffect::Scored } else { follows };
        put_score(batch, report.subscriber, stamp, &after);
    }
    let (stamp, known) = known.map_or((None, None), |read| (Some(read.stamp), Some(read.value)));
    let (effect, again) = put(batch, stamp, known, report, effect);
    // An erasure leaves nothing behind that came while it was under way.
    subscribers::expect(batch, &subscriber);
    Ok(Some(Noted { effect, again, suspended }))
}

/// Puts the weightiest report about a delivery, and how many there were; gives what followed, and whether one as weighty
/// was known.
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
        // What followed stays true, whatever else comes.
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

/// The score after a bounce that counts, and what follows from it.
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
    // Somebody let them begin again since: what was before is settled.
    let score = if is_active && score.suspension.is_some() { score.cleared() } else { score };
    let case = Case {
        hit: Hit { mailing: report.mailing, at: report.at },
        class: report.class,
        verdict: report.verdict,
        names_other: report.names_other,
    };
    let mut judged = judge(&score, policy, &case, &Successes::default());
    // What came through since is looked for only where the bounces alone would be enough.
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

/// Whether the message went to an address that the subscriber has no more.
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
    // Else no report would count for as long as the clock stood ahead when the address was changed.
    let since = store.present(report.at).await?.made(since);
    let Some(mailing) = store.mailing(report.mailing).await? else { return Ok(true) };
    if mailing.value.frozen().is_some_and(|frozen| frozen.at >= since) {
        return Ok(false);
    }
    // Frozen before the change, and perhaps sent after it: the delivery tells.
    let row = store.row_of(&mailing.value, report.subscriber).await?;
    Ok(match row.map(|row| row.delivery.state) {
        Some(DeliveryState::Accepted { at, .. }) => at < since + ON_ITS_WAY,
        _ => true,
    })
}

/// When the mailings came through that were accepted in that time, and that nothing came back about.
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

/// Suspends the subscriber in `batch`, and notes it in the score.
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
