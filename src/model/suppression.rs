//! An address that is never to be mailed again.

use crate::base::address::Address;
use crate::base::clock::Timestamp;

/// One suppression. The keyed hash of the address is its key in the store, so that it outlives the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The address, until its owner is erased.
    pub address: Option<Address>,
    /// Why.
    pub reason: SuppressionReason,
    /// Since when.
    pub since: Timestamp,
    /// What was said, or by whom it was entered.
    pub note: String,
}

/// Why an address is suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionReason {
    /// The person asked never to be mailed.
    Request,
    /// The person complained of spam.
    Complaint,
    /// The person's data was erased.
    Erased,
    /// An operator entered it.
    Operator,
}

impl SuppressionReason {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Complaint => "complaint",
            Self::Erased => "erased",
            Self::Operator => "operator",
        }
    }
}
