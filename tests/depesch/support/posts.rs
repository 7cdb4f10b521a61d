//! Real handling of mail to lists: spool, triage, notices, scheduler, dispatcher, and a relay that keeps what it
//! receives. Only the DNS data of the authors' domains is simulated.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use depesch::app::messages::ByContent;
use depesch::authentication::{Authenticating, Authenticator};
use depesch::base::address::Address;
use depesch::base::clock::FakeClock;
use depesch::base::id::{InboundId, MailingId, PostId};
use depesch::base::token::Key;
use depesch::composition::message::NoMessages;
use depesch::composition::notices::{NoticeSettings, Notices};
use depesch::composition::post_messages::PostMessages;
use depesch::inbound::destination::Directory;
use depesch::inbound::post::PostService;
use depesch::inbound::triage::Triage;
use depesch::inbound::worker::InboundWorker;
use depesch::mail::incoming::Incoming;
use depesch::mailings::schedule::Scheduler;
use depesch::model::authentication::{Authentication, Check, DomainPolicy};
use depesch::model::classify::Classifier;
use depesch::model::inbound::{Arrival, InboundKind, InboundState};
use depesch::model::list::{List, ListKind};
use depesch::model::mailing::{Mailing, Stage};
use depesch::model::post::Post;
use depesch::outbound::dispatch::{DispatchParts, DispatchSettings, Dispatcher};
use depesch::runtime::notifier::Notifier;
use depesch::store::Store;
use depesch::store::blobs::Blobs;
use depesch::store::engine::Engine;
use depesch::store::memory::MemoryEngine;
use depesch::subscribers::limits::AskSettings;

use super::commands;
use super::inbound::{MailIn, list};
use super::mailings;
use super::office::{Relay, Way};

/// The authentication results of each author's domain; nothing by default.
#[derive(Default)]
pub struct Domains(Mutex<BTreeMap<String, Authentication>>);

impl Domains {
    pub fn set(&self, domain: &str, author: Check, policy: DomainPolicy) {
        let says = Authentication { author, policy, ..Authentication::default() };
        self.0.lock().unwrap().insert(domain.to_owned(), says);
    }
}

impl Authenticator for Domains {
    fn authenticate<'a>(&'a self, _: &'a Arrival, _: &'a [u8], author: &'a Address) -> Authenticating<'a> {
        let domain = author.domain();
        let nothing = Authentication { author: Check::None, policy: DomainPolicy::None, ..Authentication::default() };
        let says = self.0.lock().unwrap().get(domain).copied().unwrap_or(nothing);
        Box::pin(std::future::ready(says))
    }
}

pub struct PostOffice {
    pub mail_in: MailIn,
    pub store: Store,
    pub clock: Arc<FakeClock>,
    pub relay: Arc<Relay>,
    pub domains: Arc<Domains>,
    pub key: Key,
    pub service: PostService,
    pub blobs: Blobs,
    directory: Arc<tempfile::TempDir>,
}

/// A notice: its recipient, subject matter and reply address.
#[derive(Clone, Debug)]
pub struct Question {
    pub template: String,
    pub to: String,
    pub reply_to: String,
    pub subject: String,
    pub text: String,
}

impl PostOffice {
    pub async fn new() -> Self {
        Self::over(Arc::new(MemoryEngine::new())).await
    }

    pub async fn over(engine: Arc<dyn Engine>) -> Self {
        let mail_in = MailIn::over(engine).await;
        Self::put_together(mail_in, Arc::default(), Arc::default(), Arc::new(tempfile::tempdir().unwrap()))
    }

    /// The same after its daemon was killed: only what is on disk remains.
    pub fn reborn(&self, engine: Arc<dyn Engine>) -> Self {
        let mail_in = self.mail_in.reborn(engine);
        Self::put_together(mail_in, self.relay.clone(), self.domains.clone(), self.directory.clone())
    }

    fn put_together(
        mail_in: MailIn,
        relay: Arc<Relay>,
        domains: Arc<Domains>,
        directory: Arc<tempfile::TempDir>,
    ) -> Self {
        let (store, clock, key) = (mail_in.store.clone(), mail_in.clock.clone(), Key::new([5; 32]));
        let content = commands::content();
        let settings = NoticeSettings::default();
        let notices = Notices::new(store.clone(), content, key.clone(), Arc::new(clock.clone()), settings);
        let blobs = Blobs::in_state_directory(directory.path());
        let service = PostService {
            store: store.clone(),
            blobs: blobs.clone(),
            clock: Arc::new(clock.clone()),
            key: key.clone(),
            notices,
            authenticator: domains.clone(),
            words: commands::verdict_words(),
            zone: chrono_tz::Europe::Stockholm,
        };
        Self { mail_in, store, clock, relay, domains, key, service, blobs, directory }
    }

    pub fn state_directory(&self) -> std::path::PathBuf {
        self.directory.path().to_owned()
    }

    /// Creates a list with these rules.
    pub async fn list(&self, name: &str, kind: ListKind, rules: impl FnOnce(&mut List)) {
        let mut list = List { kind, title: name.to_owned(), ..list(name) };
        rules(&mut list);
        assert!(self.store.create_list(&list).await.unwrap());
    }

    /// Creates `reader{id}@example.com`, subscribed to these lists.
    pub async fn reader(&self, id: u64, lists: &[&str]) {
        mailings::put_subscriber(&self.store, id, lists, |_| {}).await;
    }

    /// The worker with the handlers of all mail.
    pub fn worker(&self) -> Arc<InboundWorker> {
        let usual = commands::triage(
            &self.store,
            &self.blobs,
            &self.clock,
            &self.key,
            &self.service.notices,
            AskSettings::default(),
        );
        let triage = Triage { posts: self.service.clone(), ..usual };
        Arc::new(InboundWorker {
            reading: depesch::runtime::reading::ReadingPool::new(Arc::new(self.clock.clone())),
            heartbeats: Default::default(),
            metrics: Default::default(),
            store: self.store.clone(),
            spool: self.mail_in.spool.clone(),
            clock: Arc::new(self.clock.clone()),
            directory: Arc::new(Directory::new(self.store.clone(), self.key.clone())),
            handler: Arc::new(triage),
            arrived: self.mail_in.arrived.clone(),
            notify: Vec::new(),
        })
    }

    /// Receives and handles a message; returns its kind and the note.
    pub async fn comes(&self, sender: &str, to: &str, bytes: &[u8]) -> (InboundKind, String) {
        let id = self.mail_in.arrives(Some(sender), to, std::str::from_utf8(bytes).unwrap()).await;
        self.mail_in.handle_all(&self.worker()).await;
        self.became(id).await
    }

    pub async fn became(&self, id: InboundId) -> (InboundKind, String) {
        match self.mail_in.state(id).await {
            InboundState::Handled { kind, note, .. } => (kind, note),
            other => panic!("{other:?}"),
        }
    }

    /// A reply to a question with this text.
    pub async fn answers(&self, question: &Question, from: &str, text: &str) -> (InboundKind, String) {
        let quoted: String = question.text.lines().map(|line| format!("> {line}\r\n")).collect();
        let bytes = format!(
            "From: {from}\r\nTo: {}\r\nSubject: Re: {}\r\nMessage-ID: <answer@example.org>\r\n\r\n{text}\r\n\r\n\
             Den 21 nov 2026 skrev Media <media-request@lists.example.org>:\r\n{quoted}",
            question.reply_to, question.subject
        );
        self.comes(from, &question.reply_to, bytes.as_bytes()).await
    }

    /// All notices, oldest first; forwarded messages have no bytes here.
    pub async fn questions(&self) -> Vec<Question> {
        let mut notices = self.store.notices(None, 1000).await.unwrap();
        notices.reverse();
        let mut questions = Vec::new();
        for notice in notices {
            let bytes = self.store.notice_bytes(notice.value.id).await.unwrap();
            let message = bytes.map(|bytes| Incoming::parse(&bytes).unwrap()).unwrap_or_default();
            questions.push(Question {
                template: notice.value.about.clone(),
                to: notice.value.recipient.to_string(),
                reply_to: message.correspondents("Reply-To").first().map_or(String::new(), |one| one.address.clone()),
                subject: message.subject().to_owned(),
                text: message.text().to_owned(),
            });
        }
        questions
    }

    /// The notices written from this template.
    pub async fn notices(&self, template: &str) -> Vec<Question> {
        self.questions().await.into_iter().filter(|question| question.template == template).collect()
    }

    pub async fn post(&self, id: u64) -> Post {
        self.store.post(PostId(id)).await.unwrap().unwrap().value
    }

    pub async fn mailings(&self) -> Vec<Mailing> {
        crate::support::people::all_mailings(&self.store).await
    }

    /// The message source, as configured in the daemon.
    pub fn messages(&self) -> ByContent {
        let (store, blobs, clock) = (self.store.clone(), self.blobs.clone(), Arc::new(self.clock.clone()));
        let posts = PostMessages::new(store, blobs, self.key.clone(), clock, Default::default());
        ByContent { releases: Arc::new(NoMessages), posts: Arc::new(posts) }
    }

    pub async fn dispatcher(&self) -> Dispatcher {
        let dispatcher = Dispatcher::start(DispatchParts {
            store: self.store.clone(),
            clock: Arc::new(self.clock.clone()),
            transport: Arc::new(Way(self.relay.clone())),
            messages: Arc::new(self.messages()),
            key: self.key.clone(),
            classifier: Classifier::shipped().unwrap(),
            notifier: Notifier::new(),
            settings: DispatchSettings::default(),
        });
        dispatcher.await.unwrap()
    }

    /// Starts and sends every mailing that is due.
    pub async fn send_all(&self) {
        let scheduler = Scheduler::new(self.store.clone(), Arc::new(self.clock.clone()), Notifier::new());
        scheduler.checking(Arc::new(self.messages())).tick().await.unwrap();
        let dispatcher = self.dispatcher().await;
        let begun: Vec<MailingId> = self.mailings().await.iter().filter(|m| m.is_approved()).map(|m| m.id).collect();
        for id in begun {
            let finished = async {
                while !matches!(self.store.mailing(id).await.unwrap().unwrap().value.stage, Stage::Finished { .. }) {
                    tokio::task::yield_now().await;
                }
            };
            self.mail_in.while_running(finished).await;
        }
        dispatcher.drain().await;
    }

    /// What the relay received: recipient, envelope sender and message.
    pub fn carried(&self) -> Vec<(String, String, String)> {
        let carried = self.relay.carried.lock().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let sender = |address: &Option<depesch::base::address::Address>| address.as_ref().unwrap().to_string();
        carried.iter().map(|(e, bytes)| (e.recipient.to_string(), sender(&e.sender), text(bytes))).collect()
    }
}

/// The fields with this name in a message's header.
pub fn fields<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let (header, _) = message.split_once("\r\n\r\n").unwrap();
    let wanted = format!("{}:", name.to_lowercase());
    header.lines().filter(|line| line.to_lowercase().starts_with(&wanted)).collect()
}
