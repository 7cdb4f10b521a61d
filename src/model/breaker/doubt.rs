//! When refusals of recipients cannot be true: a relay or a domain that refuses all messages for good is broken, or
//! closed to us, and tells nothing about the people behind the addresses.
//!
//! Two rules. Counts in the window: 20 or more refusals that are more than half, or 8 or more at three domains that
//! are nine of ten. And a running sum of evidence (CUSUM; Page, Biometrika 41, 1954): each answer adds evidence for
//! or against "nearly all is refused", by its likelihood under that and under what was expected; at a million to one
//! it is accepted as fact. So a list without history needs 13 refusals in a row, and a list with hardly any refusals
//! in its history needs 5.

use std::collections::{BTreeSet, VecDeque};

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::model::classify::Class;

use super::window::{PARTS, Window};

/// Number of faults from which more than half of the recipients cannot all be wrong.
const MANY: u64 = 20;
/// Number of faults from which nearly all recipients at several domains cannot be wrong.
const SEVERAL: u64 = 8;
/// Number of domains for that rule.
const DOMAINS: usize = 3;
/// Maximum number of refused mailings remembered by a window.
const MOST_MAILINGS: usize = 100;

/// Receivers' answers about a group of recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressFaults {
    /// Number of recipients with an answer.
    pub answers: u64,
    /// Number of recipients said not to exist.
    pub faults: u64,
    /// Number of domains of those.
    pub domains: usize,
}

impl AddressFaults {
    /// Whether this many cannot be wrong at once: 20 or more that are more than half, or 8 or more at three domains
    /// that are nine of ten.
    pub(crate) fn cannot_be_true(&self) -> bool {
        self.cannot_be_true_of(1)
    }

    /// The same check after a person has seen it and resumed: the numbers are multiplied by `factor`.
    fn cannot_be_true_of(&self, factor: u64) -> bool {
        let most = self.faults >= MANY * factor && self.faults * 2 > self.answers;
        let nearly_all =
            self.faults >= SEVERAL * factor && self.domains >= DOMAINS && self.faults * 10 >= self.answers * 9;
        most || nearly_all
    }

    /// After how many further faults another count can matter: when they may be too many, or twice as many.
    pub(crate) fn until_next_count(&self) -> u64 {
        let bounds = [SEVERAL, MANY, self.answers / 2 + 1];
        let next = bounds.into_iter().filter_map(|bound| bound.checked_sub(self.faults)).filter(|more| *more > 0).min();
        next.unwrap_or(u64::MAX).min(self.faults.max(1))
    }
}

/// The share of a mailing's messages that is expected to be refused for good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Expected {
    /// The share, from 0 to 1.
    pub share: f64,
    /// Whether it is derived from the history of the mailing's lists.
    pub is_known: bool,
}

impl Expected {
    /// For a list without history: an old list may have many dead addresses.
    pub(crate) const UNKNOWN: Self = Self { share: 0.3, is_known: false };
    /// For one domain: a newspaper that has closed is refused as a whole, so only the counts decide.
    const AT_A_DOMAIN: Self = Self { share: 0.5, is_known: false };

    /// Derives it from earlier mailings to the same lists: three times their share, at least 5 % and at most 30 %;
    /// fewer than 50 answers are no basis.
    pub(crate) fn from_history(accepted: u64, failed: u64) -> Self {
        let answers = accepted + failed;
        if answers < FROM_HISTORY {
            return Self::UNKNOWN;
        }
        let share = 3.0 * failed as f64 / answers as f64;
        Self { share: share.clamp(0.05, Self::UNKNOWN.share), is_known: true }
    }
}

/// Minimum number of answers for a history.
const FROM_HISTORY: u64 = 50;
/// ln of a million: the likelihood ratio at which "nearly all is refused" is accepted.
const SURE: f64 = 13.8;
/// Refusals in a row that may be true; later ones are believed only when repeated.
const MAY_BE_TRUE: f64 = 3.0;
/// The share of refusals where nearly all is refused, and where much is.
const NEARLY_ALL: f64 = 0.9;
const MUCH: f64 = 0.3;

/// Sums of evidence, each never below zero.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    nearly_all: f64,
    much: f64,
}

impl Evidence {
    fn add(&mut self, expected: Expected, is_refused: bool) {
        let weight = |share: f64| match is_refused {
            true => (share / expected.share).ln(),
            false => ((1.0 - share) / (1.0 - expected.share)).ln(),
        };
        self.nearly_all = (self.nearly_all + weight(NEARLY_ALL)).max(0.0);
        if expected.is_known && expected.share < MUCH {
            self.much = (self.much + weight(MUCH)).max(0.0);
        }
    }

    fn is_sure(self, factor: u64) -> bool {
        self.nearly_all.max(self.much) > SURE * factor as f64
    }

    /// Whether nearly all recent messages were refused, even if they are few.
    fn is_suspicious(self, expected: Expected) -> bool {
        self.nearly_all > (MAY_BE_TRUE + 0.1) * (NEARLY_ALL / expected.share).ln()
    }
}

/// Refusals to take back, because they cannot be true or blame the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubted {
    /// The mailings concerned.
    pub mailings: Vec<MailingId>,
    /// The domain concerned; `None`: all.
    pub domain: Option<String>,
    /// Refusals from this time on.
    pub since: Timestamp,
    /// No retry before this time.
    pub until: Timestamp,
    /// The answers, and to how many messages.
    pub evidence: String,
}

/// A text for people about refusals that cannot be true.
pub(super) fn words(found: &AddressFaults, class: Class, example: &str) -> String {
    // The reply contains a recipient's address, which must not be shown here.
    let example: Vec<&str> =
        example.split(' ').map(|word| if word.contains('@') { "(address)" } else { word }).collect();
    let (faults, answers, example) = (found.faults, found.answers, example.join(" "));
    match class {
        Class::Address => format!(
            "{faults} of {answers} recipients are said not to exist, which cannot be true; it counts against none of them \
             ({example})"
        ),
        _ => format!(
            "{faults} of {answers} messages were refused for good, which cannot be true; they are tried again ({example})"
        ),
    }
}

/// Recent answers about recipients.
#[derive(Debug)]
pub(super) struct FaultWindow {
    window: Window,
    expected: Expected,
    evidence: Evidence,
    /// Domains with refusals.
    domains: BTreeSet<String>,
    /// The domains that last accepted something, with the part of the window.
    well: VecDeque<(String, i64)>,
    mailings: BTreeSet<MailingId>,
    /// Multiplier for the thresholds: doubled each time a person resumes a stopped mailing.
    factor: u64,
    /// Refusals for good are not believed until then.
    doubted_until: Option<Timestamp>,
}

impl FaultWindow {
    pub(crate) fn new(expected: Expected) -> Self {
        Self {
            window: Window::default(),
            expected,
            evidence: Evidence::default(),
            domains: BTreeSet::new(),
            well: VecDeque::new(),
            mailings: BTreeSet::new(),
            factor: 1,
            doubted_until: None,
        }
    }

    /// A window for the receivers of a single domain.
    pub(crate) fn of_domain() -> Self {
        Self::new(Expected::AT_A_DOMAIN)
    }

    /// Counts an answer other than a permanent refusal.
    pub(crate) fn add(&mut self, part: i64, domain: &str) {
        self.window.add(part, false);
        self.evidence.add(self.expected, false);
        self.well.retain(|(known, at)| known != domain && *at > part - PARTS);
        self.well.push_back((domain.to_owned(), part));
        if self.well.len() > 2 {
            self.well.pop_front();
        }
        self.forget();
    }

    /// Counts a permanent refusal; returns the counts when they cannot be true.
    pub(crate) fn fault(&mut self, part: i64, domain: &str, mailing: MailingId) -> Option<AddressFaults> {
        self.forget_before(part);
        self.window.add(part, true);
        self.evidence.add(self.expected, true);
        if self.domains.len() < DOMAINS {
            self.domains.insert(domain.to_owned());
        }
        if self.mailings.len() < MOST_MAILINGS {
            self.mailings.insert(mailing);
        }
        let (answers, faults) = self.window.sums();
        let found = AddressFaults { answers, faults, domains: self.domains.len() };
        (found.cannot_be_true_of(self.factor) || self.evidence.is_sure(self.factor)).then_some(found)
    }

    /// Whether only one domain refuses, while another one accepts mail.
    pub(crate) fn is_of_one_domain(&self) -> bool {
        self.domains.len() == 1 && self.well.iter().any(|(domain, _)| !self.domains.contains(domain))
    }

    /// Clears the window; returns the mailings that were refused.
    pub(crate) fn reset(&mut self) -> Vec<MailingId> {
        self.window = Window::default();
        self.evidence = Evidence::default();
        self.domains.clear();
        std::mem::take(&mut self.mailings).into_iter().collect()
    }

    /// Disbelieves permanent refusals until `until`.
    pub(crate) fn doubt(&mut self, until: Timestamp) {
        self.doubted_until = Some(until);
    }

    /// Records that a person has seen the doubt: refusals are believed again, and the thresholds double.
    pub(crate) fn seen(&mut self, expected: Expected) {
        self.expected = expected;
        if self.doubted_until.take().is_some() {
            self.needs_more();
        }
        self.reset();
    }

    /// Doubles the thresholds.
    pub(crate) fn needs_more(&mut self) {
        self.factor = (self.factor * 2).min(1 << 20);
    }

    /// Whether refusals were doubted and no person has seen it since.
    pub(crate) fn is_stopped(&self) -> bool {
        self.doubted_until.is_some()
    }

    /// Until when permanent refusals are not believed, if so.
    pub(crate) fn doubted(&self, now: Timestamp) -> Option<Timestamp> {
        self.doubted_until.filter(|until| now < *until)
    }

    /// Whether enough messages in a row were refused that further refusals must be repeated to be believed.
    pub(crate) fn is_suspicious(&self) -> bool {
        self.factor == 1 && self.evidence.is_suspicious(self.expected)
    }

    /// Whether it holds nothing recent.
    pub(crate) fn is_quiet(&self, now: Timestamp, oldest: i64) -> bool {
        self.doubted(now).is_none() && self.window.last().is_none_or(|last| last <= oldest)
    }

    /// Forgets domains and mailings once the window holds no refusals.
    fn forget(&mut self) {
        if self.window.sums().1 == 0 {
            self.domains.clear();
            self.mailings.clear();
            self.evidence = Evidence::default();
        }
    }

    /// Forgets what is before the window, also if nothing was counted since.
    fn forget_before(&mut self, part: i64) {
        if self.window.last().is_some_and(|last| last <= part - PARTS) {
            self.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_cannot_be_true() {
        let check = |answers, faults, domains| AddressFaults { answers, faults, domains }.cannot_be_true();
        assert!(check(20, 20, 1) && check(39, 20, 1) && check(1000, 501, 9));
        assert!(!check(40, 20, 1) && !check(19, 19, 2) && !check(1000, 500, 9));
        assert!(check(8, 8, 3) && check(10, 9, 3));
        assert!(!check(8, 8, 2) && !check(7, 7, 3) && !check(10, 8, 3));
    }

    /// Number of refusals in a row from which they cannot be true.
    fn in_a_row(expected: Expected) -> usize {
        let mut evidence = Evidence::default();
        (1..100)
            .find(|_| {
                evidence.add(expected, true);
                evidence.is_sure(1)
            })
            .unwrap()
    }

    #[test]
    fn a_history_says_how_many_refusals_in_a_row_are_incredible() {
        assert_eq!(in_a_row(Expected::UNKNOWN), 13);
        assert_eq!(in_a_row(Expected::from_history(1000, 2)), 5);
        assert_eq!(in_a_row(Expected::from_history(950, 50)), 8);
        assert_eq!(Expected::from_history(40, 9), Expected::UNKNOWN, "too few");
        assert_eq!(Expected::from_history(50, 50).share, 0.3);
    }

    #[test]
    fn a_share_that_the_history_allows_is_never_incredible() {
        for (expected, one_in) in [(Expected::UNKNOWN, 2), (Expected::from_history(1000, 2), 10)] {
            let mut evidence = Evidence::default();
            for number in 0..10_000 {
                evidence.add(expected, number % one_in == 0);
                assert!(!evidence.is_sure(1), "1 in {one_in}, {number}");
            }
        }
        let mut evidence = Evidence::default();
        let third = (0..300).position(|number| {
            evidence.add(Expected::from_history(1000, 2), number % 3 == 0);
            evidence.is_sure(1)
        });
        assert!(third.is_some_and(|after| after < 100), "a third, where hardly any was refused before: {third:?}");
    }
}
