//! When what is said of recipients cannot be true: a relay or a domain that refuses all messages for good is broken, or
//! closed to us, and says nothing about the people behind the addresses.
//!
//! Two rules. Counts in the window: 20 or more refusals that are the larger part, or 8 or more at three domains that are nine of
//! ten. And a running sum of evidence (CUSUM; Page, Biometrika 41, 1954): each answer weighs for or against "nearly all is refused"
//! by how likely it is under that and under what was expected; at a million to one it is believed. So a list of which
//! nothing is known needs 13 refusals in a row, and a list whose history knows hardly any needs 5.

use std::collections::{BTreeSet, VecDeque};

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::model::classify::Class;

use super::window::{PARTS, Window};

/// From so many faults on, more than half of the recipients cannot all be wrong.
const MANY: u64 = 20;
/// From so many faults on, nearly all recipients at several domains cannot be wrong.
const SEVERAL: u64 = 8;
/// At so many domains.
const DOMAINS: usize = 3;
/// Mailings of which a window remembers that they were refused.
const MOST_MAILINGS: usize = 100;

/// What receivers said of a group of recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressFaults {
    /// Of how many recipients anything is known.
    pub answers: u64,
    /// How many of them are said not to exist.
    pub faults: u64,
    /// At how many domains those are.
    pub domains: usize,
}

impl AddressFaults {
    /// Whether so many cannot be wrong at once: 20 or more who are the larger part, or 8 or more at three domains who are
    /// nine of ten.
    pub fn cannot_be_true(&self) -> bool {
        self.cannot_be_true_of(1)
    }

    /// The same where a person has seen it before, and let it go on: so many times as many are needed.
    fn cannot_be_true_of(&self, factor: u64) -> bool {
        let most = self.faults >= MANY * factor && self.faults * 2 > self.answers;
        let nearly_all =
            self.faults >= SEVERAL * factor && self.domains >= DOMAINS && self.faults * 10 >= self.answers * 9;
        most || nearly_all
    }

    /// After how many more faults it is worth while to count again: when they may be too many, or twice as many.
    pub fn until_next_count(&self) -> u64 {
        let bounds = [SEVERAL, MANY, self.answers / 2 + 1];
        let next = bounds.into_iter().filter_map(|bound| bound.checked_sub(self.faults)).filter(|more| *more > 0).min();
        next.unwrap_or(u64::MAX).min(self.faults.max(1))
    }
}

/// Which part of a mailing's messages is expected to be refused for good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// From 0 to 1.
    pub share: f64,
    /// Whether it comes from the history of the mailing's lists.
    pub is_known: bool,
}

impl Expected {
    /// Where nothing is known: an old list may have many dead addresses.
    pub const UNKNOWN: Self = Self { share: 0.3, is_known: false };
    /// At one domain: a newspaper that has closed is refused as a whole, so only the counts decide.
    const AT_A_DOMAIN: Self = Self { share: 0.5, is_known: false };

    /// From what became of earlier mailings to the same lists: three times their share, at least 5 % and at most 30 %;
    /// nothing is known from fewer than 50 answers.
    pub fn from_history(accepted: u64, failed: u64) -> Self {
        let answers = accepted + failed;
        if answers < FROM_HISTORY {
            return Self::UNKNOWN;
        }
        let share = 3.0 * failed as f64 / answers as f64;
        Self { share: share.clamp(0.05, Self::UNKNOWN.share), is_known: true }
    }
}

/// Answers from which a history speaks.
const FROM_HISTORY: u64 = 50;
/// ln of a million: how many times likelier it must be that nearly all is refused.
const SURE: f64 = 13.8;
/// So many refusals in a row may be true; those after them are asked again before they are believed.
const MAY_BE_TRUE: f64 = 3.0;
/// The share refused where nearly all is, and where much is.
const NEARLY_ALL: f64 = 0.9;
const MUCH: f64 = 0.3;

/// Sums of evidence, each never below nothing.
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

    /// Whether nearly all was refused of late, if only of few.
    fn is_suspicious(self, expected: Expected) -> bool {
        self.nearly_all > (MAY_BE_TRUE + 0.1) * (NEARLY_ALL / expected.share).ln()
    }
}

/// What must be taken back, because it cannot be true or blames the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubted {
    /// The mailings that were refused so.
    pub mailings: Vec<MailingId>,
    /// Only at this domain; `None`: everywhere.
    pub domain: Option<String>,
    /// What was said since then.
    pub since: Timestamp,
    /// Nothing of it is tried again before.
    pub until: Timestamp,
    /// What was said, of how many.
    pub evidence: String,
}

/// What cannot be true, for people.
pub(super) fn words(found: &AddressFaults, class: Class, example: &str) -> String {
    // The reply names a recipient, and this is shown where no address may stand.
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

/// The latest answers about recipients.
#[derive(Debug)]
pub(super) struct FaultWindow {
    window: Window,
    expected: Expected,
    evidence: Evidence,
    /// Domains that refused.
    domains: BTreeSet<String>,
    /// The domains that took something last, and in which part of the window.
    well: VecDeque<(String, i64)>,
    mailings: BTreeSet<MailingId>,
    /// So many times as much is needed: doubled each time a person lets a stopped mailing go on.
    factor: u64,
    /// Refusals for good are not believed until then.
    doubted_until: Option<Timestamp>,
}

impl FaultWindow {
    pub fn new(expected: Expected) -> Self {
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

    /// One for the receivers of a single domain.
    pub fn of_domain() -> Self {
        Self::new(Expected::AT_A_DOMAIN)
    }

    /// Counts an answer that is no refusal for good.
    pub fn add(&mut self, part: i64, domain: &str) {
        self.window.add(part, false);
        self.evidence.add(self.expected, false);
        self.well.retain(|(known, at)| known != domain && *at > part - PARTS);
        self.well.push_back((domain.to_owned(), part));
        if self.well.len() > 2 {
            self.well.pop_front();
        }
        self.forget();
    }

    /// Counts a refusal for good; gives how many there are, when that cannot be true.
    pub fn fault(&mut self, part: i64, domain: &str, mailing: MailingId) -> Option<AddressFaults> {
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

    /// Whether only one domain refuses, while another one takes what it is sent.
    pub fn is_of_one_domain(&self) -> bool {
        self.domains.len() == 1 && self.well.iter().any(|(domain, _)| !self.domains.contains(domain))
    }

    /// Begins anew; gives the mailings that were refused.
    pub fn begin_anew(&mut self) -> Vec<MailingId> {
        self.window = Window::default();
        self.evidence = Evidence::default();
        self.domains.clear();
        std::mem::take(&mut self.mailings).into_iter().collect()
    }

    /// Believes no refusal for good before `until`.
    pub fn doubt(&mut self, until: Timestamp) {
        self.doubted_until = Some(until);
    }

    /// A person has seen what was doubted: it is believed again, and twice as much is needed to doubt it.
    pub fn seen(&mut self, expected: Expected) {
        self.expected = expected;
        if self.doubted_until.take().is_some() {
            self.needs_more();
        }
        self.begin_anew();
    }

    /// Twice as much is needed from now on.
    pub fn needs_more(&mut self) {
        self.factor = (self.factor * 2).min(1 << 20);
    }

    /// Whether it was doubted, and no person has seen it since.
    pub fn is_stopped(&self) -> bool {
        self.doubted_until.is_some()
    }

    /// Until when refusals for good are not believed, if they are not.
    pub fn doubted(&self, now: Timestamp) -> Option<Timestamp> {
        self.doubted_until.filter(|until| now < *until)
    }

    /// Whether so many were refused in a row that those after them are asked again before they are believed.
    pub fn is_suspicious(&self) -> bool {
        self.factor == 1 && self.evidence.is_suspicious(self.expected)
    }

    /// Whether nothing recent is in it.
    pub fn is_quiet(&self, now: Timestamp, oldest: i64) -> bool {
        self.doubted(now).is_none() && self.window.last().is_none_or(|last| last <= oldest)
    }

    /// Without refusals in the window, nothing is known of domains and mailings.
    fn forget(&mut self) {
        if self.window.sums().1 == 0 {
            self.domains.clear();
            self.mailings.clear();
            self.evidence = Evidence::default();
        }
    }

    /// What lies before the window is forgotten, also where nothing came since.
    fn forget_before(&mut self, part: i64) {
        if self.window.last().is_some_and(|last| last <= part - PARTS) {
            self.begin_anew();
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

    /// After how many refusals in a row it cannot be true.
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
