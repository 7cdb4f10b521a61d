//! Subscribers and their whole records, as they travel.

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
    /// Its number; shown with an `s` before it.
    pub id: SubscriberId,
    /// Where mail goes.
    pub address: String,
    /// The person's name.
    pub name: Option<String>,
    /// The language of mails to them.
    pub language: Language,
    /// The newsroom or organisation.
    pub organisation: Option<String>,
    /// Subjects they cover.
    pub beats: BTreeSet<String>,
    /// Regions they cover.
    pub regions: BTreeSet<String>,
    /// Whatever else is noted.
    pub attributes: BTreeMap<String, String>,
    /// One for each list they ever were on.
    pub subscriptions: BTreeMap<ListName, SubscriptionView>,
    /// When first known.
    pub created: Timestamp,
    /// When last changed.
    pub updated: Timestamp,
}

/// A subscription with its consent ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionView {
    /// `pending`, `active`, `paused`, `suspended` or `ended`.
    pub state: String,
    /// Every change, the oldest first.
    pub events: Vec<ConsentView>,
}

/// One change of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentView {
    /// When.
    pub at: Timestamp,
    /// What the subscription became.
    pub became: String,
    /// By which way: `mail`, `web`, `api`, `operator`, `import` or `system`.
    pub way: String,
    /// From where: the file and line, the operator, the Message-ID, the rule.
    pub from: String,
    /// The exact words agreed to, or the reason.
    pub words: String,
    /// SHA-256 of the subscriber's own mail, in hexadecimal, where it is kept as evidence: the file of that name under
    /// `blobs/` in the state directory.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<String>,
}

/// Everything that is known of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// Their address.
    pub address: String,
    /// What is known of them, with the consent ledger of each subscription, where they are a subscriber.
    pub subscriber: Option<SubscriberView>,
    /// Whether they must not be mailed.
    pub suppression: Option<SuppressionView>,
    /// What became of every mailing to them, the oldest first.
    pub deliveries: Vec<DeliveryView>,
    /// What came back, the oldest mailing first.
    pub bounces: Vec<BounceView>,
    /// What they answered to invitations.
    pub rsvps: Vec<RsvpView>,
    /// What they asked for by mail.
    pub pending_requests: Vec<RequestView>,
    /// Mails of our own to them, and those that name them.
    pub notices: Vec<NoticeView>,
    /// Mail from them, and mail that names them.
    pub inbound: Vec<Named<InboundView>>,
    /// Posts by them, and posts that name them.
    pub posts: Vec<Named<PostView>>,
    /// What the audit log says was done about them.
    pub audit: Vec<AuditedView>,
}

/// Something that concerns a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named<T> {
    /// Whether it is from them; otherwise it names them, and is somebody else's.
    pub own: bool,
    /// It.
    #[serde(flatten)]
    pub what: T,
}

/// What somebody asked for by mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestView {
    /// The list.
    pub list: ListName,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Until when it may be confirmed.
    pub expires: Timestamp,
    /// The words that are agreed to.
    pub words: String,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedView {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
    /// How far it came.
    pub outcome: String,
}

/// One mailing to one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// The mailing.
    pub mailing: MailingId,
    /// The release that was sent, where it was one.
    pub release: Option<ReleaseId>,
    /// The post that was sent, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<PostId>,
    /// `accepted`, `failed` and so on.
    pub state: String,
    /// When that was, where it is known.
    pub at: Option<Timestamp>,
    /// How many times it was tried.
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

/// Others' addresses are theirs: they are shown only in what is the person's own.
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
