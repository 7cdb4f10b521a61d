//! When what is said of addresses cannot be true: a relay or a domain that says "no such address" of all recipients is broken, or
//! closed to us, and says nothing about the people behind the addresses.

use std::collections::BTreeSet;

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;

use super::Window;

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
        let most = self.faults >= MANY && self.faults * 2 > self.answers;
        let nearly_all = self.faults >= SEVERAL && self.domains >= DOMAINS && self.faults * 10 >= self.answers * 9;
        most || nearly_all
    }

    /// After how many more faults it is worth while to count again: when they may be too many, or twice as many.
    pub fn until_next_count(&self) -> u64 {
        let bounds = [SEVERAL, MANY, self.answers / 2 + 1];
        let next = bounds.into_iter().filter_map(|bound| bound.checked_sub(self.faults)).filter(|more| *more > 0).min();
        next.unwrap_or(u64::MAX).min(self.faults.max(1))
    }
}

/// What must be taken back, because it cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubted {
    /// The mailings that were refused so.
    pub mailings: Vec<MailingId>,
    /// Only at this domain; `None`: everywhere.
    pub domain: Option<String>,
    /// What was said since then.
    pub since: Timestamp,
    /// What was said, of how many.
    pub evidence: String,
}

/// The latest answers about recipients.
#[derive(Debug, Default)]
pub(super) struct FaultWindow {
    window: Window,
    domains: BTreeSet<String>,
    mailings: BTreeSet<MailingId>,
    /// Nothing that is said of addresses is believed until then.
    pub doubted_until: Option<Timestamp>,
}

impl FaultWindow {
    /// Counts an answer that says nothing against the address.
    pub fn add(&mut self, part: i64) {
        self.window.add(part, false);
        self.forget();
    }

    /// Counts an address fault; gives how many there are and the mailings, when that cannot be true. The window then begins
    /// anew.
    pub fn fault(&mut self, part: i64, domain: &str, mailing: MailingId) -> Option<(AddressFaults, Vec<MailingId>)> {
        self.window.add(part, true);
        self.forget();
        if self.domains.len() < DOMAINS {
            self.domains.insert(domain.to_owned());
        }
        if self.mailings.len() < MOST_MAILINGS {
            self.mailings.insert(mailing);
        }
        let (answers, faults) = self.window.sums();
        let found = AddressFaults { answers, faults, domains: self.domains.len() };
        if !found.cannot_be_true() {
            return None;
        }
        self.window = Window::default();
        self.domains.clear();
        Some((found, std::mem::take(&mut self.mailings).into_iter().collect()))
    }

    /// Whether what is said of addresses is believed.
    pub fn is_believed(&self, now: Timestamp) -> bool {
        self.doubted_until.is_none_or(|until| now >= until)
    }

    /// Whether nothing recent is in it.
    pub fn is_quiet(&self, now: Timestamp, oldest: i64) -> bool {
        self.is_believed(now) && self.window.last().is_none_or(|last| last <= oldest)
    }

    /// Without faults in the window, nothing is known of domains and mailings.
    fn forget(&mut self) {
        if self.window.sums().1 == 0 {
            self.domains.clear();
            self.mailings.clear();
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
}
