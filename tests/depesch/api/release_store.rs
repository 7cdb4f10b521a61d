//! Releases stay as they were when added; attachments are complete or absent.

use std::sync::Arc;

use chrono::{TimeZone, Utc};
use depesch::base::id::ReleaseId;
use depesch::base::token::content_hash;
use depesch::composition::release::{load, record_of};
use depesch::model::contact::Boilerplate;
use depesch::render::source::{SourceSettings, book::parse_book, parse};
use depesch::store::Store;
use depesch::store::blobs::{BlobError, Blobs, parse_sha256};
use depesch::store::contacts::{BookChange, BookError, BookOutcome};
use depesch::store::memory::MemoryEngine;

const INVITATION: &str = include_str!("../../../docs/samples/inbjudan-riksmote.md");
const BOOK: &str = include_str!("../../../docs/samples/contacts.toml");

fn store() -> Store {
    Store::new(Arc::new(MemoryEngine::new()))
}

fn change() -> BookChange {
    let file = parse_book(BOOK, &SourceSettings::default()).unwrap();
    BookChange { organisations: file.organisations, contacts: file.contacts, boilerplates: file.boilerplates }
}

#[tokio::test]
async fn a_release_keeps_its_contacts_as_they_were() {
    let (store, settings) = (store(), SourceSettings::default());
    store.change_book(&change()).await.unwrap();
    let draft = parse(INVITATION, &settings).draft.unwrap();
    let book = store.contact_book().await.unwrap();
    let at = Utc.with_ymd_and_hms(2027, 2, 1, 8, 0, 0).unwrap();
    let record = record_of(INVITATION, &draft, &book, Default::default(), &settings, (at, "press"));
    let added = store.add_release(record).await.unwrap();
    let before = load(&store, added.id).await.unwrap().unwrap();
    assert_eq!(before.release, draft.resolve(&book).unwrap());
    assert_eq!(before.record.value, added);

    let mut other = change();
    other.contacts[0].1.name = "Nils Ny".into();
    other.boilerplates[0].text = "Nytt.".into();
    store.change_book(&other).await.unwrap();
    assert_eq!(load(&store, added.id).await.unwrap().unwrap().release, before.release);
    assert_eq!(store.contact_book().await.unwrap().contacts["sara-holm"].name, "Nils Ny");

    let second = store.add_release(added.clone()).await.unwrap();
    assert!(second.id > added.id);
    let listed = store.releases(ReleaseId(0), 10).await.unwrap();
    assert_eq!(listed.iter().map(|r| r.id).collect::<Vec<_>>(), [added.id, second.id]);
    assert_eq!(listed[0].summary.issuer, "Fackförbundet Vardagskraft");
    assert_eq!(store.releases(added.id, 10).await.unwrap().len(), 1);
    assert!(load(&store, ReleaseId(99)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_boilerplate_gets_a_new_number_only_when_it_is_new() {
    let store = store();
    assert_eq!(store.change_book(&change()).await.unwrap(), BookOutcome { added: 7, changed: 0, unchanged: 0 });
    assert_eq!(store.change_book(&change()).await.unwrap(), BookOutcome { added: 0, changed: 0, unchanged: 7 });
    let text = |organisation: &str, text: &str| BookChange {
        boilerplates: vec![Boilerplate {
            organisation: organisation.into(),
            name: String::new(),
            revision: 0,
            language: "sv".parse().unwrap(),
            text: text.into(),
        }],
        ..BookChange::default()
    };
    store.change_book(&text("vardagskraft", "Kort.")).await.unwrap();
    let book = store.contact_book().await.unwrap();
    assert_eq!(book.boilerplates[&("vardagskraft".into(), 2)].text, "Kort.");
    assert!(book.boilerplates[&("vardagskraft".into(), 1)].text.contains("84 000"));
    assert!(matches!(store.change_book(&text("ingen", "x")).await, Err(BookError::NoOrganisation(_))));
}

#[tokio::test]
async fn a_file_is_kept_once_and_checked_when_read() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_state_directory(directory.path());
    let content = vec![7u8; 200_000];
    let blob = blobs.put(None, &content[..]).await.unwrap();
    assert_eq!((blob.sha256, blob.size), (content_hash(&content), 200_000));
    assert_eq!(blobs.put(Some(blob.sha256), &content[..]).await.unwrap(), blob);
    assert_eq!(blobs.read(&blob.sha256).await.unwrap(), content);
    assert_eq!(blobs.size(&blob.sha256).await.unwrap(), Some(200_000));
    assert_eq!(std::fs::read_dir(directory.path().join("blobs/incoming")).unwrap().count(), 0);

    let hex = depesch::base::token::to_hex(&blob.sha256);
    assert_eq!(parse_sha256(&hex), Some(blob.sha256));
    let path = directory.path().join("blobs").join(&hex[..2]).join(&hex);
    std::fs::write(&path, b"changed").unwrap();
    assert!(matches!(blobs.read(&blob.sha256).await, Err(BlobError::Damaged { .. })));
}

#[tokio::test]
async fn a_file_that_is_not_as_announced_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_state_directory(directory.path());
    let announced = content_hash(b"whole");
    assert!(matches!(blobs.put(Some(announced), &b"hal"[..]).await, Err(BlobError::Different { .. })));
    assert_eq!(blobs.size(&announced).await.unwrap(), None);
    assert_eq!(blobs.size(&content_hash(b"hal")).await.unwrap(), None);
    assert!(matches!(blobs.read(&announced).await, Err(BlobError::Missing(_))));
    assert_eq!(std::fs::read_dir(directory.path().join("blobs/incoming")).unwrap().count(), 0);
}
