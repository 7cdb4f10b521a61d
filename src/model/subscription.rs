//! The states of a subscription.

/// The state of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubscriptionState {
    /// Requested, not yet confirmed: receives no mail.
    Pending,
    /// Receives mail.
    Active,
    /// Stopped temporarily by the subscriber.
    Paused,
    /// Stopped by bounces.
    Suspended,
    /// Ended; only the subscriber's own confirmed request starts it again.
    Ended,
}

impl SubscriptionState {
    /// The word for it in commands, API and records.
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
