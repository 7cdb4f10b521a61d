//! Suppressions: addresses that must never be mailed again.

use crate::base::address::Address;
use crate::base::clock::Timestamp;

/// One suppression. In the store its key is the keyed hash of the address, so that it outlives the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The address, until its owner is erased.
    pub address: Option<Address>,
    /// The reason.
    pub reason: SuppressionReason,
    /// Since when.
    pub since: Timestamp,
    /// The person's words, or who entered it.
    pub note: String,
}

/// Why an address is suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionReason {
    /// The person asked never to be mailed.
    Request,
    /// The person reported spam.
    Complaint,
    /// The person's data was erased.
    Erased,
    /// An operator entered it.
    Operator,
}

impl SuppressionReason {
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Complaint => "complaint",
            Self::Erased => "erased",
            Self::Operator => "operator",
        }
    }
}
