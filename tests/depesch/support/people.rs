//! Importing texts and examining the results.

use std::sync::Arc;

use depesch::base::id::ListName;
use depesch::base::token::Key;
use depesch::model::subscriber::{Subscriber, SubscriptionState};
use depesch::privacy::erasure::Eraser;
use depesch::store::Store;
use depesch::store::for_tests::engine as engine_of;
use depesch::store::memory::MemoryEngine;
use depesch::subscribers::export::{Export, ExportSettings};
use depesch::subscribers::import::plan::FieldChange;
use depesch::subscribers::import::records::Format;
use depesch::subscribers::import::{ImportError, ImportEvent, ImportSettings, ImportSummary, Reject, import};
use depesch::subscribers::profile::{PersonError, SubscriberService};

use super::mailings::{list, minute};

/// The events and result of an import.
#[derive(Debug)]
pub struct Imported {
    pub summary: Result<ImportSummary, ImportError>,
    pub headings: Vec<String>,
    pub rejects: Vec<Reject>,
    pub format: Option<Format>,
    pub notes: Vec<String>,
    pub changes: Vec<FieldChange>,
}

impl Imported {
    /// The line and reason of each reject.
    pub fn reasons(&self) -> Vec<(u64, &str)> {
        self.rejects.iter().map(|reject| (reject.line, reject.reason.as_str())).collect()
    }
}

/// The key used in every test.
pub fn key() -> Key {
    Key::new([7; 32])
}

/// A store in memory with the lists `media` and `members`.
pub async fn store() -> Store {
    let store = Store::new(Arc::new(MemoryEngine::new()));
    put_lists(&store).await;
    store
}

/// Creates the lists `media` and `members`.
pub async fn put_lists(store: &Store) {
    assert!(store.create_list(&list("media")).await.unwrap());
    assert!(store.create_list(&list("members")).await.unwrap());
}

/// The subscriber service of an operator, at a given minute.
pub fn service(store: &Store, at: i64) -> SubscriberService {
    SubscriberService { store: store.clone(), key: key(), at: minute(at), who: "anna".to_owned() }
}

/// Erases a person and does all the work at once; returns what prevents completion, if anything.
pub async fn erase(service: &SubscriberService, who: &str) -> Result<Vec<String>, PersonError> {
    service.erase(who, None).await?;
    let eraser = Eraser { store: service.store.clone(), key: service.key.clone(), files: None };
    let worked = eraser.work(service.at).await.unwrap();
    Ok(worked.open.into_iter().flat_map(|(_, why)| why).collect())
}

/// Settings for an import to `media`, with consent.
pub fn settings() -> ImportSettings {
    ImportSettings {
        file: "people.csv".to_owned(),
        lists: vec!["media".parse().unwrap()],
        consent: Some("asked for releases".to_owned()),
        ..Default::default()
    }
}

/// Imports bytes in pieces of this size.
pub async fn import_with(store: &Store, settings: ImportSettings, file: &[u8], piece: usize) -> Imported {
    let pieces: Vec<_> = file.chunks(piece).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let (events, mut told) = tokio::sync::mpsc::channel(16);
    let work = async {
        let summary = import(store, &key(), settings, minute(10), futures_util::stream::iter(pieces), &events).await;
        drop(events);
        summary
    };
    let listen = async {
        let (mut headings, mut rejects) = (Vec::new(), Vec::new());
        let (mut format, mut notes, mut changes) = (None, Vec::new(), Vec::new());
        while let Some(event) = told.recv().await {
            match event {
                ImportEvent::Headings(found) => headings = found,
                ImportEvent::Format(found) => format = Some(found),
                ImportEvent::Note(note) => notes.push(note),
                ImportEvent::Change(change) => changes.push(change),
                ImportEvent::Reject(reject) => rejects.push(reject),
                ImportEvent::Progress { .. } => {}
            }
        }
        (headings, rejects, format, notes, changes)
    };
    let (summary, (headings, rejects, format, notes, changes)) = tokio::join!(work, listen);
    Imported { summary, headings, rejects, format, notes, changes }
}

/// Imports a text to `media`, with consent.
pub async fn import_text(store: &Store, file: &str) -> Imported {
    import_with(store, settings(), file.as_bytes(), 64 * 1024).await
}

/// The subscriber with this address.
pub async fn subscriber(store: &Store, address: &str) -> Option<Subscriber> {
    store.subscriber_by_address(&address.parse().unwrap()).await.unwrap().map(|read| read.value)
}

/// The state of a subscriber on a list.
pub async fn state(store: &Store, address: &str, list: &str) -> Option<SubscriptionState> {
    let list: ListName = list.parse().unwrap();
    subscriber(store, address).await?.state_on(&list)
}

/// All mailings, oldest first.
pub async fn all_mailings(store: &Store) -> Vec<depesch::model::mailing::Mailing> {
    let (mut pages, mut mailings) = (store.pages(depesch::store::mailings::all()), Vec::new());
    while let Some(read) = pages.next().await.unwrap() {
        mailings.push(read.value);
    }
    mailings
}

/// All records of the store, for comparison.
pub async fn everything(store: &Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    let from = depesch::store::engine::Key(vec![1]);
    let range = depesch::store::engine::KeyRange::new(from, None);
    let found = engine_of(store).scan(range, usize::MAX).await.unwrap();
    found.into_iter().map(|(key, value)| (key.0, value.to_vec())).collect()
}

/// An export as text.
pub async fn export(store: &Store, settings: ExportSettings) -> String {
    let mut export = Export::begin(store.clone(), settings).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(more) = export.next().await.unwrap() {
        bytes.extend(more);
    }
    String::from_utf8(bytes).unwrap()
}
