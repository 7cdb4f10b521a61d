//! Mail to a list in memory: messages are parsed, handled and committed as the worker does, and the notices that answer
//! them are read back.

use std::sync::{Arc, LazyLock};

use depesch::authentication::NoLookups;
use depesch::base::clock::FakeClock;
use depesch::base::id::{InboundId, ListName};
use depesch::base::token::Key;
use depesch::bounce::Reader;
use depesch::composition::content::{Content, ContentHandle};
use depesch::composition::notices::{NoticeSettings, Notices};
use depesch::inbound::bounce::BounceHandler;
use depesch::inbound::command::CommandService;
use depesch::inbound::destination::{Directory, Resolved};
use depesch::inbound::post::PostService;
use depesch::inbound::rsvp::RsvpHandler;
use depesch::inbound::triage::Triage;
use depesch::inbound::{Effects, Handler, Item};
use depesch::mail::command::Commands;
use depesch::mail::incoming::Incoming;
use depesch::mail::post_decision::DecisionWords;
use depesch::model::bounce::BouncePolicy;
use depesch::model::classify::Classifier;
use depesch::model::inbound::{Arrival, Inbound, InboundState, SpoolPlace, Via};
use depesch::model::list::List;
use depesch::model::notice::NoticeBody;
use depesch::model::subscriber::{Subscriber, SubscriptionState};
use depesch::store::Store;
use depesch::store::blobs::Blobs;
use depesch::store::engine::{Commit, Engine};
use depesch::store::memory::MemoryEngine;
use depesch::store::spool::{Spool, SpoolSettings};
use depesch::subscribers::limits::AskSettings;
use depesch::subscribers::rulebook::Rulebook;

use super::inbound::list;
use super::office::noon;

/// A notice that was sent.
pub struct Sent {
    pub to: String,
    pub about: String,
    pub mail: Incoming,
    /// The address that a reply to it goes to.
    pub reply_to: String,
}

/// A list `media` at lists.example.org, with people who write to it.
pub struct World {
    pub store: Store,
    pub spool: Spool,
    pub clock: Arc<FakeClock>,
    pub blobs: Blobs,
    pub key: Key,
    pub triage: Triage,
    directory: Directory,
    state: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(list("media"), AskSettings::default()).await
    }

    pub async fn with(list: List, settings: AskSettings) -> Self {
        Self::over(Arc::new(MemoryEngine::new()), list, settings).await
    }

    pub async fn over(engine: Arc<dyn Engine>, list: List, settings: AskSettings) -> Self {
        let (store, key, clock) = (Store::new(engine), Key::new([3; 32]), FakeClock::at(noon()));
        store.create_list(&list).await.unwrap();
        let state = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_state_directory(state.path());
        let clocks = || Arc::new(clock.clone());
        let notices = Notices::new(store.clone(), content(), key.clone(), clocks(), NoticeSettings::default());
        let spool = SpoolSettings { reserve_bytes: 0, ..SpoolSettings::default() };
        let spool = Spool::open(state.path(), spool, clocks()).unwrap();
        let triage = triage(&store, &blobs, &clock, &key, &notices, settings);
        let directory = Directory::new(store.clone(), key.clone());
        Self { store, spool, clock, blobs, key, triage, directory, state }
    }

    /// The directory of attachments and confirmations.
    pub fn state_directory(&self) -> &std::path::Path {
        self.state.path()
    }

    /// Receives and handles a message; returns a description of what was done.
    pub async fn arrives(&self, sender: Option<&str>, recipient: &str, bytes: &str) -> String {
        let effects = self.effects(sender, recipient, bytes).await;
        let note = format!("{}: {}", effects.kind.word(), effects.note);
        assert_eq!(self.store.commit(effects.batch).await.unwrap(), Commit::Applied);
        note
    }

    /// The effects a message would have.
    pub async fn effects(&self, sender: Option<&str>, recipient: &str, bytes: &str) -> Effects {
        let id = InboundId(self.store.allocate("inbound", 1).await.unwrap());
        let bytes = bytes.replace("\r\n", "\n").replace('\n', "\r\n");
        let arrival = Arrival {
            at: self.clock.now(),
            via: Via::Smtp,
            peer: Some("192.0.2.7".parse().unwrap()),
            helo: "mx.example.net".into(),
            encrypted: false,
            sender: sender.map(str::to_owned),
        };
        let place = SpoolPlace { segment: 1, offset: 0, length: bytes.len() as u32 };
        let destination = match self.directory.resolve(recipient).await.unwrap() {
            Resolved::Ours(destination) => Some(destination),
            Resolved::No(answer) => panic!("{recipient}: {answer:?}"),
        };
        let item = Item {
            inbound: Inbound { id, arrival, recipient: recipient.into(), place, state: InboundState::Waiting },
            message: Incoming::parse(bytes.as_bytes()).unwrap_or_default(),
            bytes: Arc::new(bytes.into_bytes()),
            destination,
        };
        self.triage.handle(&item).await.unwrap()
    }

    /// Mail from a person to a command address (`subscribe`, `request`, …) of the list.
    pub async fn writes(&self, from: &str, what: &str, subject: &str, text: &str) -> String {
        let number = self.store.allocate("test", 1).await.unwrap();
        let mail = format!(
            "From: {from}\nTo: media-{what}@lists.example.org\nSubject: {subject}\nMessage-ID: <t{number}@mail.example>\n\
             Content-Type: text/plain; charset=utf-8\n\n{text}\n"
        );
        let sender = Incoming::parse(mail.as_bytes()).unwrap().from().unwrap().address.clone();
        self.arrives(Some(&sender), &format!("media-{what}@lists.example.org"), &mail).await
    }

    /// A reply to a notice, as a mail program writes it, with this text above the quotation.
    pub async fn replies(&self, notice: &Sent, words: &str) -> String {
        let mail = reply(notice, words);
        self.arrives(Some(&notice.to), &notice.reply_to, &mail).await
    }

    /// All notices, oldest first.
    pub async fn notices(&self) -> Vec<Sent> {
        let mut notices = Vec::new();
        for read in self.store.notices(None, 1000).await.unwrap() {
            let notice = read.value;
            let bytes = match &notice.body {
                NoticeBody::Kept | NoticeBody::KeptWithEnd(_) => {
                    self.store.notice_bytes(notice.id).await.unwrap().unwrap().to_vec()
                }
                NoticeBody::Forwarded { header, .. } => header.clone(),
            };
            let mail = Incoming::parse(&bytes).unwrap();
            let reply_to = mail.reply_address().map(|one| one.address.clone()).unwrap_or_default();
            notices.push(Sent { to: notice.recipient.to_string(), about: notice.about, mail, reply_to });
        }
        notices.reverse();
        notices
    }

    /// The template and recipient of each notice.
    pub async fn sent(&self) -> Vec<String> {
        self.notices().await.iter().map(|notice| format!("{} to {}", notice.about, notice.to)).collect()
    }

    pub async fn last(&self) -> Sent {
        self.notices().await.pop().expect("no notice went out")
    }

    pub async fn subscriber(&self, address: &str) -> Option<Subscriber> {
        self.store.subscriber_by_address(&address.parse().unwrap()).await.unwrap().map(|read| read.value)
    }

    pub async fn standing(&self, address: &str) -> Option<SubscriptionState> {
        let media: ListName = "media".parse().unwrap();
        self.subscriber(address).await?.state_on(&media)
    }

    /// Subscribes a person, including the confirmation.
    pub async fn subscribes(&self, address: &str) -> Subscriber {
        self.writes(address, "subscribe", "prenumerera", "").await;
        let question = self.last().await;
        assert_eq!(question.about, "confirm");
        self.replies(&question, "").await;
        assert_eq!(self.standing(address).await, Some(SubscriptionState::Active));
        self.subscriber(address).await.unwrap()
    }
}

/// The built-in content, loaded once because many tests create worlds very often.
static SHIPPED: LazyLock<(Content, Arc<Commands>, Arc<DecisionWords>, Reader)> = LazyLock::new(|| {
    let reader = Reader::new(Classifier::shipped().unwrap()).unwrap();
    let (commands, words) = (Commands::shipped().unwrap(), DecisionWords::shipped().unwrap());
    (Content::built_in().unwrap(), Arc::new(commands), Arc::new(words), reader)
});

/// The words for decisions about posts.
pub fn verdict_words() -> Arc<DecisionWords> {
    SHIPPED.2.clone()
}

/// The built-in content for mails and pages.
pub fn content() -> Arc<ContentHandle> {
    Arc::new(ContentHandle::new(SHIPPED.0.clone()))
}

/// A triage with all handlers.
pub fn triage(
    store: &Store,
    blobs: &Blobs,
    clock: &Arc<FakeClock>,
    key: &Key,
    notices: &Notices,
    settings: AskSettings,
) -> Triage {
    let rulebook = Rulebook { store: store.clone(), key: key.clone() };
    let commands = CommandService {
        rulebook: rulebook.clone(),
        blobs: blobs.clone(),
        clock: Arc::new(clock.clone()),
        content: content(),
        commands: SHIPPED.1.clone(),
        notices: notices.clone(),
        settings,
    };
    let posts = posts(store, blobs, clock, key, notices);
    let rsvps = RsvpHandler {
        store: store.clone(),
        key: key.clone(),
        clock: Arc::new(clock.clone()),
        notices: notices.clone(),
    };
    let (policy, doubts) = (BouncePolicy::default(), Arc::default());
    Triage {
        bounces: BounceHandler { rulebook: rulebook.clone(), policy, doubts },
        rulebook,
        clock: Arc::new(clock.clone()),
        reader: SHIPPED.3.clone(),
        notices: notices.clone(),
        commands,
        posts,
        rsvps,
        postmaster: None,
    }
}

/// The service for posts.
pub fn posts(store: &Store, blobs: &Blobs, clock: &Arc<FakeClock>, key: &Key, notices: &Notices) -> PostService {
    PostService {
        store: store.clone(),
        blobs: blobs.clone(),
        clock: Arc::new(clock.clone()),
        key: key.clone(),
        notices: notices.clone(),
        authenticator: Arc::new(NoLookups::default()),
        words: SHIPPED.2.clone(),
        zone: chrono_tz::Europe::Stockholm,
    }
}

/// A reply in the form of a mail program.
pub fn reply(notice: &Sent, words: &str) -> String {
    let quoted: String = notice.mail.text().lines().map(|line| format!("> {line}\n")).collect();
    format!(
        "From: {}\nTo: {}\nSubject: Sv: {}\nMessage-ID: <reply@mail.example>\nIn-Reply-To: <{}>\n\
         Content-Type: text/plain; charset=utf-8\n\n{words}\n\nDen 22 november 2026 kl. 12:00 skrev Media:\n{quoted}",
        notice.to,
        notice.reply_to,
        notice.mail.subject(),
        notice.mail.message_id().unwrap_or_default(),
    )
}
