//! Manual decisions about single deliveries: retry a failed one, or resolve an uncertain one.

use crate::base::clock::Timestamp;

use super::ledger::{Cause, Delivery, DeliveryState};
use super::reply::Reply;

/// How an uncertain delivery is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Send it again, with the same Message-ID: a second copy may arrive.
    Again,
    /// It arrived.
    Accepted,
    /// It did not arrive, and is not sent again.
    Failed,
}

/// Sets a failed delivery back to waiting; `None` for one that has not failed. Its attempts stay counted.
pub(crate) fn retry(delivery: &Delivery) -> Option<Delivery> {
    let failed = matches!(delivery.state, DeliveryState::Failed { .. });
    failed.then(|| Delivery { state: DeliveryState::Waiting, ..delivery.clone() })
}

/// Resolves an uncertain delivery as `by` decides; `None` for one that is not uncertain.
pub(crate) fn resolve(delivery: &Delivery, resolution: Resolution, by: &str, at: Timestamp) -> Option<Delivery> {
    if !matches!(delivery.state, DeliveryState::Uncertain { .. }) {
        return None;
    }
    let (state, again) = match resolution {
        Resolution::Again => (DeliveryState::Waiting, 1),
        // Code 250 as from the relay, with a text that no relay uses.
        Resolution::Accepted => {
            let reply = Reply::new(250, &format!("in doubt; counted as accepted by {by}"));
            (DeliveryState::Accepted { at, reply }, 0)
        }
        Resolution::Failed => {
            let cause = Cause::Message(format!("in doubt; counted as failed by {by}"));
            (DeliveryState::Failed { at, cause }, 0)
        }
    };
    Some(Delivery { state, attempts: delivery.attempts, resent: delivery.resent + again })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    fn delivery(state: DeliveryState) -> Delivery {
        Delivery { state, attempts: 2, resent: 1 }
    }

    #[test]
    fn only_what_failed_is_tried_again() {
        let failed = delivery(DeliveryState::Failed { at: at(), cause: Cause::Stopped });
        assert_eq!(retry(&failed), Some(delivery(DeliveryState::Waiting)));
        let accepted = delivery(DeliveryState::Accepted { at: at(), reply: Reply::new(250, "ok") });
        assert_eq!(retry(&accepted), None);
        assert_eq!(retry(&delivery(DeliveryState::Uncertain { at: at(), cause: Cause::Stopped })), None);
    }

    #[test]
    fn only_what_is_uncertain_is_decided() {
        let uncertain = delivery(DeliveryState::Uncertain { at: at(), cause: Cause::Stopped });
        let again = resolve(&uncertain, Resolution::Again, "eva", at()).unwrap();
        assert_eq!((again.state, again.attempts, again.resent), (DeliveryState::Waiting, 2, 2));
        let accepted = resolve(&uncertain, Resolution::Accepted, "eva", at()).unwrap();
        assert!(matches!(accepted.state, DeliveryState::Accepted { reply, .. } if reply.text.contains("eva")));
        let failed = resolve(&uncertain, Resolution::Failed, "eva", at()).unwrap();
        assert!(matches!(failed.state, DeliveryState::Failed { .. }) && failed.resent == 1);
        assert_eq!(resolve(&delivery(DeliveryState::Waiting), Resolution::Again, "eva", at()), None);
    }
}
