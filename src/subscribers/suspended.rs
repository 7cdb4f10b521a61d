//! Subscribers suspended by bounces: depending on the policy, the lists' owners are notified, or a probe notice finds
//! out whether the address accepts mail again.
//!
//! A probe's envelope sender is signed like a delivery's, but without a mailing. If the relay accepted a probe and it
//! did not bounce in time, the subscriptions resume; after the maximum number of bounced probes the owners are
//! notified.

use std::collections::BTreeMap;

use chrono::Duration;
use serde_json::json;

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, SubscriberId};
use crate::base::token::{Key, Purpose};
use crate::composition::list_identity::ListIdentity;
use crate::composition::notices::{Draft, NoticeError, Notices};
use crate::model::bounce::{self, Probe, Score, Suspension, Verdict};
use crate::model::list::List;
use crate::model::notice::NoticeState;
use crate::model::present::Present;
use crate::model::subscriber::Subscriber;
use crate::store::bounces::put_score;
use crate::store::engine::Batch;
use crate::store::{Attempt, Read, Store, StoreError, subscribers};

use super::bounces::Report;

/// Scores read per query.
const PAGE: usize = 500;
/// Maximum probes sent in one run; the others wait for the next run.
const MOST_PROBES: usize = 500;
/// Maximum people listed in one notice; of the others only the number is given.
const MOST_LISTED: usize = 100;
/// Maximum people reported to owners in one run; the others wait for the next run.
const MOST_REPORTED: usize = 5000;

/// The policy for suspended subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspendedPolicy {
    /// Whether they are probed before the lists' owners are notified.
    pub probe: bool,
    /// Delay of a probe after the suspension, or after a bounced probe; default 14 days.
    pub probe_after: Duration,
    /// Maximum number of probes; default 3.
    pub probes: u32,
    /// A probe that has not bounced after this time counts as delivered; default 4 days.
    pub arrived_after: Duration,
}

impl Default for SuspendedPolicy {
    fn default() -> Self {
        Self { probe: false, probe_after: Duration::days(14), probes: 3, arrived_after: Duration::days(4) }
    }
}

/// Handles suspended subscribers.
#[derive(Clone)]
pub struct Suspended {
    /// The store that holds the records.
    pub store: Store,
    /// Writes the notices.
    pub notices: Notices,
    /// Signs the probes' envelope senders.
    pub key: Key,
    /// The policy.
    pub policy: SuspendedPolicy,
}

/// Why a run was not completed; what was done before the error is kept.
#[derive(Debug, thiserror::Error)]
pub enum SuspendedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A notice could not be written.
    #[error(transparent)]
    Notice(#[from] NoticeError),
}

/// The result of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// The number of probes sent.
    pub probed: usize,
    /// The number of subscribers whose subscriptions resumed.
    pub reinstated: usize,
}

/// The action due for one suspended subscriber.
enum Due {
    Nothing,
    Probe,
    Failed,
    Reinstate(Timestamp),
}

/// Records in `batch` that the last probe to a subscriber bounced. A delay or an automatic reply has no effect.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn probe_came_back(store: &Store, batch: &mut Batch, report: &Report) -> Result<(), StoreError> {
    let Some(read) = store.score(report.subscriber).await? else { return Ok(()) };
    let mut score = read.value;
    let came_back = matches!(report.verdict, Verdict::Temporary | Verdict::Permanent);
    if let Some(probe) = score.suspension.as_mut().and_then(|suspension| suspension.probe.as_mut())
        && came_back
    {
        probe.failed = true;
        put_score(batch, report.subscriber, Some(read.stamp), &score);
    }
    Ok(())
}

impl Suspended {
    /// Sends the probes that are due, and resumes the subscriptions of those whose probe was delivered.
    ///
    /// # Errors
    /// [`SuspendedError`].
    pub async fn look_after(&self, now: Timestamp) -> Result<Looked, SuspendedError> {
        let mut looked = Looked::default();
        if !self.policy.probe {
            return Ok(looked);
        }
        let mut after = SubscriberId(0);
        loop {
            let page = self.store.scan_scores(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (id, read) in page {
                if read.value.suspension.is_some() {
                    self.look_at(id, now, &mut looked).await?;
                }
            }
        }
        if looked.probed > 0 {
            self.notices.notify();
        }
        Ok(looked)
    }

    async fn look_at(&self, id: SubscriberId, now: Timestamp, looked: &mut Looked) -> Result<(), SuspendedError> {
        let so_far = *looked;
        let attempt = self.store.attempt(|| async move {
            let (Some(score), Some(subscriber)) = (self.store.score(id).await?, self.store.subscriber(id).await?)
            else {
                return Ok(Attempt::Leave(so_far));
            };
            let lists = suspended_on(&subscriber.value);
            let (Some(first), Some(suspension)) = (lists.first(), &score.value.suspension) else {
                return Ok(Attempt::Leave(so_far));
            };
            let Some(list) = self.store.list(first).await? else { return Ok(Attempt::Leave(so_far)) };
            let mut batch = Batch::new();
            let mut done = so_far;
            match self.due(suspension, &self.store.present(now).await?).await? {
                Due::Nothing => return Ok(Attempt::Leave(so_far)),
                Due::Probe if so_far.probed >= MOST_PROBES => return Ok(Attempt::Leave(so_far)),
                Due::Probe => {
                    if self.store.is_suppressed(&self.key.hash_address(&subscriber.value.address)).await? {
                        return Ok(Attempt::Leave(so_far));
                    }
                    self.probe(&mut batch, &subscriber, &score, &list.value, now).await?;
                    done.probed += 1;
                }
                Due::Failed => {
                    let failed = suspension.probe.map(|probe| Probe { failed: true, ..probe });
                    put(&mut batch, id, &score, Some(Suspension { probe: failed, ..suspension.clone() }));
                }
                Due::Reinstate(sent) => {
                    let mut again = subscriber.value.clone();
                    let words = format!("a notice of {} did not come back", sent.format("%Y-%m-%d"));
                    bounce::reinstate(&mut again, now, &bounce::by_rule(), &words);
                    subscribers::put_changed(&mut batch, &subscriber, &again);
                    put_score(&mut batch, id, Some(score.stamp), &score.value.cleared());
                    done.reinstated += 1;
                }
            }
            Ok::<_, SuspendedError>(Attempt::Commit(batch, done))
        });
        *looked = attempt.await?;
        Ok(())
    }

    async fn due(&self, suspension: &Suspension, present: &Present) -> Result<Due, StoreError> {
        let policy = &self.policy;
        let may_probe = |since: Timestamp| {
            let is_due = suspension.probes < policy.probes && present.has_lasted(since, policy.probe_after);
            if is_due { Due::Probe } else { Due::Nothing }
        };
        let probe = match suspension.probe {
            None => return Ok(may_probe(suspension.at)),
            Some(probe) if probe.failed => return Ok(may_probe(probe.at)),
            Some(probe) => probe,
        };
        let taken = match self.store.notice(probe.notice).await?.map(|read| read.value.state) {
            Some(NoticeState::Accepted { at, .. }) => at,
            Some(NoticeState::Failed { .. }) => return Ok(Due::Failed),
            Some(NoticeState::Waiting { .. } | NoticeState::InDoubt { .. }) => return Ok(Due::Nothing),
            // Notices are deleted long after the relay accepted them, so a missing one was accepted.
            None => probe.at,
        };
        Ok(if present.has_lasted(taken, policy.arrived_after) { Due::Reinstate(probe.at) } else { Due::Nothing })
    }

    async fn probe(
        &self,
        batch: &mut Batch,
        subscriber: &Read<Subscriber>,
        score: &Read<Score>,
        list: &List,
        now: Timestamp,
    ) -> Result<(), SuspendedError> {
        let Some(suspension) = score.value.suspension.clone() else { return Ok(()) };
        let identity = ListIdentity::new(list, 0, &self.key);
        let token = self.key.sign(Purpose::Bounce, &[0, subscriber.value.id.0]);
        let sender = identity.bounce_address(&token).parse().map_err(NoticeError::from)?;
        let data = json!({ "since": suspension.at.format("%Y-%m-%d").to_string() });
        let draft = Draft {
            template: "probe",
            language: &subscriber.value.language,
            to: &subscriber.value.address,
            list: Some(list),
            answers: None,
            reply_to: None,
            unsubscribe: None,
            data,
        };
        let notice = self.notices.write_from(batch, draft, sender).await?;
        let probe = Some(Probe { notice, at: now, failed: false });
        let probes = suspension.probes.saturating_add(1);
        put(batch, subscriber.value.id, score, Some(Suspension { probes, probe, ..suspension }));
        subscribers::expect(batch, subscriber);
        Ok(())
    }

    /// Notifies the owner of each list about subscribers suspended since the last time, and why. Returns the number of
    /// people.
    ///
    /// # Errors
    /// [`SuspendedError`]: no owner was notified.
    pub async fn notify_owners(&self) -> Result<usize, SuspendedError> {
        let attempt = self.store.attempt(|| async move {
            let mut batch = Batch::new();
            let (told, news) = self.news(&mut batch).await?;
            if told == 0 {
                return Ok(Attempt::Leave(0));
            }
            for (name, people) in &news {
                if let Some(list) = self.store.list(name).await? {
                    self.notify(&mut batch, &list.value, people).await?;
                }
            }
            Ok::<_, SuspendedError>(Attempt::Commit(batch, told))
        });
        let told = attempt.await?;
        if told > 0 {
            self.notices.notify();
        }
        Ok(told)
    }

    /// The people to report, by list; records in `batch` that they were reported.
    async fn news(&self, batch: &mut Batch) -> Result<(usize, BTreeMap<ListName, Vec<serde_json::Value>>), StoreError> {
        let (mut told, mut news) = (0, BTreeMap::<ListName, Vec<serde_json::Value>>::new());
        let mut after = SubscriberId(0);
        while told < MOST_REPORTED {
            let page = self.store.scan_scores(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (id, read) in page {
                let Some(suspension) = read.value.suspension.clone().filter(|one| self.is_news(one)) else { continue };
                let Some(subscriber) = self.store.subscriber(id).await? else { continue };
                for list in suspended_on(&subscriber.value) {
                    let person = json!({
                        "address": subscriber.value.address.as_str(),
                        "since": suspension.at.format("%Y-%m-%d").to_string(),
                        "why": suspension.evidence,
                    });
                    news.entry(list).or_default().push(person);
                }
                told += 1;
                put(batch, id, &read, Some(Suspension { reported: true, ..suspension }));
            }
        }
        Ok((told, news))
    }

    fn is_news(&self, suspension: &Suspension) -> bool {
        let given_up = suspension.probes >= self.policy.probes && suspension.probe.is_none_or(|probe| probe.failed);
        !suspension.reported && (!self.policy.probe || given_up)
    }

    async fn notify(&self, batch: &mut Batch, list: &List, people: &[serde_json::Value]) -> Result<(), SuspendedError> {
        let shown = &people[..people.len().min(MOST_LISTED)];
        let draft = Draft {
            template: "suspended",
            language: &list.language,
            to: &list.owner,
            list: Some(list),
            answers: None,
            reply_to: None,
            unsubscribe: None,
            data: json!({
                "for_list": list.naming(),
                "count": people.len(),
                "people": shown,
                "others": people.len() - shown.len(),
            }),
        };
        self.notices.write(batch, draft).await?;
        Ok(())
    }
}

fn suspended_on(subscriber: &Subscriber) -> Vec<ListName> {
    let lists = subscriber.subscriptions.keys();
    lists.filter(|list| bounce::is_suspended_by_bounces(subscriber, list)).cloned().collect()
}

fn put(batch: &mut Batch, id: SubscriberId, before: &Read<Score>, suspension: Option<Suspension>) {
    put_score(batch, id, Some(before.stamp.clone()), &Score { suspension, ..before.value.clone() });
}
