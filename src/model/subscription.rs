//! The states of a subscription, and the one rule about who may start, pause and end it.

use super::channel::Channel;

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
    /// All states.
    pub(crate) const ALL: [Self; 5] = [Self::Pending, Self::Active, Self::Paused, Self::Suspended, Self::Ended];

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

/// What is wanted of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To be on the list.
    Join,
    /// To leave it, for good.
    Leave,
    /// No mail from it for a time.
    Pause,
    /// Mail again, after a pause or a suspension by bounces.
    Resume,
}

/// Why a requested change to a subscription is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It has ended, and only the person can start it again (invariant 4).
    Ended,
    /// No such subscription exists.
    None,
}

/// The state after a request through a channel; the same state if the request has no effect. This is the only place
/// with these rules; [`ended_since`](super::consent::ended_since) decides whether a late confirmation still counts.
///
/// - Ending is never refused, and it is final: only the person's own request starts a subscription again.
/// - Only an active subscription can be paused, only a paused or suspended one resumed.
/// - An import or the system never changes an existing subscription: it lifts no pause and no suspension, and confirms
///   nothing.
///
/// # Errors
/// [`Refused`].
pub(crate) fn after(now: Option<SubscriptionState>, wanted: Wanted, by: Channel) -> Result<SubscriptionState, Refused> {
    use SubscriptionState::{Active, Ended, Paused, Suspended};
    match (wanted, now) {
        (Wanted::Join, Some(Ended)) if !by.is_of_the_person() => Err(Refused::Ended),
        (Wanted::Join, Some(state)) if matches!(by, Channel::Import | Channel::System) => Ok(state),
        (Wanted::Join, _) => Ok(Active),
        (_, None) => Err(Refused::None),
        (Wanted::Leave, Some(_)) => Ok(Ended),
        (Wanted::Pause | Wanted::Resume, Some(Ended)) => Err(Refused::Ended),
        (Wanted::Pause, Some(Active)) => Ok(Paused),
        (Wanted::Resume, Some(Paused | Suspended)) => Ok(Active),
        (Wanted::Pause | Wanted::Resume, Some(state)) => Ok(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SubscriptionState::{Active, Ended, Paused, Pending, Suspended};

    const NOW: [Option<SubscriptionState>; 6] =
        [None, Some(Pending), Some(Active), Some(Paused), Some(Suspended), Some(Ended)];

    /// What becomes of no subscription, and of a pending, active, paused, suspended and ended one.
    fn check(wanted: Wanted, by: &[Channel], expected: [Result<SubscriptionState, Refused>; 6]) {
        for channel in by {
            assert_eq!(NOW.map(|now| after(now, wanted, *channel)), expected, "{wanted:?} by {channel:?}");
        }
    }

    #[test]
    fn only_the_person_begins_anew_what_has_ended() {
        let person = [Channel::Mail, Channel::Web, Channel::Api];
        check(Wanted::Join, &person, [Ok(Active); 6]);
        let active = Ok(Active);
        check(Wanted::Join, &[Channel::Operator], [active, active, active, active, active, Err(Refused::Ended)]);
        let untouched = [Ok(Active), Ok(Pending), Ok(Active), Ok(Paused), Ok(Suspended), Err(Refused::Ended)];
        check(Wanted::Join, &[Channel::Import, Channel::System], untouched);
    }

    #[test]
    fn an_end_is_never_refused() {
        let ended = Ok(Ended);
        check(Wanted::Leave, &Channel::ALL, [Err(Refused::None), ended, ended, ended, ended, ended]);
    }

    #[test]
    fn a_pause_and_its_end_are_the_same_whatever_the_channel() {
        let (none, ended) = (Err(Refused::None), Err(Refused::Ended));
        check(Wanted::Pause, &Channel::ALL, [none, Ok(Pending), Ok(Paused), Ok(Paused), Ok(Suspended), ended]);
        check(Wanted::Resume, &Channel::ALL, [none, Ok(Pending), Ok(Active), Ok(Active), Ok(Active), ended]);
    }
}
