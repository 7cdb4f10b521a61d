//! From a mailing in the store to the message passed to a connection.

use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::base::id::ReleaseId;
use depesch::base::token::{Key, Purpose};
use depesch::composition::message::{MessageSource, PrepareError};
use depesch::composition::release::record_of;
use depesch::composition::release_messages::{MessageSettings, ReleaseMessages};
use depesch::model::list::{List, Privacy};
use depesch::model::mailing::{Mailing, MailingContent, MissedPolicy};
use depesch::model::subscriber::SubscriptionState;
use depesch::render::registry::Templates;
use depesch::render::source::{SourceSettings, book::parse_book, parse};
use depesch::store::Store;
use depesch::store::blobs::Blobs;
use mail_parser::{MessageParser, MimeHeaders};

use crate::support::mailings::{list, mailing, minute, put_subscriber, store};

const KEY: [u8; 32] = [7; 32];

struct House {
    store: Store,
    messages: ReleaseMessages,
    blobs: Blobs,
    mailing: Mailing,
    clock: Arc<FakeClock>,
    _directory: tempfile::TempDir,
}

/// A store with the sample invitation as release 1 and a mailing of it to `lists`.
async fn house(lists: &[List], templates: Templates) -> House {
    let directory = tempfile::tempdir().unwrap();
    let store = store();
    let blobs = Blobs::in_state_directory(directory.path());
    let source = include_str!("../../../docs/samples/inbjudan-riksmote.md");
    let settings = SourceSettings::default();
    let book = parse_book(include_str!("../../../docs/samples/contacts.toml"), &settings).unwrap().into_book();
    let draft = parse(source, &settings).draft.unwrap();
    let mut files = std::collections::BTreeMap::new();
    for file in draft.files() {
        files.insert(file.to_owned(), blobs.put(None, b"%PDF programmet".as_slice()).await.unwrap());
    }
    let record = record_of(source, &draft, &book, files, &settings, (minute(0), "anna"));
    let record = store.add_release(record).await.unwrap();
    for list in lists {
        store.create_list(list).await.unwrap();
    }
    let mut mailing = mailing(7, MissedPolicy::Send);
    mailing.content = MailingContent::Release(record.id);
    mailing.audience.lists = lists.iter().map(|list| list.name.clone()).collect();
    let clock = FakeClock::at(minute(60));
    let settings = MessageSettings { base_url: Some("https://press.example.org".into()), ..Default::default() };
    let messages = ReleaseMessages::new(
        store.clone(),
        blobs.clone(),
        Arc::new(templates),
        Key::new(KEY),
        Arc::new(clock.clone()),
        settings,
    );
    House { store, messages, blobs, mailing, clock, _directory: directory }
}

fn built_in() -> Templates {
    Templates::load(None).unwrap()
}

/// The bytes before the first empty line.
fn head(bytes: &[u8]) -> String {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    String::from_utf8(bytes[..end].to_vec()).unwrap().replace("\r\n ", " ")
}

#[tokio::test]
async fn an_invitation_reaches_its_reader_whole() {
    let house = house(&[list("media")], built_in()).await;
    let reader = put_subscriber(&house.store, 1, &["media"], |s| s.name = Some("Åsa Öberg".into())).await;
    let prepared = house.messages.prepare(&house.mailing).await.unwrap();
    let message = prepared.make(&reader).unwrap();
    assert_eq!(message.envelope.recipient, reader.address);
    let sender = message.envelope.reverse_path();
    let token = sender.strip_prefix("media-bounces+").unwrap().strip_suffix("@lists.example.org").unwrap();
    assert_eq!(Key::new(KEY).verify(Purpose::Bounce, token), Some(vec![7, 1]));

    let whole = message.whole();
    let parsed = MessageParser::default().parse(&whole).unwrap();
    assert_eq!(parsed.subject(), Some("Pressinbjudan: Vem vårdar vårdarna? Riksmöte i Örebro"));
    assert_eq!(parsed.to().unwrap().first().unwrap().name(), Some("Åsa Öberg"));
    assert_eq!(parsed.from().unwrap().first().unwrap().address(), Some("media@lists.example.org"));
    assert_eq!(parsed.reply_to().unwrap().first().unwrap().address(), Some("press@vardagskraft.example"));
    let text = parsed.body_text(0).unwrap();
    for line in ["Tid: torsdag 11 mars 2027, kl.\u{a0}9.30–16.00", "070-174\u{a0}06\u{a0}05", "Skickat till Åsa Öberg"]
    {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let calendar = parsed.parts.iter().find(|part| part.is_content_type("text", "calendar")).unwrap();
    let calendar = String::from_utf8(calendar.contents().to_vec()).unwrap();
    for line in ["METHOD:PUBLISH", "UID:riksmote-2027@vardagskraft.example", "DTSTART:20270311T083000Z"] {
        assert!(calendar.contains(&format!("\r\n{line}\r\n")), "{line} is not in {calendar}");
    }
    assert!(parsed.parts.iter().any(|part| part.contents() == b"%PDF programmet"));
    let head = head(&message.bytes);
    let links = head.lines().find_map(|line| line.strip_prefix("List-Unsubscribe: ")).unwrap();
    let token = links.split("/u/").nth(1).unwrap().split('>').next().unwrap();
    assert_eq!(Key::new(KEY).verify(Purpose::Unsubscribe, token), Some(vec![7, 1, 0]));
    assert!(links.contains(&format!("<mailto:media-unsubscribe+{token}@lists.example.org>")), "{links}");
}

#[tokio::test]
async fn the_same_mailing_subscriber_and_second_give_the_same_bytes() {
    let house = house(&[list("media")], built_in()).await;
    let one = put_subscriber(&house.store, 1, &["media"], |_| {}).await;
    let other = put_subscriber(&house.store, 2, &["media"], |_| {}).await;
    let first = house.messages.prepare(&house.mailing).await.unwrap().make(&one).unwrap();
    let again = house.messages.prepare(&house.mailing).await.unwrap();
    assert_eq!(again.make(&one).unwrap().bytes, first.bytes);
    let id = |bytes: &[u8]| head(bytes).lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned();
    let whole = String::from_utf8(first.whole()).unwrap();
    assert!(whole.starts_with(&String::from_utf8_lossy(&first.bytes).into_owned()) && whole.ends_with("--\r\n"));
    let pair = [again.make(&one).unwrap(), again.make(&other).unwrap()];
    assert!(Arc::ptr_eq(&pair[0].shared_end, &pair[1].shared_end), "no reader has a copy of the attachments");
    assert!(!pair[0].shared_end.is_empty());
    assert_ne!(id(&again.make(&other).unwrap().bytes), id(&first.bytes));
    house.clock.advance(chrono::Duration::hours(5));
    assert_eq!(id(&again.make(&one).unwrap().bytes), id(&first.bytes), "sent again, it is the same message");
}

#[tokio::test]
async fn the_first_active_list_by_name_carries_it() {
    let house = house(&[list("media"), list("alla")], built_in()).await;
    let both = put_subscriber(&house.store, 1, &["media", "alla"], |_| {}).await;
    let one = put_subscriber(&house.store, 2, &["media", "alla"], |s| {
        s.subscriptions.get_mut(&"alla".parse().unwrap()).unwrap().state = SubscriptionState::Ended;
    })
    .await;
    let prepared = house.messages.prepare(&house.mailing).await.unwrap();
    let list_id = |subscriber| {
        let bytes = prepared.make(subscriber).unwrap().whole();
        head(&bytes).lines().find(|line| line.starts_with("List-Id")).unwrap().to_owned()
    };
    assert_eq!(list_id(&both), "List-Id: alla <alla.lists.example.org>");
    assert_eq!(list_id(&one), "List-Id: media <media.lists.example.org>");
    let none = put_subscriber(&house.store, 3, &[], |_| {}).await;
    assert!(prepared.make(&none).is_err());
}

#[tokio::test]
async fn a_sensitive_list_is_shown_nowhere() {
    let list = List { privacy: Privacy::Sensitive, title: "Strejkfonden".into(), ..list("strejk") };
    let house = house(&[list], built_in()).await;
    let reader = put_subscriber(&house.store, 1, &["strejk"], |_| {}).await;
    let message = house.messages.prepare(&house.mailing).await.unwrap().make(&reader).unwrap();
    assert!(!message.envelope.reverse_path().to_lowercase().contains("strejk"));
    let whole = message.whole();
    let parsed = MessageParser::default().parse(&whole).unwrap();
    let all = format!("{}{}{}", head(&message.bytes), parsed.body_text(0).unwrap(), parsed.body_html(0).unwrap());
    assert!(!all.to_lowercase().contains("strejk"), "{all}");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let house = house(&[list("media")], built_in()).await;
    let broken = async |mailing: &Mailing| match house.messages.prepare(mailing).await.map(|_| ()) {
        Err(PrepareError::Broken(what)) => what,
        other => panic!("{other:?}"),
    };
    let mut wrong = house.mailing.clone();
    wrong.content = MailingContent::Release(ReleaseId(99));
    assert_eq!(broken(&wrong).await, "release r99 no longer exists");
    let mut wrong = house.mailing.clone();
    wrong.audience.lists = ["borta".parse().unwrap()].into();
    assert_eq!(broken(&wrong).await, "a list of its audience no longer exists");
    let blob = house.blobs.put(None, b"%PDF programmet".as_slice()).await.unwrap();
    let hex = depesch::base::token::to_hex(&blob.sha256);
    let path = house._directory.path().join("blobs").join(&hex[..2]).join(&hex);
    std::fs::remove_file(path).unwrap();
    let what = broken(&house.mailing).await;
    assert!(what.contains("riksmote-program.pdf"), "{what}");
}

#[tokio::test]
async fn a_field_that_a_template_needs_can_be_tried_for_each_reader() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("invitation")).unwrap();
    let text = "Hej {{recipient.attributes.smeknamn}}!\n{{> text-end}}\n";
    std::fs::write(folder.path().join("invitation/text.hbs"), text).unwrap();
    let house = house(&[list("media")], Templates::load(Some(folder.path())).unwrap()).await;
    let with = put_subscriber(&house.store, 1, &["media"], |s| {
        s.attributes.insert("smeknamn".into(), "Bettan".into());
    })
    .await;
    let without = put_subscriber(&house.store, 2, &["media"], |_| {}).await;
    let prepared = house.messages.prepare(&house.mailing).await.unwrap();
    let wrong = prepared.try_for(&without).unwrap_err();
    assert_eq!(prepared.try_for(&with), Ok(()));
    assert!(wrong.contains("invitation/text.hbs, line 1: recipient.attributes.smeknamn is missing"), "{wrong}");
    let message = prepared.make(&with).unwrap();
    let whole = message.whole();
    let parsed = MessageParser::default().parse(&whole).unwrap();
    assert!(parsed.body_text(0).unwrap().starts_with("Hej Bettan!"));
}
