//! Large receivers as groups of domains: so outcomes can be compared by receiver while the number of series stays the
//! same for all lists.
//!
//! Only the recipient's own domain counts. An organisation whose domain is served by one of these receivers belongs
//! to `other`.

/// A group and its domains, in A-labels.
const GROUPS: &[(&str, &[&str])] = &[
    ("gmail", &["gmail.com", "googlemail.com"]),
    (
        "outlook",
        &[
            "outlook.com",
            "hotmail.com",
            "hotmail.se",
            "live.com",
            "live.se",
            "msn.com",
            "outlook.se",
            "hotmail.co.uk",
            "hotmail.fr",
            "hotmail.de",
            "live.co.uk",
            "passport.com",
        ],
    ),
    (
        "yahoo",
        &[
            "yahoo.com",
            "yahoo.se",
            "ymail.com",
            "rocketmail.com",
            "aol.com",
            "yahoo.co.uk",
            "yahoo.de",
            "yahoo.fr",
            "yahoo.no",
            "yahoo.dk",
        ],
    ),
    ("icloud", &["icloud.com", "me.com", "mac.com"]),
    ("proton", &["proton.me", "protonmail.com", "pm.me"]),
    ("telia", &["telia.com", "telia.se"]),
    ("tele2", &["tele2.se", "comhem.se", "swipnet.se"]),
    ("telenor", &["telenor.se", "bredband.net"]),
    ("other", &[]),
];

/// Number of groups.
pub(super) const COUNT: usize = GROUPS.len();

/// A group of domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DomainGroup(u8);

impl DomainGroup {
    /// All domains of no large receiver.
    pub(crate) const OTHER: Self = Self(GROUPS.len() as u8 - 1);

    /// The group of a domain in lower-case A-labels, as in addresses.
    pub(crate) fn of(domain: &str) -> Self {
        let found = GROUPS.iter().position(|(_, domains)| domains.contains(&domain));
        found.map_or(Self::OTHER, |index| Self(index as u8))
    }

    /// All groups.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..GROUPS.len() as u8).map(Self)
    }

    /// Its name, the value of the label `domain_group`.
    pub(crate) fn word(self) -> &'static str {
        GROUPS[self.index()].0
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_receivers_have_groups_and_everybody_else_shares_one() {
        assert_eq!(DomainGroup::of("hotmail.se").word(), "outlook");
        assert_eq!(DomainGroup::of("example.org"), DomainGroup::OTHER);
        assert_eq!(DomainGroup::OTHER.word(), "other");
        assert_eq!(DomainGroup::of("gmail.com.example").word(), "other");
    }

    #[test]
    fn no_domain_is_in_two_groups() {
        let mut domains: Vec<&str> = GROUPS.iter().flat_map(|(_, domains)| domains.iter().copied()).collect();
        let many = domains.len();
        domains.sort_unstable();
        domains.dedup();
        assert_eq!(domains.len(), many);
    }
}
