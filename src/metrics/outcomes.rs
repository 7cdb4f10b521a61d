//! Outcomes of deliveries, by outcome, class and domain group. Counting is one addition: all possible series are
//! created at the start.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::Labels;
use super::domain_group::{self, DomainGroup};

/// Outcomes and their classes: the class of the refusal, or `none`.
const PAIRS: &[(&str, &str)] = &[
    ("accepted", "none"),
    ("deferred", "address"),
    ("deferred", "mailbox"),
    ("deferred", "content"),
    ("deferred", "policy"),
    ("deferred", "network"),
    ("deferred", "other"),
    ("failed", "address"),
    ("failed", "mailbox"),
    ("failed", "content"),
    ("failed", "policy"),
    ("failed", "network"),
    ("failed", "other"),
    ("suppressed", "none"),
    ("uncertain", "network"),
];

/// Counts outcomes. Cheap to clone; all clones share their state.
#[derive(Clone, Debug)]
pub struct Outcomes {
    pub(super) family: Family<Labels, Counter>,
    /// By pair, then by group.
    counters: Vec<Counter>,
}

impl Default for Outcomes {
    fn default() -> Self {
        let family = Family::<Labels, Counter>::default();
        let mut counters = Vec::with_capacity(PAIRS.len() * domain_group::COUNT);
        for (outcome, class) in PAIRS {
            for group in DomainGroup::all() {
                let labels = [("outcome", *outcome), ("class", *class), ("domain_group", group.word())];
                counters.push(family.get_or_create_owned(&super::labels(&labels)));
            }
        }
        Self { family, counters }
    }
}

impl Outcomes {
    /// Counts one delivery: `outcome` is the word for its new state, `class` the word for the class of the refusal. A
    /// class that an outcome does not have counts as the outcome's last; other states are not counted.
    pub(crate) fn count(&self, outcome: &str, class: &str, group: DomainGroup) {
        let exact = PAIRS.iter().position(|pair| *pair == (outcome, class));
        let pair = exact.or_else(|| PAIRS.iter().rposition(|(known, _)| *known == outcome));
        if let Some(counter) = pair.and_then(|pair| self.counters.get(pair * domain_group::COUNT + group.index())) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_counts_once_where_it_belongs() {
        let outcomes = Outcomes::default();
        outcomes.count("failed", "address", DomainGroup::of("gmail.com"));
        outcomes.count("accepted", "other", DomainGroup::OTHER);
        outcomes.count("uncertain", "none", DomainGroup::OTHER);
        outcomes.count("waiting", "none", DomainGroup::OTHER);
        let of = |outcome, class, group| {
            let labels = [("outcome", outcome), ("class", class), ("domain_group", group)];
            outcomes.family.get_or_create_owned(&super::super::labels(&labels)).get()
        };
        assert_eq!(of("failed", "address", "gmail"), 1);
        assert_eq!(of("accepted", "none", "other"), 1);
        assert_eq!(of("uncertain", "network", "other"), 1);
        assert_eq!(outcomes.counters.iter().map(Counter::get).sum::<u64>(), 3);
    }
}
