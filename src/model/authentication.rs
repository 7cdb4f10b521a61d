//! Whether a message comes from the domain that its From field names: SPF (RFC 7208), DKIM (RFC 6376) and, derived
//! from both, DMARC (RFC 9989, formerly RFC 7489).

use super::list::Unproven;

/// The results of checking a message against its author's domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// Whether the author's domain vouches for it: by DMARC where it has such a record; otherwise it fails if the
    /// domain's SPF or DKIM speaks against it and nothing for it.
    pub author: Check,
    /// Whether the sending machine may send for the envelope sender's domain (SPF).
    pub spf: Check,
    /// Whether a signature is valid (DKIM).
    pub dkim: Check,
    /// What the author's domain asks receivers to do with mail that fails.
    pub policy: DomainPolicy,
}

/// One result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// The domain publishes nothing to check against.
    None,
    /// Unknown: the message did not come straight to us, or a DNS look-up failed.
    #[default]
    Unknown,
}

impl Check {
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

/// What a domain asks receivers to do with mail in its name that fails DMARC (`p=`, or `sp=` for a subdomain).
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
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
            Self::Unknown => "unknown",
        }
    }

    /// Whether receivers may refuse mail from other servers that keeps such an author in From. An unknown policy
    /// counts as such: a rewritten From loses nothing, a refused mail is lost.
    pub(crate) fn forbids_others(self) -> bool {
        self != Self::None
    }
}

/// Why a post needs more than its author's name to be sent. The text completes a sentence that begins with the post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The author's domain asks receivers to stop forged mail, and nothing proves that this is not forged.
    #[error("its author's domain forbids others to write in its name, and nothing proves that it was sent from there")]
    Forbidden,
    /// The domain's policy could not be looked up, and may be strict.
    #[error("its author's domain's policy for forged mail could not be looked up")]
    PolicyUnknown,
    /// The domain has published who may send for it, and the message is not from there, or could not be checked.
    #[error("its author's domain does not vouch for it")]
    Unproven,
}

impl Authentication {
    /// Why a member's post must wait for a person, if it must. `looked_up`: it came straight to us, so that its
    /// author's domain could be queried; `unproven`: the list's rule.
    pub fn objection(&self, looked_up: bool, unproven: Unproven) -> Option<Objection> {
        let fails = self.author == Check::Fail || self.author == Check::Unknown && looked_up;
        match (self.author, self.policy) {
            (Check::Pass, _) => None,
            (_, DomainPolicy::Quarantine | DomainPolicy::Reject) => Some(Objection::Forbidden),
            (_, DomainPolicy::Unknown) => Some(Objection::PolicyUnknown),
            (_, DomainPolicy::None) => (fails && unproven == Unproven::Hold).then_some(Objection::Unproven),
        }
    }

    /// Whether the author's domain disowns it and asks receivers to stop such mail.
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
