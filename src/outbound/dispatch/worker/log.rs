//! Log lines about single deliveries. Accepted and no longer wanted ones are logged at `debug` only: a mailing to a
//! million readers must not flood a journal that drops what comes too fast.

use std::sync::atomic::Ordering::Relaxed;

use crate::mailings::report::Account;
use crate::model::ledger::{Cause, Delivery, DeliveryState};

use super::Finished;

/// Maximum number of outcomes of one mailing logged one by one at `info`, each time it begins to be sent.
const MOST_LOGGED: u32 = 1000;

macro_rules! outcome {
    ($level:ident, $finished:ident, $code:expr, $words:literal) => {
        tracing::$level!(
            mailing = %$finished.job.run.current().value.id,
            delivery = %id($finished),
            subscriber = %$finished.job.row.subscriber,
            class = $finished.class,
            domain_group = $finished.group.word(),
            attempts = $finished.delivery.attempts,
            code = $code,
            message_id = %$finished.job.run.prepared.message_id($finished.job.row.subscriber),
            reply = reply($finished),
            $words
        )
    };
}

/// Logs the outcome of a delivery, once it is durable. Server replies, which include the queue id, are logged without
/// addresses.
pub(super) fn outcome(finished: &Finished) {
    match &finished.delivery.state {
        DeliveryState::Accepted { reply, .. } => outcome!(debug, finished, reply.code, "delivery accepted"),
        DeliveryState::Suppressed { .. } => outcome!(debug, finished, None::<u16>, "delivery not wanted any more"),
        DeliveryState::Uncertain { .. } => outcome!(warn, finished, None::<u16>, "delivery uncertain"),
        DeliveryState::Failed { .. } if is_logged(finished) => {
            outcome!(info, finished, code(&finished.delivery), "delivery failed");
        }
        DeliveryState::Failed { .. } => outcome!(debug, finished, code(&finished.delivery), "delivery failed"),
        DeliveryState::Deferred { .. } if is_logged(finished) => {
            outcome!(info, finished, code(&finished.delivery), "delivery deferred");
        }
        DeliveryState::Deferred { .. } => outcome!(debug, finished, code(&finished.delivery), "delivery deferred"),
        DeliveryState::Waiting | DeliveryState::InDoubt { .. } | DeliveryState::Cancelled { .. } => {}
    }
}

/// The delivery's id, which is also its envelope id (RFC 3461 §4.4), so that it can be found in a relay's log.
fn id(finished: &Finished) -> String {
    format!("{}.{}", finished.job.run.current().value.id, finished.job.row.subscriber)
}

/// Whether this one is still logged at `info`; logs so when it is the last.
fn is_logged(finished: &Finished) -> bool {
    let told = finished.job.run.told.fetch_add(1, Relaxed);
    if told == MOST_LOGGED {
        tracing::info!(
            mailing = %finished.job.run.current().value.id,
            "many deliveries failed or were deferred; the rest is only in \u{201c}depesch mailing report\u{201d}"
        );
    }
    told < MOST_LOGGED
}

/// The server's reply or the failure, without addresses.
fn reply(finished: &Finished) -> Option<String> {
    let text = Account::of(&finished.delivery).text;
    let words = text.split(' ').map(|word| if word.contains('@') { "(address)" } else { word });
    (!text.is_empty()).then(|| words.collect::<Vec<_>>().join(" "))
}

/// The reply code and the enhanced status code, e.g. `550 5.1.1`.
fn code(delivery: &Delivery) -> Option<String> {
    let (DeliveryState::Failed { cause, .. } | DeliveryState::Deferred { cause, .. }) = &delivery.state else {
        return None;
    };
    let Cause::Reply { reply, .. } = cause else { return None };
    Some(match reply.enhanced() {
        Some(enhanced) => format!("{} {enhanced}", reply.code),
        None => reply.code.to_string(),
    })
}
