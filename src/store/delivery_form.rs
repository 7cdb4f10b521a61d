//! A delivery's form on disk: the most frequently written record, so kept small.

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::model::ledger::{Cause, Delivery, DeliveryState, Stage, SuppressedWhy};
use crate::model::reply::Reply;

use super::engine::Value;
use super::record::instant;
use super::record::{self, RecordError, stored_enum};

const FAMILY: &str = "delivery";

#[derive(Serialize, Deserialize)]
struct DeliveryV1 {
    attempts: u16,
    resent: u16,
    state: StateV1,
}

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Waiting,
    InDoubt { since: i64 },
    Accepted { at: i64, code: u16, text: String },
    Deferred { first: i64, until: i64, cause: CauseV1 },
    Failed { at: i64, cause: CauseV1 },
    Suppressed { at: i64, why: WhyV1 },
    Cancelled { at: i64 },
    Uncertain { at: i64, cause: CauseV1 },
}

/// Why a delivery failed; also used for notices.
#[derive(Serialize, Deserialize)]
pub(super) enum CauseV1 {
    Reply { stage: StageV1, code: u16, text: String },
    Connection(String),
    Message(String),
    Stopped,
}

#[derive(Serialize, Deserialize)]
pub(super) enum StageV1 {
    Connect,
    Mail,
    Recipient,
    Data,
    Message,
}

stored_enum!(WhyV1 is SuppressedWhy { Suppression, Unsubscribed, Erased });

/// Encodes a delivery.
pub(super) fn encode(delivery: &Delivery) -> Value {
    let state = match &delivery.state {
        DeliveryState::Waiting => StateV1::Waiting,
        DeliveryState::InDoubt { since } => StateV1::InDoubt { since: millis(since) },
        DeliveryState::Accepted { at, reply } => {
            StateV1::Accepted { at: millis(at), code: reply.code, text: reply.text.clone() }
        }
        DeliveryState::Deferred { first, until, cause } => {
            StateV1::Deferred { first: millis(first), until: millis(until), cause: cause_to_disk(cause) }
        }
        DeliveryState::Failed { at, cause } => StateV1::Failed { at: millis(at), cause: cause_to_disk(cause) },
        DeliveryState::Suppressed { at, why } => StateV1::Suppressed { at: millis(at), why: (*why).into() },
        DeliveryState::Cancelled { at } => StateV1::Cancelled { at: millis(at) },
        DeliveryState::Uncertain { at, cause } => StateV1::Uncertain { at: millis(at), cause: cause_to_disk(cause) },
    };
    record::encode(1, &DeliveryV1 { attempts: delivery.attempts, resent: delivery.resent, state })
}

/// Decodes a delivery.
pub(super) fn decode(bytes: &[u8]) -> Result<Delivery, RecordError> {
    let form: DeliveryV1 = match record::split(FAMILY, bytes)? {
        (1, rest) => record::decode(FAMILY, rest)?,
        (version, _) => return Err(RecordError::Newer { family: FAMILY, version }),
    };
    let at = |millis| instant(FAMILY, millis);
    let state = match form.state {
        StateV1::Waiting => DeliveryState::Waiting,
        StateV1::InDoubt { since } => DeliveryState::InDoubt { since: at(since)? },
        StateV1::Accepted { at: when, code, text } => {
            DeliveryState::Accepted { at: at(when)?, reply: Reply { code, text } }
        }
        StateV1::Deferred { first, until, cause } => {
            DeliveryState::Deferred { first: at(first)?, until: at(until)?, cause: cause_from_disk(cause) }
        }
        StateV1::Failed { at: when, cause } => DeliveryState::Failed { at: at(when)?, cause: cause_from_disk(cause) },
        StateV1::Suppressed { at: when, why } => DeliveryState::Suppressed { at: at(when)?, why: why.into() },
        StateV1::Cancelled { at: when } => DeliveryState::Cancelled { at: at(when)? },
        StateV1::Uncertain { at: when, cause } => {
            DeliveryState::Uncertain { at: at(when)?, cause: cause_from_disk(cause) }
        }
    };
    Ok(Delivery { state, attempts: form.attempts, resent: form.resent })
}

fn millis(at: &Timestamp) -> i64 {
    at.timestamp_millis()
}

pub(super) fn cause_to_disk(cause: &Cause) -> CauseV1 {
    match cause {
        Cause::Reply { stage, reply } => CauseV1::Reply {
            stage: match stage {
                Stage::Connect => StageV1::Connect,
                Stage::Mail => StageV1::Mail,
                Stage::Recipient => StageV1::Recipient,
                Stage::Data => StageV1::Data,
                Stage::Message => StageV1::Message,
            },
            code: reply.code,
            text: reply.text.clone(),
        },
        Cause::Connection(text) => CauseV1::Connection(text.clone()),
        Cause::Message(text) => CauseV1::Message(text.clone()),
        Cause::Stopped => CauseV1::Stopped,
    }
}

pub(super) fn cause_from_disk(cause: CauseV1) -> Cause {
    match cause {
        CauseV1::Reply { stage, code, text } => Cause::Reply {
            stage: match stage {
                StageV1::Connect => Stage::Connect,
                StageV1::Mail => Stage::Mail,
                StageV1::Recipient => Stage::Recipient,
                StageV1::Data => Stage::Data,
                StageV1::Message => Stage::Message,
            },
            reply: Reply { code, text },
        },
        CauseV1::Connection(text) => Cause::Connection(text),
        CauseV1::Message(text) => Cause::Message(text),
        CauseV1::Stopped => Cause::Stopped,
    }
}
