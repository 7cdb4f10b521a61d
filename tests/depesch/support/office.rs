//! A small press office in memory: a list, subscribers, a mailing, a relay that answers as scripted, and a dispatcher.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use depesch::base::address::Address;
use depesch::base::clock::{FakeClock, Timestamp};
use depesch::base::id::{ListName, MailingId, ReleaseId, SubscriberId};
use depesch::base::language::Language;
use depesch::base::token::Key;
use depesch::composition::message::{Message, MessageSource, PrepareError, PreparedMailing};
use depesch::model::classify::Classifier;
use depesch::model::consent::ConsentSource;
use depesch::model::ledger::{Delivery, Tally};
use depesch::model::mailing::{AudienceQuery, Mailing, MailingContent, MissedPolicy, Schedule, Stage, UncertainPolicy};
use depesch::model::reply::Reply;
use depesch::model::subscriber::{Subscriber, SubscriptionState};
use depesch::outbound::dispatch::{DispatchParts, DispatchSettings, Dispatcher};
use depesch::runtime::notifier::Notifier;
use depesch::store::engine::{Batch, Commit, Engine};
use depesch::store::memory::MemoryEngine;
use depesch::store::{Store, StoreError, mailings, subscribers};
use depesch::transport::{ConnectError, Connection, Envelope, Outcome, Pieces, Transport, TransportFuture};

pub fn noon() -> Timestamp {
    chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

pub fn media() -> ListName {
    "media".parse().unwrap()
}

pub fn accepted() -> Outcome {
    Outcome::Accepted(Reply::new(250, "2.0.0 taken"))
}

/// The relay's action for each local part; by default it accepts.
#[derive(Default)]
pub struct Relay {
    pub script: Mutex<HashMap<String, VecDeque<Outcome>>>,
    pub connects: Mutex<VecDeque<ConnectError>>,
    /// The local parts of the recipients, in order of arrival.
    pub given: Mutex<Vec<String>>,
    /// The envelope and content of each message, in the same order.
    pub carried: Mutex<Vec<(Envelope, Vec<u8>)>>,
    /// Called in the middle of each transaction, to examine the state.
    pub witness: Mutex<Option<Box<dyn Fn(&str) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>>>,
}

impl Relay {
    pub fn answer(&self, local_part: &str, outcomes: impl IntoIterator<Item = Outcome>) {
        self.script.lock().unwrap().insert(local_part.to_owned(), outcomes.into_iter().collect());
    }

    pub fn given(&self) -> Vec<String> {
        self.given.lock().unwrap().clone()
    }
}

struct Line(Arc<Relay>, bool);

/// The transport to the relay.
pub struct Way(pub Arc<Relay>);

impl Transport for Way {
    fn connect(&self) -> TransportFuture<'_, Result<Box<dyn Connection>, ConnectError>> {
        let refused = self.0.connects.lock().unwrap().pop_front();
        let relay = self.0.clone();
        Box::pin(async move {
            match refused {
                Some(error) => Err(error),
                None => Ok(Box::new(Line(relay, true)) as Box<dyn Connection>),
            }
        })
    }
}

impl Connection for Line {
    fn send_pieces<'a>(&'a mut self, envelope: &'a Envelope, message: Pieces<'a>) -> TransportFuture<'a, Outcome> {
        Box::pin(async move {
            let bytes = &message.concat()[..];
            let to = envelope.recipient.local_part().to_owned();
            let seen = self.0.witness.lock().unwrap().as_ref().map(|witness| witness(&to));
            if let Some(seen) = seen {
                seen.await;
            }
            tokio::task::yield_now().await;
            self.0.given.lock().unwrap().push(to.clone());
            self.0.carried.lock().unwrap().push((envelope.clone(), bytes.to_vec()));
            let scripted = self.0.script.lock().unwrap().get_mut(&to).and_then(VecDeque::pop_front);
            let outcome = scripted.unwrap_or_else(accepted);
            self.1 = match &outcome {
                Outcome::NotSent(_) | Outcome::Unknown(_) => false,
                Outcome::Refused { reply, .. } => reply.code != 421,
                Outcome::Accepted(_) | Outcome::Impossible(_) => true,
            };
            outcome
        })
    }

    fn is_usable(&self) -> bool {
        self.1
    }

    fn close(self: Box<Self>) -> TransportFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Makes minimal messages; fails for the subscriber named `broken`.
pub struct Plain;

impl MessageSource for Plain {
    fn prepare<'a>(
        &'a self,
        _: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>> {
        Box::pin(std::future::ready(Ok(Arc::new(Plain) as Arc<dyn PreparedMailing>)))
    }
}

impl PreparedMailing for Plain {
    fn make(&self, subscriber: &Subscriber) -> Result<Message, String> {
        if subscriber.address.local_part() == "broken" {
            return Err("the field greeting is missing".to_owned());
        }
        assert_ne!(subscriber.address.local_part(), "panics", "as the test wants it");
        let envelope = Envelope {
            sender: Some("media-bounces@lists.example.org".parse().unwrap()),
            recipient: subscriber.address.clone(),
            envelope_id: subscriber.id.to_string(),
        };
        Ok(Message { envelope, bytes: b"Subject: x\r\n\r\nx\r\n".to_vec(), shared_end: Arc::default() })
    }

    fn content_hash(&self) -> Result<String, String> {
        Ok("plain".to_owned())
    }
}

pub struct Office {
    pub store: Store,
    pub clock: Arc<FakeClock>,
    pub relay: Arc<Relay>,
    pub notifier: Notifier,
    pub key: Key,
    pub connections: usize,
}

impl Office {
    pub fn new() -> Self {
        Self::over(Arc::new(MemoryEngine::new()))
    }

    pub fn over(engine: Arc<dyn Engine>) -> Self {
        let (clock, relay) = (FakeClock::at(noon()), Arc::default());
        Self {
            store: Store::new(engine),
            clock,
            relay,
            notifier: Notifier::new(),
            key: Key::new([3; 32]),
            connections: 4,
        }
    }

    /// The same office after its daemon was killed: only what is in the store remains.
    pub fn reborn(&self, engine: Arc<dyn Engine>) -> Self {
        Self {
            store: Store::new(engine),
            clock: self.clock.clone(),
            relay: self.relay.clone(),
            notifier: Notifier::new(),
            key: self.key.clone(),
            connections: self.connections,
        }
    }

    pub async fn subscriber(&self, local_part: &str) -> SubscriberId {
        let id = SubscriberId(self.store.allocate("subscriber", 1).await.unwrap());
        let mut subscriber = Subscriber {
            id,
            address: format!("{local_part}@press.example").parse::<Address>().unwrap(),
            name: None,
            language: Language::swedish(),
            organisation: None,
            beats: BTreeSet::new(),
            regions: BTreeSet::new(),
            attributes: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            created: noon(),
            updated: noon(),
        };
        let source = ConsentSource::Operator { who: "anna".into() };
        subscriber.change(&media(), SubscriptionState::Active, noon(), source, "asked".into()).unwrap();
        let mut batch = Batch::new();
        subscribers::put_new(&mut batch, &subscriber);
        assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Applied);
        id
    }

    pub async fn subscribers(&self, count: usize) {
        for number in 0..count {
            self.subscriber(&format!("p{number}")).await;
        }
    }

    pub async fn unsubscribe(&self, id: SubscriberId) {
        let mut read = self.store.subscriber(id).await.unwrap().unwrap();
        let before = read.clone();
        let source = ConsentSource::Operator { who: "anna".into() };
        read.value.change(&media(), SubscriptionState::Ended, noon(), source, "no more".into()).unwrap();
        let mut batch = Batch::new();
        subscribers::put_changed(&mut batch, &before, &read.value);
        assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Applied);
    }

    /// A mailing to the list that is due.
    pub async fn mailing(&self, uncertain: UncertainPolicy) -> MailingId {
        let id = MailingId(self.store.allocate(mailings::COUNTER, 1).await.unwrap());
        let mailing = Mailing {
            id,
            content: MailingContent::Release(ReleaseId(1)),
            audience: AudienceQuery { lists: [media()].into(), ..AudienceQuery::default() },
            schedule: Schedule {
                at: noon(),
                zone: "Europe/Stockholm".into(),
                missed: MissedPolicy::Send,
                grace_seconds: 60,
            },
            uncertain,
            stage: Stage::Freezing { cursor: SubscriberId(0), chunks: 0, audience: 0, since: noon() },
            pause: None,
            approval_required: false,
            approval: None,
            content_hash: String::new(),
            reopened: 0,
            created: noon(),
            created_by: "anna".into(),
            created_uid: None,
            undo_seconds: 0,
            edits: Vec::new(),
            approvals_needed: 1,
            first_approval: None,
        };
        let mut batch = Batch::new();
        mailings::put_mailing(&mut batch, &mailing, None);
        assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Applied);
        self.notifier.notify();
        id
    }

    pub async fn dispatcher(&self) -> Result<Dispatcher, StoreError> {
        self.dispatcher_over(Arc::new(Way(self.relay.clone()))).await
    }

    /// A dispatcher with another transport.
    pub async fn dispatcher_over(&self, transport: Arc<dyn Transport>) -> Result<Dispatcher, StoreError> {
        let settings = DispatchSettings { connections: self.connections, ..DispatchSettings::default() };
        Dispatcher::start(DispatchParts {
            store: self.store.clone(),
            clock: Arc::new(self.clock.clone()),
            transport,
            messages: Arc::new(Plain),
            key: self.key.clone(),
            classifier: Classifier::shipped().unwrap(),
            notifier: self.notifier.clone(),
            settings,
        })
        .await
    }

    pub async fn tally(&self, id: MailingId) -> Tally {
        let mailing = self.store.mailing(id).await.unwrap().unwrap().value;
        self.store.tally(&mailing).await.unwrap()
    }

    pub async fn stage(&self, id: MailingId) -> Stage {
        self.store.mailing(id).await.unwrap().unwrap().value.stage
    }

    /// Runs everything until `done`; the test fails if that never happens.
    pub async fn until<F: Future<Output = bool>>(&self, mut done: impl FnMut() -> F) {
        for _ in 0..200_000 {
            if done().await {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("this never came");
    }

    /// Ten minutes in which everything may run after each second.
    pub async fn ten_minutes(&self) {
        for _ in 0..600 {
            self.clock.advance(chrono::Duration::seconds(1));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
    }

    pub async fn until_finished(&self, id: MailingId) {
        self.until(|| async { matches!(self.stage(id).await, Stage::Finished { .. }) }).await;
    }

    /// The outcome of each delivery, by local part.
    pub async fn outcomes(&self, id: MailingId) -> BTreeMap<String, Delivery> {
        let mailing = self.store.mailing(id).await.unwrap().unwrap().value;
        let mut outcomes = BTreeMap::new();
        for chunk in 0..mailing.frozen().map_or(0, |f| f.chunks) {
            for row in self.store.chunk_rows(id, chunk).await.unwrap() {
                let who = match self.store.subscriber(row.subscriber).await.unwrap() {
                    Some(read) => read.value.address.local_part().to_owned(),
                    None => row.subscriber.to_string(),
                };
                outcomes.insert(who, mailing.settle(row.delivery));
            }
        }
        outcomes
    }
}
