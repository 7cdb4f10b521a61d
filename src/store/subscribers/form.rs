//! A subscriber's record on disk. Decoding borrows from the stored bytes, so that scanning a million records is fast.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::id::SubscriberId;
use crate::base::language::Language;
use crate::base::peer::Network;
use crate::model::consent::{ConsentEvent, ConsentSource};
use crate::model::subscriber::{Subscriber, Subscription, SubscriptionState};
use crate::store::engine::Value;
use crate::store::record::{self, RecordError, stored_enum};
use crate::store::{Read, StoreError};

const FAMILY: &str = "subscriber";
/// Versions 2 and 3 only add sources, so one form reads all versions.
const VERSION: u8 = 3;

#[derive(Serialize, Deserialize)]
struct SubscriberV1<'a> {
    id: u64,
    #[serde(borrow)]
    address: &'a str,
    name: Option<&'a str>,
    language: &'a str,
    organisation: Option<&'a str>,
    beats: Vec<&'a str>,
    regions: Vec<&'a str>,
    attributes: Vec<(&'a str, &'a str)>,
    subscriptions: Vec<SubscriptionV1<'a>>,
    created: i64,
    updated: i64,
}

/// The state is that of the last event, so it is not stored separately.
#[derive(Serialize, Deserialize)]
struct SubscriptionV1<'a> {
    #[serde(borrow)]
    list: &'a str,
    events: Vec<EventV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct EventV1<'a> {
    at: i64,
    became: StateV1,
    #[serde(borrow)]
    source: SourceV1<'a>,
    words: &'a str,
}

stored_enum!(StateV1 is SubscriptionState { Pending, Active, Paused, Suspended, Ended });

#[derive(Serialize, Deserialize)]
enum SourceV1<'a> {
    Import {
        file: &'a str,
        line: u64,
    },
    Operator {
        who: &'a str,
    },
    Mail {
        message_id: &'a str,
    },
    System {
        rule: &'a str,
    },
    /// Since version 2.
    KeptMail {
        message_id: &'a str,
        sha256: [u8; 32],
    },
    /// Since version 3.
    Web {
        /// The first address of its network.
        network: IpAddr,
        revision: &'a str,
    },
    /// Since version 3.
    Api {
        client: &'a str,
    },
}

pub(super) fn encode(subscriber: &Subscriber) -> Value {
    let form = SubscriberV1 {
        id: subscriber.id.0,
        address: subscriber.address.as_str(),
        name: subscriber.name.as_deref(),
        language: subscriber.language.as_str(),
        organisation: subscriber.organisation.as_deref(),
        beats: subscriber.beats.iter().map(String::as_str).collect(),
        regions: subscriber.regions.iter().map(String::as_str).collect(),
        attributes: subscriber.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
        subscriptions: subscriber
            .subscriptions
            .iter()
            .map(|(list, s)| SubscriptionV1 { list: list.as_str(), events: s.events.iter().map(event_form).collect() })
            .collect(),
        created: subscriber.created.timestamp_millis(),
        updated: subscriber.updated.timestamp_millis(),
    };
    record::encode(VERSION, &form)
}

fn event_form(event: &ConsentEvent) -> EventV1<'_> {
    EventV1 {
        at: event.at.timestamp_millis(),
        became: event.became.into(),
        source: match &event.source {
            ConsentSource::Import { file, line } => SourceV1::Import { file, line: *line },
            ConsentSource::Operator { who } => SourceV1::Operator { who },
            ConsentSource::Mail { message_id, evidence: None } => SourceV1::Mail { message_id },
            ConsentSource::Mail { message_id, evidence: Some(sha256) } => {
                SourceV1::KeptMail { message_id, sha256: *sha256 }
            }
            ConsentSource::Web { network, revision } => SourceV1::Web { network: network.first(), revision },
            ConsentSource::Api { client } => SourceV1::Api { client },
            ConsentSource::System { rule } => SourceV1::System { rule },
        },
        words: &event.words,
    }
}

pub(super) fn damaged(reason: impl ToString) -> RecordError {
    RecordError::Damaged { family: FAMILY, reason: reason.to_string() }
}

pub(in crate::store) fn decode(bytes: &Value) -> Result<Read<Subscriber>, StoreError> {
    let (version, rest) = record::split(FAMILY, bytes)?;
    if !(1..=VERSION).contains(&version) {
        return Err(RecordError::Newer { family: FAMILY, version }.into());
    }
    let form: SubscriberV1<'_> = postcard::from_bytes(rest).map_err(damaged)?;
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
    let subscriptions = form.subscriptions.into_iter().map(|subscription| {
        let list = subscription.list.parse().map_err(damaged)?;
        let events = subscription.events.into_iter().map(event).collect::<Result<Vec<_>, _>>()?;
        let state = events.last().ok_or_else(|| damaged("a subscription without events"))?.became;
        Ok((list, Subscription { state, events }))
    });
    let subscriber = Subscriber {
        id: SubscriberId(form.id),
        address: Address::from_stored(form.address.to_owned()).map_err(damaged)?,
        name: form.name.map(str::to_owned),
        language: form.language.parse::<Language>().map_err(damaged)?,
        organisation: form.organisation.map(str::to_owned),
        beats: owned(form.beats),
        regions: owned(form.regions),
        attributes: form.attributes.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        subscriptions: subscriptions.collect::<Result<_, RecordError>>()?,
        created: record::instant(FAMILY, form.created)?,
        updated: record::instant(FAMILY, form.updated)?,
    };
    Ok(Read { value: subscriber, stamp: bytes.clone() })
}

fn event(form: EventV1<'_>) -> Result<ConsentEvent, RecordError> {
    Ok(ConsentEvent {
        at: record::instant(FAMILY, form.at)?,
        became: form.became.into(),
        source: match form.source {
            SourceV1::Import { file, line } => ConsentSource::Import { file: file.to_owned(), line },
            SourceV1::Operator { who } => ConsentSource::Operator { who: who.to_owned() },
            SourceV1::Mail { message_id } => ConsentSource::Mail { message_id: message_id.to_owned(), evidence: None },
            SourceV1::KeptMail { message_id, sha256 } => {
                ConsentSource::Mail { message_id: message_id.to_owned(), evidence: Some(sha256) }
            }
            SourceV1::Web { network, revision } => {
                ConsentSource::Web { network: Network::of(network), revision: revision.to_owned() }
            }
            SourceV1::Api { client } => ConsentSource::Api { client: client.to_owned() },
            SourceV1::System { rule } => ConsentSource::System { rule: rule.to_owned() },
        },
        words: form.words.to_owned(),
    })
}
