//! A service that writes notices, a relay that answers as scripted, and the worker between them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, LazyLock};

use depesch::base::address::Address;
use depesch::base::clock::FakeClock;
use depesch::base::id::{InboundId, NoticeId};
use depesch::base::language::Language;
use depesch::base::token::Key;
use depesch::composition::content::{Content, ContentHandle};
use depesch::composition::notices::{Draft, NoticeSettings, Notices};
use depesch::mail::incoming::Incoming;
use depesch::model::inbound::{Arrival, Inbound, InboundState, SpoolPlace, Via};
use depesch::model::notice::Notice;
use depesch::outbound::notices::worker::{NoticeWorker, NoticeWorkerParts, NoticeWorkerSettings};
use depesch::render::registry::Templates;
use depesch::render::template_files::{TemplateError, TemplateFile, read_all};
use depesch::runtime::notifier::Notifier;
use depesch::store::Store;
use depesch::store::blobs::Blobs;
use depesch::store::engine::{Batch, Commit, Engine};
use depesch::store::memory::MemoryEngine;
use depesch::store::spool::{Spool, SpoolSettings};
use serde_json::json;
use tempfile::TempDir;

use super::office::{Relay, Way, noon};

/// A template for tests, by path: `greeting`, with a name that is always present and an optional note.
pub const GREETING: [(&str, &str); 3] = [
    ("mails/greeting/sample.toml", "name = \"Kim\"\n[optional]\nnote = \"Välkommen\"\n"),
    (
        "mails/greeting/sv.hbs",
        "Subject: Hej {{name}}\nHej **{{name}}**!\n\n{{#if note}}\n{{note}}\n\n{{/if}}\n{{#if list.title}}\nListan heter {{list.title}}.\n{{/if}}\n",
    ),
    ("mails/greeting/en.hbs", "Subject: Hello {{name}}\nHello **{{name}}**!\n\n{{#if note}}\n{{note}}\n{{/if}}\n"),
];

/// The built-in templates, overridden by these files.
pub fn templates(files: &[(&str, &str)]) -> Result<Templates, TemplateError> {
    let mut all: BTreeMap<String, TemplateFile> = read_all(None)?;
    for (path, text) in files {
        all.insert(
            (*path).to_owned(),
            TemplateFile { text: (*text).to_owned(), origin: (*path).to_owned(), built_in: false },
        );
    }
    Templates::from_files(&all)
}

pub struct World {
    pub store: Store,
    pub clock: Arc<FakeClock>,
    pub relay: Arc<Relay>,
    pub key: Key,
    pub notices: Notices,
    pub spool: Spool,
    pub connections: usize,
    directory: Arc<TempDir>,
}

impl World {
    pub fn new() -> Self {
        Self::over(Arc::new(MemoryEngine::new()))
    }

    pub fn over(engine: Arc<dyn Engine>) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        Self::put_together(engine, FakeClock::at(noon()), Arc::default(), directory)
    }

    /// The same world after its daemon was killed: only what is on disk remains.
    pub fn reborn(&self, engine: Arc<dyn Engine>) -> Self {
        Self::put_together(engine, self.clock.clone(), self.relay.clone(), self.directory.clone())
    }

    fn put_together(
        engine: Arc<dyn Engine>,
        clock: Arc<FakeClock>,
        relay: Arc<Relay>,
        directory: Arc<TempDir>,
    ) -> Self {
        let (store, key) = (Store::new(engine), Key::new([3; 32]));
        // Loaded once, because tests create worlds very often.
        static CONTENT: LazyLock<Content> = LazyLock::new(|| Content {
            templates: Arc::new(templates(&GREETING).unwrap()),
            ..Content::built_in().unwrap()
        });
        let content = CONTENT.clone();
        let settings = NoticeSettings { domain: Some("press.example".to_owned()) };
        let content = Arc::new(ContentHandle::new(content));
        let notices = Notices::new(store.clone(), content, key.clone(), Arc::new(clock.clone()), settings);
        let spool = Spool::open(directory.path(), SpoolSettings::default(), Arc::new(clock.clone())).unwrap();
        Self { store, clock, relay, key, notices, spool, connections: 2, directory }
    }

    /// The directory of everything on disk.
    pub fn directory(&self) -> std::path::PathBuf {
        self.directory.path().to_owned()
    }

    /// A worker for this world.
    pub fn notice_worker(&self) -> NoticeWorker {
        NoticeWorker::start(NoticeWorkerParts {
            store: self.store.clone(),
            spool: self.spool.clone(),
            blobs: Blobs::in_state_directory(&self.directory()),
            clock: Arc::new(self.clock.clone()),
            transport: Arc::new(Way(self.relay.clone())),
            notices: self.notices.clone(),
            notifier: Notifier::new(),
            settings: NoticeWorkerSettings { connections: self.connections, ..NoticeWorkerSettings::default() },
        })
    }

    /// Writes and commits a greeting to `local_part@reader.example`.
    pub async fn greet(&self, local_part: &str) -> NoticeId {
        let mut batch = Batch::new();
        let to: Address = format!("{local_part}@reader.example").parse().unwrap();
        let id = self.notices.write(&mut batch, greeting(&to, &Language::swedish())).await.unwrap();
        assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Applied);
        self.notices.notify();
        id
    }

    /// Stores a message as received from `sender`.
    pub async fn take_in(&self, sender: Option<&str>, bytes: &[u8]) -> (Inbound, Incoming) {
        let place = self.spool.append(bytes.to_vec()).await.unwrap();
        (inbound(sender, place), Incoming::parse(bytes).unwrap())
    }

    pub async fn notice(&self, id: NoticeId) -> Notice {
        self.store.notice(id).await.unwrap().unwrap().value
    }

    /// Runs everything until `done`; the test fails if that never happens.
    pub async fn until<F: Future<Output = bool>>(&self, mut done: impl FnMut() -> F) {
        for _ in 0..50_000 {
            if done().await {
                return;
            }
            // Gives the threads that read files time to run too.
            tokio::task::spawn_blocking(|| {}).await.unwrap();
        }
        panic!("this never came");
    }

    pub async fn until_settled(&self, id: NoticeId) {
        self.until(|| async { self.notice(id).await.settled().is_some() }).await;
    }
}

/// The draft of a greeting without a list.
pub fn greeting<'a>(to: &'a Address, language: &'a Language) -> Draft<'a> {
    Draft {
        template: "greeting",
        language,
        to,
        list: None,
        answers: None,
        reply_to: None,
        unsubscribe: None,
        data: json!({ "name": "Kim" }),
    }
}

/// The record of an incoming message stored at `place`.
pub fn inbound(sender: Option<&str>, place: SpoolPlace) -> Inbound {
    let arrival = Arrival {
        at: noon(),
        via: Via::File,
        peer: None,
        helo: String::new(),
        encrypted: false,
        sender: sender.map(str::to_owned),
    };
    let recipient = "media-owner@lists.example.org".to_owned();
    Inbound { id: InboundId(1), arrival, recipient, place, state: InboundState::Waiting }
}

/// The header of a message, unfolded.
pub fn head(bytes: &[u8]) -> String {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    String::from_utf8(bytes[..end].to_vec()).unwrap().replace("\r\n ", " ")
}

/// The value of a header field, which must not occur more than once.
pub fn field(bytes: &[u8], name: &str) -> Option<String> {
    let head = head(bytes);
    let found: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
    assert!(found.len() <= 1, "{name} stands {} times", found.len());
    found.first().map(|value| (*value).to_owned())
}
