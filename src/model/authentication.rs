//! What can be said of whether a message is from whom its From names: SPF (RFC 7208), DKIM (RFC 6376) and, out of both,
//! DMARC (RFC 9989, before that RFC 7489).

/// What checking a message against its author's domain came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// Whether the author's domain stands by it (DMARC).
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

impl Authentication {
    /// Whether the author's domain says that this is not from it and asks that it be stopped.
    pub fn is_forged(&self) -> bool {
        self.author == Check::Fail && matches!(self.policy, DomainPolicy::Quarantine | DomainPolicy::Reject)
    }
}
