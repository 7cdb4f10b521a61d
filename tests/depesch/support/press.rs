//! A press office with the real composition of releases: the sample invitation as release 1, its attached programme, the
//! list `media`, and subscriber 1 on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use depesch::base::address::Address;
use depesch::base::id::{ListName, NoticeId, ReleaseId};
use depesch::composition::message::MessageSource;
use depesch::composition::release::record_of;
use depesch::composition::release_messages::{MessageSettings, ReleaseMessages};
use depesch::composition::sample::SampleReader;
use depesch::mailings::sample::Reader;
use depesch::mailings::test_mail::{TestError, TestOrder, Tested, Testing, send_test};
use depesch::model::subscriber::Subscriber;
use depesch::render::registry::Templates;
use depesch::render::source::{SourceSettings, book::parse_book, parse};
use depesch::store::blobs::Blobs;

use super::mailings::{list, minute, put_subscriber};
use super::notices::World;

/// The address that test mails go to: of no subscriber.
pub const TESTER: &str = "tester@example.net";

pub struct Press {
    pub world: World,
    pub messages: ReleaseMessages,
    pub blobs: Blobs,
    pub reader: Subscriber,
}

impl Press {
    /// The office; the attached programme has this content.
    pub async fn with(programme: &[u8], templates: Templates) -> Self {
        let world = World::new();
        let blobs = Blobs::in_state_directory(&world.directory());
        world.store.create_list(&list("media")).await.unwrap();
        let reader = put_subscriber(&world.store, 1, &["media"], |s| s.name = Some("Åsa Öberg".into())).await;
        let settings = MessageSettings { base_url: Some("https://press.example.org".into()), ..Default::default() };
        let messages = ReleaseMessages::new(
            world.store.clone(),
            blobs.clone(),
            Arc::new(templates),
            world.key.clone(),
            Arc::new(world.clock.clone()),
            settings,
        );
        let press = Self { world, messages, blobs, reader };
        press.add(include_str!("../../../docs/samples/inbjudan-riksmote.md"), programme).await;
        press
    }

    pub async fn new() -> Self {
        Self::with(b"%PDF programmet", Templates::load(None).unwrap()).await
    }

    /// Adds a release; each file that it names has this content.
    pub async fn add(&self, source: &str, programme: &[u8]) -> ReleaseId {
        let settings = SourceSettings::default();
        let book = parse_book(include_str!("../../../docs/samples/contacts.toml"), &settings).unwrap().into_book();
        let draft = parse(source, &settings).draft.unwrap();
        let mut files = BTreeMap::new();
        for file in draft.files() {
            files.insert(file.to_owned(), self.blobs.put(None, programme).await.unwrap());
        }
        let record = record_of(source, &draft, &book, files, &settings, (minute(0), "anna"));
        self.world.store.add_release(record).await.unwrap().id
    }

    /// Sends a test mail of a release to [`TESTER`].
    pub async fn test(&self, release: ReleaseId, reader: Reader) -> Result<Tested, TestError> {
        self.test_for(release, reader, None, &[TESTER]).await
    }

    pub async fn test_for(
        &self,
        release: ReleaseId,
        reader: Reader,
        list: Option<ListName>,
        to: &[&str],
    ) -> Result<Tested, TestError> {
        let with = Testing {
            store: &self.world.store,
            messages: &self.messages as &dyn MessageSource,
            notices: &self.world.notices,
            blobs: &self.blobs,
            key: &self.world.key,
        };
        let to = to.iter().map(|to| to.parse::<Address>().unwrap()).collect();
        send_test(&with, minute(0), &TestOrder { release, list, reader, to }).await
    }

    /// An invented reader.
    pub fn invented(&self) -> Reader {
        Reader::Invented(SampleReader::default())
    }

    /// Subscriber 1.
    pub fn subscriber(&self) -> Reader {
        Reader::Subscriber(Box::new(self.reader.clone()))
    }

    /// The bytes of a notice that is kept whole.
    pub async fn bytes(&self, notice: NoticeId) -> Vec<u8> {
        self.world.store.notice_bytes(notice).await.unwrap().unwrap().to_vec()
    }
}
