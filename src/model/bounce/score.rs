//! The bounce score: the number of mailings that failed for a subscriber, less those that were delivered, and the
//! threshold for suspension.

use chrono::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, NoticeId};
use crate::model::classify::Class;

use super::Verdict;

/// Maximum number of hits kept. Beyond it one in the middle is dropped: the first and the last give the duration.
const MOST_HITS: usize = 32;

/// A threshold for suspension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Minimum number of failed mailings.
    pub mailings: u32,
    /// Minimum time from the first to the last.
    pub over: Duration,
}

/// When bounces suspend a subscriber. Failures due to content, policy or network never do; that cannot be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BouncePolicy {
    /// The address does not exist: at once.
    pub address: Threshold,
    /// The mailbox is full, disabled or closed, or temporarily does not exist: after 3 mailings over 7 days.
    pub mailbox: Threshold,
    /// Time after acceptance at which a mailing without a bounce counts as delivered: 4 days.
    pub came_through_after: Duration,
}

impl Default for BouncePolicy {
    fn default() -> Self {
        Self {
            address: Threshold { mailings: 1, over: Duration::zero() },
            mailbox: Threshold { mailings: 3, over: Duration::days(7) },
            came_through_after: Duration::days(4),
        }
    }
}

impl BouncePolicy {
    /// The threshold that applies when a bounce like this one arrives. If mail is forwarded to several addresses, one
    /// of them that does not exist does not make the subscriber's own address nonexistent.
    fn threshold(&self, class: Class, verdict: Verdict, names_other: bool) -> Threshold {
        match (class, verdict) {
            (Class::Address, Verdict::Permanent) if !names_other => self.address,
            _ => self.mailbox,
        }
    }
}

/// The bounce score of one subscriber and their present address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Since when the subscriber has this address, if they had another before: earlier mailings do not concern it.
    pub address_since: Option<Timestamp>,
    /// Failed mailings not yet cancelled out by a later success, oldest first.
    pub hits: Vec<Hit>,
    /// Successes up to this time have been counted.
    pub weighed: Option<Timestamp>,
    /// The current suspension, if any.
    pub suspension: Option<Suspension>,
}

/// One mailing that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its id.
    pub mailing: MailingId,
    /// When the failure was reported.
    pub at: Timestamp,
}

/// A suspension by bounces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// Since when.
    pub at: Timestamp,
    /// The reason in one line: the class and the receiver's words.
    pub evidence: String,
    /// Whether the lists' owners have been notified.
    pub reported: bool,
    /// Number of probes sent.
    pub probes: u32,
    /// The last probe.
    pub probe: Option<Probe>,
}

/// A probe: a notice that tests whether a suspended address accepts mail again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The notice.
    pub notice: NoticeId,
    /// When it was written.
    pub at: Timestamp,
    /// Whether it bounced.
    pub failed: bool,
}

/// A bounce to score.
#[derive(Clone, Copy, Debug)]
pub struct ScoredBounce {
    /// The mailing that failed.
    pub hit: Hit,
    /// The report's verdict.
    pub class: Class,
    /// Whether for good.
    pub verdict: Verdict,
    /// Whether the report names only addresses other than the subscriber's.
    pub names_other: bool,
}

/// Delivered mailings, for [`judge`].
#[derive(Clone, Debug, Default)]
pub struct Successes {
    /// When each was accepted.
    pub at: Vec<Timestamp>,
    /// They are complete up to this time; `None` if nothing is known.
    pub until: Option<Timestamp>,
}

/// The consequence of a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing more.
    Scored,
    /// The subscriber is suspended.
    Suspend,
}

/// Scores a bounce and returns the consequence: suspension when the failed mailings, less those delivered between
/// them, reach the policy's threshold in number and in time.
///
/// A success cancels out the earliest hit. So a subscriber whose mail fails occasionally stays active, and one whose
/// mail always fails does not.
pub fn judge(before: &Score, policy: &BouncePolicy, case: &ScoredBounce, successes: &Successes) -> (Score, Judgement) {
    let mut score = before.clone();
    score.bound(case.hit.at);
    if !score.hits.iter().any(|hit| hit.mailing == case.hit.mailing) {
        let place = score.hits.partition_point(|hit| hit.at <= case.hit.at);
        score.hits.insert(place, case.hit);
    }
    score.decay(successes);
    if score.hits.len() > MOST_HITS {
        score.hits.remove(1);
    }
    let threshold = policy.threshold(case.class, case.verdict, case.names_other);
    match score.reaches(&threshold) {
        true => (score, Judgement::Suspend),
        false => (score, Judgement::Scored),
    }
}

/// Since when successes matter for the consequence; `None` when a bounce is sufficient by itself.
pub fn successes_since(score: &Score, policy: &BouncePolicy, case: &ScoredBounce) -> Option<Timestamp> {
    let several = policy.threshold(case.class, case.verdict, case.names_other).mailings > 1;
    let first = score.hits.first().filter(|_| several)?.at;
    Some(score.weighed.map_or(first, |weighed| weighed.max(first)))
}

impl Score {
    /// The score of an address that the subscriber has had since `at`.
    pub(crate) fn of_new_address(at: Timestamp) -> Self {
        Self { address_since: Some(at), ..Self::default() }
    }

    /// The score without any failures.
    pub(crate) fn cleared(&self) -> Self {
        Self { address_since: self.address_since, ..Self::default() }
    }

    /// Limits times noted while the clock was ahead to `now`: otherwise two failures would seem years apart, and
    /// later successes would not be counted.
    fn bound(&mut self, now: Timestamp) {
        let latest = now + Duration::days(1);
        self.hits.iter_mut().filter(|hit| hit.at > latest).for_each(|hit| hit.at = now);
        self.hits.sort_by_key(|hit| hit.at);
        self.weighed = self.weighed.filter(|weighed| *weighed <= latest);
    }

    fn decay(&mut self, successes: &Successes) {
        let Some(until) = successes.until else { return };
        let mut came: Vec<Timestamp> = successes.at.iter().copied().filter(|at| *at <= until).collect();
        came.retain(|at| self.weighed.is_none_or(|weighed| *at > weighed));
        came.sort_unstable();
        for at in came {
            if self.hits.first().is_some_and(|hit| hit.at < at) {
                self.hits.remove(0);
            }
        }
        self.weighed = Some(until);
    }

    fn reaches(&self, threshold: &Threshold) -> bool {
        match (self.hits.first(), self.hits.last()) {
            (Some(first), Some(last)) => {
                self.hits.len() >= threshold.mailings as usize && last.at - first.at >= threshold.over
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: i64) -> Timestamp {
        "2026-11-23T08:00:00Z".parse::<Timestamp>().unwrap() + Duration::days(days)
    }

    fn full(mailing: u64, days: i64) -> ScoredBounce {
        let hit = Hit { mailing: MailingId(mailing), at: day(days) };
        ScoredBounce { hit, class: Class::Mailbox, verdict: Verdict::Permanent, names_other: false }
    }

    /// The consequence of each of these bounces in turn; successes are known up to each.
    fn run(cases: &[ScoredBounce], successes: &[i64]) -> Vec<Judgement> {
        let mut score = Score::default();
        let came =
            |until: Timestamp| Successes { at: successes.iter().map(|days| day(*days)).collect(), until: Some(until) };
        let judged = cases.iter().map(|case| {
            let (after, judgement) = judge(&score, &BouncePolicy::default(), case, &came(case.hit.at));
            score = after;
            judgement
        });
        judged.collect()
    }

    use Judgement::{Scored, Suspend};

    #[test]
    fn a_clock_that_stood_ahead_suspends_nobody() {
        // Two failures while the clock is ten years ahead, the third when it is right again.
        assert_eq!(run(&[full(1, 3650), full(2, 3650), full(3, 0)], &[]).last(), Some(&Judgement::Scored));
    }

    #[test]
    fn an_address_that_does_not_exist_is_enough_once() {
        let case = ScoredBounce { class: Class::Address, ..full(1, 0) };
        assert_eq!(run(&[case], &[]), [Suspend]);
        let for_now = ScoredBounce { verdict: Verdict::Temporary, ..case };
        let behind = ScoredBounce { names_other: true, ..case };
        assert_eq!(run(&[for_now, behind], &[]), [Scored, Scored]);
    }

    #[test]
    fn a_full_mailbox_takes_three_mailings_and_seven_days() {
        assert_eq!(run(&[full(1, 0), full(2, 3), full(3, 6), full(4, 7)], &[]), [Scored, Scored, Scored, Suspend]);
        assert_eq!(run(&[full(1, 0), full(2, 9), full(3, 10)], &[]), [Scored, Scored, Suspend]);
        assert_eq!(run(&[full(1, 0), full(1, 9), full(1, 10)], &[]), [Scored, Scored, Scored], "one mailing is one");
    }

    #[test]
    fn what_comes_through_takes_the_earliest_hit_off_once() {
        assert_eq!(run(&[full(1, 0), full(2, 2), full(3, 8)], &[5]), [Scored, Scored, Scored]);
        let failing = [full(1, 0), full(2, 2), full(3, 8), full(4, 9)];
        assert_eq!(run(&failing, &[5]), [Scored, Scored, Scored, Suspend], "one success took one hit off");
        let turns: Vec<ScoredBounce> = (0..40).map(|n| full(n, n as i64 * 2)).collect();
        let between: Vec<i64> = (0..40).map(|n| n * 2 + 1).collect();
        assert!(run(&turns, &between).iter().all(|judgement| *judgement == Scored), "every second one came through");
    }

    #[test]
    fn many_mailings_a_day_hide_no_week() {
        let mut all: Vec<ScoredBounce> = (0..300).map(|n| full(n, n as i64 / 50)).collect();
        all.push(full(300, 7));
        let judged = run(&all, &[]);
        assert_eq!(judged.iter().filter(|judgement| **judgement == Suspend).count(), 1);
        assert_eq!(judged.last(), Some(&Suspend));
    }
}
