//! The states of a subscription.

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubscriptionState {
    /// Asked for, not yet confirmed: gets no mail.
    Pending,
    /// Gets mail.
    Active,
    /// Stopped for a time by the subscriber.
    Paused,
    /// Stopped by bounces.
    Suspended,
    /// Ended; only the subscriber's own confirmed wish begins it anew.
    Ended,
}

impl SubscriptionState {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
        }
    }
}
