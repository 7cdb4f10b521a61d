//! What can be said of whether a message is from whom its From names: SPF (RFC 7208), DKIM (RFC 6376) and, out of both,
//! DMARC (RFC 9989, before that RFC 7489).

use super::list::Unproven;

/// What checking a message against its author's domain came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// Whether the author's domain stands by it: by DMARC where it has such a record; else it fails where the domain's
    /// SPF or DKIM speaks against it and nothing for it.
    pub author: Check,
    /// Whether its machine may send for its envelope sender (SPF).
    pub spf: Check,
    /// Whether a signature is right (DKIM).
    pub dkim: Check,
    /// What the author's domain asks receivers to do with mail that it does not stand by.
    pub policy: DomainPolicy,
}

/// One result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// It is.
    Pass,
    /// It is not.
    Fail,
    /// The domain says nothing about it.
    None,
    /// Nobody knows: it did not come straight to us, or the names could not be looked up.
    #[default]
    Unknown,
}

impl Check {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

/// What a domain asks receivers to do with mail in its name that it does not stand by (`p=`, or `sp=` for a subdomain).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DomainPolicy {
    /// Nothing, or it has no DMARC record.
    None,
    /// To set it aside.
    Quarantine,
    /// To refuse it.
    Reject,
    /// It could not be looked up.
    #[default]
    Unknown,
}

impl DomainPolicy {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
            Self::Unknown => "unknown",
        }
    }

    /// Whether mail from elsewhere that keeps such an author in From may be refused. What is not known counts so: a
    /// rewritten From loses nothing, a refused mail is lost.
    pub fn forbids_others(self) -> bool {
        self != Self::None
    }
}

/// Why a post must not go out on its author's name alone. The text says it for people, after the post's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// Its author's domain asks that others' mail be stopped, and nothing shows that it is from there.
    #[error("its author's domain forbids others to write in its name, and nothing proves that it is from there")]
    Forbidden,
    /// Its author's domain may ask so.
    #[error("what its author's domain says of forged mail could not be looked up")]
    PolicyUnknown,
    /// Its author's domain has published who may send for it, and this is not from there, or could not be checked.
    #[error("its author's domain does not stand by it")]
    Unproven,
}

impl Authentication {
    /// Whether a member's post must wait for a person; `looked_up` is whether it came straight to us, so that its author's
    /// domain could be asked, and `unproven` the list's rule.
    pub fn objection(&self, looked_up: bool, unproven: Unproven) -> Option<Objection> {
        let fails = self.author == Check::Fail || self.author == Check::Unknown && looked_up;
        match (self.author, self.policy) {
            (Check::Pass, _) => None,
            (_, DomainPolicy::Quarantine | DomainPolicy::Reject) => Some(Objection::Forbidden),
            (_, DomainPolicy::Unknown) => Some(Objection::PolicyUnknown),
            (_, DomainPolicy::None) => (fails && unproven == Unproven::Hold).then_some(Objection::Unproven),
        }
    }

    /// Whether the author's domain says that this is not from it and asks that it be stopped.
    pub fn is_forged(&self) -> bool {
        self.author == Check::Fail && matches!(self.policy, DomainPolicy::Quarantine | DomainPolicy::Reject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objection(author: Check, policy: DomainPolicy, looked_up: bool, unproven: Unproven) -> Option<Objection> {
        Authentication { author, policy, ..Authentication::default() }.objection(looked_up, unproven)
    }

    #[test]
    fn only_what_is_proven_goes_out_in_the_name_of_a_domain_that_forbids_it() {
        for unproven in [Unproven::Hold, Unproven::Send] {
            for looked_up in [true, false] {
                for author in [Check::Fail, Check::None, Check::Unknown] {
                    for policy in [DomainPolicy::Reject, DomainPolicy::Quarantine] {
                        assert_eq!(objection(author, policy, looked_up, unproven), Some(Objection::Forbidden));
                    }
                    let unknown = objection(author, DomainPolicy::Unknown, looked_up, unproven);
                    assert_eq!(unknown, Some(Objection::PolicyUnknown));
                }
                for policy in [DomainPolicy::Reject, DomainPolicy::Unknown, DomainPolicy::None] {
                    assert_eq!(objection(Check::Pass, policy, looked_up, unproven), None);
                }
            }
        }
    }

    #[test]
    fn the_list_says_what_becomes_of_the_unproven_elsewhere() {
        for (author, looked_up, held) in [
            (Check::Fail, true, true),
            (Check::Fail, false, true),
            (Check::Unknown, true, true),
            (Check::Unknown, false, false),
            (Check::None, true, false),
        ] {
            let expected = held.then_some(Objection::Unproven);
            assert_eq!(objection(author, DomainPolicy::None, looked_up, Unproven::Hold), expected, "{author:?}");
            assert_eq!(objection(author, DomainPolicy::None, looked_up, Unproven::Send), None);
        }
    }
}
