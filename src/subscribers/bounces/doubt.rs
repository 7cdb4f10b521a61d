//! Implausible bounces: a relay or a domain that reports all recipients as nonexistent. They suspend no subscriber, and
//! the effects of earlier ones of the same kind are reversed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, SubscriberId};
use crate::model::bounce::{Bounce, BounceEffect, BounceSource, Score, Verdict, by_rule, reinstate};
use crate::model::breaker::AddressFaults;
use crate::model::classify::Class;
use crate::store::bounces::{put_bounce, put_score};
use crate::store::engine::Batch;
use crate::store::{Attempt, Store, StoreError, subscribers};

use super::Report;

/// Bounces read per query.
const PAGE: usize = 500;
/// Bounces of one mailing whose domains are looked up.
const MOST_LOOKED_UP: usize = 5000;
/// Chunks of a mailing sampled to estimate a domain's share of it: 2,048 recipients.
const SAMPLE: u32 = 8;
/// Maximum mailings watched; the oldest is dropped first.
const MOST_WATCHED: usize = 500;
/// How long a doubt is shown.
const SHOWN_FOR: Duration = Duration::days(7);

/// Which bounces are reversed.
#[derive(Clone, Debug)]
pub struct TakeBack<'a> {
    /// The mailing.
    pub mailing: MailingId,
    /// The domain of the subscribers; `None` for all.
    pub domain: Option<&'a str>,
    /// Only bounces recorded since then.
    pub since: Timestamp,
}

/// Reverses the effects of a mailing's address faults, and of all its permanent rejections in the session: they no
/// longer count in the score, and suspensions by them are lifted. A repetition changes nothing. Returns the number of
/// people.
///
/// # Errors
/// [`StoreError`]: bounces reversed before it stay reversed.
pub async fn take_back(store: &Store, now: Timestamp, which: &TakeBack<'_>) -> Result<u64, StoreError> {
    let (mut people, mut after) = (0, SubscriberId(0));
    loop {
        let page = store.bounces_of_mailing(which.mailing, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(people) };
        after = last.subscriber;
        // In the session every permanent rejection is doubted; by mail, only address faults.
        let is_meant = |bounce: &&Bounce| {
            let in_session = bounce.source == BounceSource::Session && bounce.verdict == Verdict::Permanent;
            (in_session || is_address_fault(bounce)) && has_effect(bounce)
        };
        for bounce in page.iter().filter(is_meant) {
            if bounce.at >= which.since {
                people += u64::from(take_one_back(store, now, which, bounce.subscriber).await?);
            }
        }
    }
}

fn is_address_fault(bounce: &Bounce) -> bool {
    bounce.class == Class::Address && bounce.verdict == Verdict::Permanent
}

fn has_effect(bounce: &Bounce) -> bool {
    matches!(bounce.effect, BounceEffect::Scored | BounceEffect::Suspended)
}

async fn take_one_back(
    store: &Store,
    now: Timestamp,
    which: &TakeBack<'_>,
    subscriber: SubscriberId,
) -> Result<bool, StoreError> {
    let taken = store.attempt(|| async move {
        let Some(bounce) = store.bounce(which.mailing, subscriber).await? else { return Ok(Attempt::Leave(false)) };
        let Some(before) = store.subscriber(subscriber).await? else { return Ok(Attempt::Leave(false)) };
        let is_there = which.domain.is_none_or(|domain| before.value.address.domain().eq_ignore_ascii_case(domain));
        if !has_effect(&bounce.value) || !is_there {
            return Ok(Attempt::Leave(false));
        }
        let mut batch = Batch::new();
        let suspended = bounce.value.effect == BounceEffect::Suspended;
        let mut person = before.value.clone();
        if let Some(score) = store.score(subscriber).await? {
            let mut after: Score = score.value.clone();
            after.hits.retain(|hit| hit.mailing != which.mailing);
            after.suspension = after.suspension.filter(|_| !suspended);
            put_score(&mut batch, subscriber, Some(score.stamp), &after);
        }
        let words = format!("the refusals of mailing {} are not believed: there were too many", which.mailing);
        let again = if suspended { reinstate(&mut person, now, &by_rule(), &words) } else { Vec::new() };
        match again.is_empty() {
            true => subscribers::expect(&mut batch, &before),
            false => subscribers::put_changed(&mut batch, &before, &person),
        }
        put_bounce(&mut batch, Some(bounce.stamp), &Bounce { effect: BounceEffect::Nothing, ..bounce.value });
        Ok(Attempt::Commit(batch, true))
    });
    taken.await
}

/// Which bounces by mail are not believed. Kept in memory only: it can be derived from the store again.
#[derive(Debug, Default)]
pub struct Doubts {
    watched: Mutex<BTreeMap<MailingId, Watch>>,
}

/// What is known about the bounces of one mailing.
#[derive(Clone, Debug, Default)]
struct Watch {
    /// Address faults received since the start of the process.
    reports: u64,
    /// The number of faults at which they are counted in the store again.
    next: u64,
    /// Since when no address fault is believed, and the numbers behind it.
    all: Option<(Timestamp, AddressFaults)>,
    /// The same for single domains.
    domains: HashMap<String, (Timestamp, AddressFaults)>,
}

impl Doubts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<MailingId, Watch>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a report about a subscriber at `domain` is believed. If an implausible share of recipients is reported
    /// as nonexistent, it is not, and the effects of earlier reports are reversed at once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn believes(&self, store: &Store, report: &Report, domain: &str) -> Result<bool, StoreError> {
        let is_fault = report.counts && report.class == Class::Address && report.verdict == Verdict::Permanent;
        if !is_fault {
            return Ok(true);
        }
        let domain = domain.to_ascii_lowercase();
        {
            let mut watched = self.lock();
            let watch = watched.entry(report.mailing).or_default();
            watch.reports += 1;
            if watch.all.is_some() || watch.domains.contains_key(&domain) {
                return Ok(false);
            }
            if watch.reports < watch.next {
                return Ok(true);
            }
            if watched.len() > MOST_WATCHED {
                watched.pop_first();
            }
        }
        let (found, here) = faults(store, report, &domain).await?;
        let doubted = if found.cannot_be_true() {
            Some((None, found))
        } else {
            here.cannot_be_true().then_some((Some(domain.as_str()), here))
        };
        {
            let mut watched = self.lock();
            let watch = watched.entry(report.mailing).or_default();
            watch.next = watch.reports + found.until_next_count().min(here.until_next_count());
            match &doubted {
                Some((None, found)) => watch.all = Some((report.at, *found)),
                Some((Some(domain), found)) => {
                    watch.domains.insert((*domain).to_owned(), (report.at, *found));
                }
                None => {}
            }
        }
        let Some((domain, found)) = doubted else { return Ok(true) };
        let which = TakeBack { mailing: report.mailing, domain, since: Timestamp::MIN_UTC };
        let people = take_back(store, report.at, &which).await?;
        tracing::warn!(mailing = %report.mailing, faults = found.faults, of = found.answers, people,
            "bounces not believed: too many recipients are said not to exist; their scores were taken back");
        Ok(false)
    }

    /// Problems for operators: one line for each mailing, without addresses.
    pub fn problems(&self, now: Timestamp) -> Vec<String> {
        let watched = self.lock();
        let line = |(mailing, watch): (&MailingId, &Watch)| {
            let single = watch.domains.values().max_by_key(|(at, _)| *at).map(|found| (found, " at one domain"));
            let ((at, found), place) = watch.all.as_ref().map(|found| (found, "")).or(single)?;
            ((now - *at).abs() < SHOWN_FOR).then(|| {
                format!(
                    "bounces of mailing {mailing} are not believed: {} of {} recipients{place} are said not to exist; it \
                     suspends no subscriber: ask who runs the relay, then see \u{201c}depesch bounce list\u{201d}",
                    found.faults, found.answers
                )
            })
        };
        watched.iter().filter_map(line).collect()
    }
}

/// How many of a mailing's recipients are reported by mail as nonexistent, including `report`: in total, and at
/// `domain`.
async fn faults(store: &Store, report: &Report, domain: &str) -> Result<(AddressFaults, AddressFaults), StoreError> {
    let Some(mailing) = store.mailing(report.mailing).await? else { return Ok(Default::default()) };
    let Some(frozen) = mailing.value.frozen() else { return Ok(Default::default()) };
    let mut all = AddressFaults { answers: u64::from(frozen.audience), faults: 1, domains: 1 };
    let mut here = AddressFaults { answers: 0, faults: 1, domains: 1 };
    let mut domains = BTreeSet::from([domain.to_owned()]);
    let (mut after, mut looked_up) = (SubscriberId(0), 0);
    loop {
        let page = store.bounces_of_mailing(report.mailing, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.subscriber;
        for bounce in page.iter().filter(|one| is_address_fault(one) && one.is_later_failure()) {
            if bounce.subscriber == report.subscriber {
                continue;
            }
            all.faults += 1;
            looked_up += 1;
            if looked_up <= MOST_LOOKED_UP
                && let Some(found) = store.subscriber(bounce.subscriber).await?
            {
                let found = found.value.address.domain().to_ascii_lowercase();
                here.faults += u64::from(found == domain);
                domains.insert(found);
            }
        }
    }
    all.domains = domains.len();
    // Counting the recipients at the domain is expensive, so it is done only if the faults could be implausible.
    here.answers = u64::MAX / 4;
    if (AddressFaults { answers: here.faults, ..here }).cannot_be_true() {
        here.answers = at_domain(store, report.mailing, (frozen.chunks, frozen.audience), domain).await?;
    }
    Ok((all, here))
}

/// The number of a mailing's recipients at a domain: counted, or estimated from a sample in large mailings.
async fn at_domain(
    store: &Store,
    mailing: MailingId,
    (chunks, audience): (u32, u32),
    domain: &str,
) -> Result<u64, StoreError> {
    let (mut seen, mut there) = (0_u64, 0_u64);
    let step = chunks.div_ceil(SAMPLE).max(1);
    for chunk in (0..chunks).step_by(step as usize) {
        for row in store.chunk_rows(mailing, chunk).await? {
            seen += 1;
            if let Some(found) = store.subscriber(row.subscriber).await? {
                there += u64::from(found.value.address.domain().eq_ignore_ascii_case(domain));
            }
        }
    }
    Ok(there * u64::from(audience) / seen.max(1))
}
