//! A release that corrects, withdraws, updates or follows an earlier one answers the very mail that each reader got, and
//! names the earlier release as readers know it.

use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::base::id::ReleaseId;
use depesch::base::token::Key;
use depesch::composition::message::{MessageSource, PreparedMailing};
use depesch::composition::release::record_of;
use depesch::composition::release_messages::{MessageSettings, ReleaseMessages};
use depesch::model::contact::ContactBook;
use depesch::model::mailing::{MailingContent, MissedPolicy};
use depesch::model::subscriber::Subscriber;
use depesch::render::registry::Templates;
use depesch::render::source::{SourceSettings, parse};
use depesch::store::Store;
use depesch::store::blobs::Blobs;
use mail_parser::MessageParser;

use crate::support::mailings::{list, mailing, minute, put_sent, put_subscriber, store};

struct House {
    store: Store,
    messages: ReleaseMessages,
    readers: Vec<Subscriber>,
}

/// A house with three readers. Mailing 1 sent release 1 and reached the first; mailing 2 sent it again and reached the
/// second; none reached the third.
async fn house() -> House {
    let store = store();
    store.create_list(&list("media")).await.unwrap();
    let mut readers = Vec::new();
    for id in 1..=3 {
        readers.push(put_subscriber(&store, id, &["media"], |_| {}).await);
    }
    let directory = tempfile::tempdir().unwrap();
    let messages = ReleaseMessages::new(
        store.clone(),
        Blobs::in_state_directory(directory.path()),
        Arc::new(Templates::load(None).unwrap()),
        Key::new([7; 32]),
        Arc::new(FakeClock::at(minute(600))),
        MessageSettings::default(),
    );
    let house = House { store, messages, readers };
    let first = house.add("press-release", "Fler unga går med", "published = 2026-11-16T08:00:00").await;
    put_sent(&house.store, 1, first, &[true, false, false]).await;
    put_sent(&house.store, 2, first, &[false, true, false]).await;
    house
}

impl House {
    async fn add(&self, kind: &str, headline: &str, fields: &str) -> ReleaseId {
        let text = format!(
            "+++\nkind = \"{kind}\"\nlanguage = \"sv\"\nheadline = \"{headline}\"\nissuers = [\"Vardagskraft\"]\n{fields}\n+++\nText.\n"
        );
        let settings = SourceSettings::default();
        let draft = parse(&text, &settings).draft.unwrap();
        let record = record_of(&text, &draft, &ContactBook::default(), [].into(), &settings, (minute(0), "anna"));
        self.store.add_release(record).await.unwrap().id
    }

    async fn prepared(&self, id: u64, release: ReleaseId) -> Arc<dyn PreparedMailing> {
        let mut mailing = mailing(id, MissedPolicy::Send);
        mailing.content = MailingContent::Release(release);
        self.messages.prepare(&mailing).await.unwrap()
    }

    /// The Message-ID with which mailing `mailing` of release 1 reached a reader.
    async fn original(&self, id: u64, reader: usize) -> String {
        self.prepared(id, ReleaseId(1)).await.message_id(self.readers[reader].id)
    }
}

/// In-Reply-To and References of a reader's message, and its text.
fn thread(prepared: &dyn PreparedMailing, reader: &Subscriber) -> (Vec<String>, Vec<String>, String) {
    let whole = prepared.make(reader).unwrap().whole();
    let parsed = MessageParser::default().parse(&whole).unwrap();
    let ids = |value: &mail_parser::HeaderValue| {
        value.as_text_list().map(|ids| ids.iter().map(ToString::to_string).collect()).unwrap_or_default()
    };
    let text = parsed.body_text(0).unwrap().replace("\r\n", "\n").replace('\u{a0}', " ");
    (ids(parsed.in_reply_to()), ids(parsed.references()), text)
}

fn about(kind: &str, release: u64) -> String {
    format!("change = \"x\"\n[[relations]]\nkind = \"{kind}\"\nto = \"r{release}\"")
}

#[tokio::test]
async fn each_reader_gets_it_as_an_answer_to_the_mail_they_got() {
    let house = house().await;
    for (kind, relation, at) in [
        ("correction", "correction-of", 11),
        ("withdrawal", "withdraws", 12),
        ("article", "follow-up-of", 13),
        ("bulletin", "update-of", 14),
        ("article", "replaces", 15),
    ] {
        let release = house.add(kind, "Den nya texten", &about(relation, 1)).await;
        let prepared = house.prepared(at, release).await;
        for (reader, mailing) in [(0, 1), (1, 2)] {
            let original = vec![house.original(mailing, reader).await];
            let (answered, references, _) = thread(prepared.as_ref(), &house.readers[reader]);
            assert_eq!((&answered, &references), (&original, &original), "{relation}");
        }
        let (answered, references, _) = thread(prepared.as_ref(), &house.readers[2]);
        assert_eq!((answered.len(), references.len()), (0, 0), "{relation}: the third reader got nothing before");
    }
}

#[tokio::test]
async fn a_chain_of_releases_is_one_thread() {
    let house = house().await;
    let second = house.add("article", "Uppföljningen", &about("follow-up-of", 1)).await;
    put_sent(&house.store, 3, second, &[true, false, false]).await;
    let third = house.add("article", "Nästa uppföljning", &about("follow-up-of", second.0)).await;
    let newest = house.prepared(3, second).await.message_id(house.readers[0].id);
    let (answered, references, _) = thread(house.prepared(9, third).await.as_ref(), &house.readers[0]);
    assert_eq!(answered, std::slice::from_ref(&newest));
    assert_eq!(references, [house.original(1, 0).await, newest]);
}

#[tokio::test]
async fn readers_see_headline_and_date_and_no_number() {
    let house = house().await;
    let release = house.add("correction", "Rättelse", &about("correction-of", 1)).await;
    let (.., text) = thread(house.prepared(11, release).await.as_ref(), &house.readers[0]);
    assert!(text.contains("Rättar: Fler unga går med, måndag 16 november 2026\n"), "{text}");
    let own = format!("{}\ntitle = \"Egen rubrik\"\ndate = 2026-11-15", about("correction-of", 1));
    let release = house.add("correction", "Rättelse", &own).await;
    let (.., text) = thread(house.prepared(12, release).await.as_ref(), &house.readers[0]);
    assert!(text.contains("Rättar: Egen rubrik, söndag 15 november 2026\n"), "{text}");
    // Without a date of its own: the day on which it was first sent.
    let undated = house.add("article", "Utan datum", "").await;
    put_sent(&house.store, 4, undated, &[true]).await;
    let release = house.add("correction", "Rättelse", &about("correction-of", undated.0)).await;
    let (.., text) = thread(house.prepared(13, release).await.as_ref(), &house.readers[0]);
    assert!(text.contains("Rättar: Utan datum, lördag 21 november 2026\n"), "{text}");
}

#[tokio::test]
async fn the_documentation_of_an_event_begins_a_thread_of_its_own() {
    let house = house().await;
    let fields =
        format!("{}\n[[links]]\ntitle = \"Film\"\nurl = \"https://example.org/f\"", about("documentation-of", 1));
    let release = house.add("documentation", "Konferensen", &fields).await;
    assert!(thread(house.prepared(11, release).await.as_ref(), &house.readers[0]).0.is_empty());
}
