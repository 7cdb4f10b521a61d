//! Subscribers and personal records in JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, PostId, ReleaseId, SubscriberId};
use crate::base::language::Language;
use crate::base::token::to_hex;
use crate::model::consent::{ConsentEvent, ConsentSource};
use crate::model::ledger::{Cause, DeliveryState};
use crate::model::pending_request::PendingRequest;
use crate::model::subscriber::Subscriber;
use crate::privacy::personal_data::PersonalRecord;
use crate::privacy::record::{PersonDelivery, PersonRecord};
use crate::store::audit::KeptEntry;

use super::bounce::BounceView;
use super::inbound::{self, InboundView};
use super::notice::{self, NoticeView};
use super::post::{self, PostView};
use super::rsvp::RsvpView;
use super::suppression::{self, SuppressionView};

/// A subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriberView {
    /// The subscriber's number; shown with the prefix `s`.
    pub id: SubscriberId,
    /// The address.
    pub address: String,
    /// The person's name.
    pub name: Option<String>,
    /// The language of mails to the person.
    pub language: Language,
    /// The newsroom or organisation.
    pub organisation: Option<String>,
    /// Subjects the person covers.
    pub beats: BTreeSet<String>,
    /// Regions the person covers.
    pub regions: BTreeSet<String>,
    /// Other attributes by name.
    pub attributes: BTreeMap<String, String>,
    /// The subscriptions, past and present, by list.
    pub subscriptions: BTreeMap<ListName, SubscriptionView>,
    /// When the subscriber was created.
    pub created: Timestamp,
    /// When the subscriber was last changed.
    pub updated: Timestamp,
}

/// A subscription with its history in the consent ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionView {
    /// `pending`, `active`, `paused`, `suspended` or `ended`.
    pub state: String,
    /// All changes, oldest first.
    pub events: Vec<ConsentView>,
}

/// One change of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentView {
    /// When it happened.
    pub at: Timestamp,
    /// The new state of the subscription.
    pub became: String,
    /// The channel: `mail`, `web`, `api`, `operator`, `import` or `system`.
    pub way: String,
    /// The source: the file and line, the operator, the Message-ID or the rule.
    pub from: String,
    /// The exact words agreed to, or the reason.
    pub words: String,
    /// SHA-256, in hexadecimal, of the subscriber's own mail if it is kept as evidence: the name of its file in
    /// `blobs/` in the state directory.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<String>,
}

/// All data stored about one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// The person's address.
    pub address: String,
    /// The subscriber with the consent ledger of each subscription, if the person is a subscriber.
    pub subscriber: Option<SubscriberView>,
    /// The suppression, if the address is suppressed.
    pub suppression: Option<SuppressionView>,
    /// All mailings to the person, oldest first.
    pub deliveries: Vec<DeliveryView>,
    /// The person's bounces, oldest mailing first.
    pub bounces: Vec<BounceView>,
    /// The person's answers to invitations.
    pub rsvps: Vec<RsvpView>,
    /// The person's pending requests by mail.
    pub pending_requests: Vec<RequestView>,
    /// Notices to the person or naming the person.
    pub notices: Vec<NoticeView>,
    /// Incoming mail from the person or naming the person.
    pub inbound: Vec<Named<InboundView>>,
    /// Posts by the person or naming the person.
    pub posts: Vec<Named<PostView>>,
    /// Entries of the audit log that concern the person.
    pub audit: Vec<AuditedView>,
}

/// A record that concerns a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named<T> {
    /// Whether it is from the person; otherwise it is another person's record that names them.
    pub own: bool,
    /// The record.
    #[serde(flatten)]
    pub what: T,
}

/// A pending request by mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestView {
    /// The list.
    pub list: ListName,
    /// When it was made.
    pub asked: Timestamp,
    /// When its confirmation expires.
    pub expires: Timestamp,
    /// The words that are agreed to.
    pub words: String,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedView {
    /// When it was recorded.
    pub at: Timestamp,
    /// The user who acted.
    pub who: String,
    /// The action.
    pub what: String,
    /// The outcome.
    pub outcome: String,
}

/// One mailing to one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// The mailing.
    pub mailing: MailingId,
    /// The release that was sent, if it was a release.
    pub release: Option<ReleaseId>,
    /// The post that was sent, if it was a post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostId>,
    /// `accepted`, `failed` and so on.
    pub state: String,
    /// When it entered that state, if known.
    pub at: Option<Timestamp>,
    /// The number of attempts.
    pub attempts: u16,
    /// The server's reply, or why it was not sent.
    pub why: String,
}

impl From<&Subscriber> for SubscriberView {
    fn from(subscriber: &Subscriber) -> Self {
        let subscriptions = subscriber.subscriptions.iter().map(|(list, subscription)| {
            let events = subscription.events.iter().map(ConsentView::from).collect();
            (list.clone(), SubscriptionView { state: subscription.state.word().to_owned(), events })
        });
        Self {
            id: subscriber.id,
            address: subscriber.address.to_string(),
            name: subscriber.name.clone(),
            language: subscriber.language.clone(),
            organisation: subscriber.organisation.clone(),
            beats: subscriber.beats.clone(),
            regions: subscriber.regions.clone(),
            attributes: subscriber.attributes.clone(),
            subscriptions: subscriptions.collect(),
            created: subscriber.created,
            updated: subscriber.updated,
        }
    }
}

impl From<&ConsentEvent> for ConsentView {
    fn from(event: &ConsentEvent) -> Self {
        let way = event.source.channel().word();
        let from = match &event.source {
            ConsentSource::Import { file, line } => format!("{file}, line {line}"),
            ConsentSource::Operator { who } => who.clone(),
            ConsentSource::Mail { message_id, .. } => message_id.clone(),
            ConsentSource::Web { network, revision } => format!("{network}, form {revision}"),
            ConsentSource::Api { client } => client.clone(),
            ConsentSource::System { rule } => rule.clone(),
        };
        let became = event.became.word().to_owned();
        let evidence = event.evidence().map(|sha256| to_hex(sha256));
        Self { at: event.at, became, way: way.to_owned(), from, words: event.words.clone(), evidence }
    }
}

impl From<&PersonRecord> for RecordView {
    fn from(record: &PersonRecord) -> Self {
        Self {
            address: record.address.to_string(),
            subscriber: record.subscriber.as_ref().map(SubscriberView::from),
            suppression: record.suppression.as_ref().map(suppression::view),
            deliveries: record.deliveries.iter().map(DeliveryView::from).collect(),
            bounces: {
                let address = record.address.to_string();
                record.bounces.iter().map(|bounce| BounceView::new(bounce, address.clone(), true)).collect()
            },
            rsvps: record.rsvps.iter().map(RsvpView::from).collect(),
            pending_requests: record.pending_requests.iter().map(RequestView::from).collect(),
            notices: record.notices.iter().map(|entry| notice::view(&entry.read.value, entry.own)).collect(),
            inbound: named(&record.inbound, inbound::view),
            posts: named(&record.posts, |post, _| post::view(post)),
            audit: record.audit.iter().map(AuditedView::from).collect(),
        }
    }
}

/// Other people's addresses are shown only in records from the person.
fn named<T, V>(entries: &[PersonalRecord<T>], view: impl Fn(&T, bool) -> V) -> Vec<Named<V>> {
    entries.iter().map(|entry| Named { own: entry.own, what: view(&entry.read.value, entry.own) }).collect()
}

impl From<&PendingRequest> for RequestView {
    fn from(pending: &PendingRequest) -> Self {
        let (asked, expires, words) = (pending.asked, pending.expires, pending.words.clone());
        Self { list: pending.list.clone(), asked, expires, words }
    }
}

impl From<&KeptEntry> for AuditedView {
    fn from(kept: &KeptEntry) -> Self {
        let entry = &kept.entry;
        let outcome = entry.outcome.word().to_owned();
        Self { at: entry.at, who: entry.who.clone(), what: entry.what.clone(), outcome }
    }
}

impl From<&PersonDelivery> for DeliveryView {
    fn from(delivery: &PersonDelivery) -> Self {
        let (at, why) = match &delivery.delivery.state {
            DeliveryState::Waiting => (None, String::new()),
            DeliveryState::InDoubt { since } => (Some(*since), String::new()),
            DeliveryState::Accepted { at, reply } => (Some(*at), format!("{} {}", reply.code, reply.text)),
            DeliveryState::Deferred { until, cause, .. } => (Some(*until), words(cause)),
            DeliveryState::Failed { at, cause } | DeliveryState::Uncertain { at, cause } => (Some(*at), words(cause)),
            DeliveryState::Suppressed { at, why } => (Some(*at), why.word().to_owned()),
            DeliveryState::Cancelled { at } => (Some(*at), String::new()),
        };
        Self {
            mailing: delivery.mailing.id,
            release: delivery.mailing.content.release(),
            post: delivery.mailing.content.post(),
            state: delivery.delivery.state.word().to_owned(),
            at,
            attempts: delivery.delivery.attempts,
            why,
        }
    }
}

fn words(cause: &Cause) -> String {
    match cause {
        Cause::Reply { stage, reply } => format!("{}: {} {}", stage.word(), reply.code, reply.text),
        Cause::Connection(text) | Cause::Message(text) => text.clone(),
        Cause::Stopped => "the daemon stopped between sending and the answer".to_owned(),
    }
}
