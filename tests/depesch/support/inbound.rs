//! Incoming mail for tests: a store, a spool on disk, a list, and a worker with a handler of the test's own.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use depesch::base::clock::{Clock, FakeClock};
use depesch::base::id::InboundId;
use depesch::base::language::Language;
use depesch::base::token::Key;
use depesch::composition::notices::{NoticeSettings, Notices};
use depesch::inbound::destination::Directory;
use depesch::inbound::worker::InboundWorker;
use depesch::inbound::{Effects, HandleError, Handler, HandlerFuture, Item};
use depesch::model::inbound::{Arrival, Inbound, InboundKind, InboundState, Via};
use depesch::model::list::{Joining, List, ListKind, Privacy};
use depesch::runtime::notifier::Notifier;
use depesch::store::blobs::Blobs;
use depesch::store::engine::{Batch, Engine};
use depesch::store::memory::MemoryEngine;
use depesch::store::spool::{Spool, SpoolSettings};
use depesch::store::{Store, inbound};
use depesch::subscribers::limits::AskSettings;

use super::office::noon;

/// The key of this installation.
pub fn key() -> Key {
    Key::new([5; 32])
}

/// An ordinary announce list with confirmed joining, at `lists.example.org`.
pub fn list(name: &str) -> List {
    List {
        name: name.parse().unwrap(),
        title: "Media och redaktioner".into(),
        address: format!("{name}@lists.example.org").parse().unwrap(),
        kind: ListKind::Announce,
        joining: Joining::Confirmed,
        owner: "press@example.org".parse().unwrap(),
        language: Language::swedish(),
        privacy: Privacy::Ordinary,
        approval: false,
        approvals: 1,
        test_mail: Default::default(),
        posting: Default::default(),
        created: noon(),
    }
}

/// The outcome of the test's handler for a message, by its subject.
pub type Script = dyn Fn(&str, &Store) -> Result<Effects, HandleError> + Send + Sync;

/// Records the messages it handles and does what the script says.
pub struct Scripted {
    store: Store,
    script: Box<Script>,
    pub seen: Mutex<Vec<String>>,
}

impl Handler for Scripted {
    fn handle<'a>(&'a self, item: &'a Item) -> HandlerFuture<'a> {
        Box::pin(async move {
            let subject = item.message.subject().to_owned();
            self.seen.lock().unwrap().push(subject.clone());
            tokio::task::yield_now().await;
            (self.script)(&subject, &self.store)
        })
    }
}

/// Incoming mail with its own store and spool.
pub struct MailIn {
    pub store: Store,
    pub spool: Spool,
    pub clock: Arc<FakeClock>,
    pub arrived: Notifier,
    pub notifier: Notifier,
    _directory: Arc<tempfile::TempDir>,
}

impl MailIn {
    pub async fn new() -> Self {
        Self::over(Arc::new(MemoryEngine::new())).await
    }

    pub async fn over(engine: Arc<dyn Engine>) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let clock = FakeClock::at(noon());
        let settings = SpoolSettings { reserve_bytes: 0, ..SpoolSettings::default() };
        let spool = Spool::open(directory.path(), settings, Arc::new(clock.clone())).unwrap();
        let store = Store::new(engine);
        store.create_list(&list("media")).await.unwrap();
        Self { store, spool, clock, arrived: Notifier::new(), notifier: Notifier::new(), _directory: directory }
    }

    /// The same after the daemon was killed, with another engine over the same records.
    pub fn reborn(&self, engine: Arc<dyn Engine>) -> Self {
        Self {
            store: Store::new(engine),
            spool: self.spool.clone(),
            clock: self.clock.clone(),
            arrived: Notifier::new(),
            notifier: Notifier::new(),
            _directory: self._directory.clone(),
        }
    }

    /// Puts a message into the spool and the store, as the ingest does.
    pub async fn arrives(&self, sender: Option<&str>, recipient: &str, bytes: &str) -> InboundId {
        let place = self.spool.append(bytes.as_bytes().to_vec()).await.unwrap();
        let id = InboundId(self.store.allocate("inbound", 1).await.unwrap());
        let arrival = Arrival {
            at: self.clock.now(),
            via: Via::Smtp,
            peer: None,
            helo: "mx.example.net".into(),
            encrypted: false,
            sender: sender.map(str::to_owned),
        };
        let record = Inbound { id, arrival, recipient: recipient.into(), place, state: InboundState::Waiting };
        let mut batch = Batch::new();
        inbound::put_new(&mut batch, &record);
        self.store.commit(batch).await.unwrap();
        self.arrived.notify();
        id
    }

    /// A message from a reader with this subject.
    pub async fn note(&self, sender: &str, subject: &str) -> InboundId {
        let bytes = format!("From: <{sender}>\r\nSubject: {subject}\r\n\r\nx\r\n");
        self.arrives(Some(sender), "media@lists.example.org", &bytes).await
    }

    pub fn worker(
        &self,
        script: impl Fn(&str, &Store) -> Result<Effects, HandleError> + Send + Sync + 'static,
    ) -> (Arc<InboundWorker>, Arc<Scripted>) {
        let handler =
            Arc::new(Scripted { store: self.store.clone(), script: Box::new(script), seen: Mutex::default() });
        let worker = InboundWorker {
            store: self.store.clone(),
            spool: self.spool.clone(),
            clock: Arc::new(self.clock.clone()),
            directory: Arc::new(Directory::new(self.store.clone(), key())),
            handler: handler.clone(),
            arrived: self.arrived.clone(),
            reading: depesch::runtime::reading::ReadingPool::new(Arc::new(self.clock.clone())),
            heartbeats: Default::default(),
            metrics: Default::default(),
            notify: vec![self.notifier.clone()],
        };
        (Arc::new(worker), handler)
    }

    /// A worker with the daemon's handlers, and the notices they write.
    pub fn triage(&self) -> (Arc<InboundWorker>, Notices) {
        let (store, clock) = (self.store.clone(), Arc::new(self.clock.clone()));
        let content = super::commands::content();
        let notices = Notices::new(store.clone(), content, key(), clock.clone(), NoticeSettings::default());
        let blobs = Blobs::in_state_directory(self._directory.path());
        let settings = AskSettings::default();
        let triage = super::commands::triage(&store, &blobs, &self.clock, &key(), &notices, settings);
        let worker = InboundWorker {
            store: store.clone(),
            spool: self.spool.clone(),
            clock,
            directory: Arc::new(Directory::new(store, key())),
            handler: Arc::new(triage),
            arrived: self.arrived.clone(),
            reading: depesch::runtime::reading::ReadingPool::new(Arc::new(self.clock.clone())),
            heartbeats: Default::default(),
            metrics: Default::default(),
            notify: vec![self.notifier.clone()],
        };
        (Arc::new(worker), notices)
    }

    pub async fn state(&self, id: InboundId) -> InboundState {
        self.store.inbound(id).await.unwrap().unwrap().value.state
    }

    /// Runs the worker, letting time pass, until nothing is waiting.
    pub async fn handle_all(&self, worker: &Arc<InboundWorker>) {
        self.while_running(worker.clone().run_dry()).await;
    }

    /// Lets time pass until `work` is done.
    pub async fn while_running<T>(&self, work: impl Future<Output = T>) -> T {
        let clock = self.clock.clone();
        let passing = async move {
            loop {
                tokio::task::yield_now().await;
                clock.advance(chrono::Duration::milliseconds(100));
            }
        };
        tokio::select! {
            done = work => done,
            () = passing => unreachable!("time never ends"),
        }
    }
}

/// Handled without effect.
pub fn noted() -> Result<Effects, HandleError> {
    Ok(Effects::none(InboundKind::Notice, "noted"))
}

/// The number of messages in each state.
pub fn counts(states: impl IntoIterator<Item = InboundState>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for state in states {
        let word = match state {
            InboundState::Waiting => "waiting",
            InboundState::Handled { .. } => "handled",
            InboundState::Stuck { .. } => "stuck",
        };
        *counts.entry(word).or_default() += 1;
    }
    counts
}
