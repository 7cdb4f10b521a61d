//! Removal by age: only attachments that no release names.

use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Duration, Utc};
use depesch::composition::release::record_of;
use depesch::model::contact::ContactBook;
use depesch::privacy::retention::drop_attachments;
use depesch::render::source::{SourceSettings, parse};
use depesch::store::Store;
use depesch::store::blobs::Blobs;
use depesch::store::memory::MemoryEngine;

const INVITATION: &str = include_str!("../../../docs/samples/inbjudan-riksmote.md");

/// Files are stamped by the machine's clock, whatever clock a test uses.
#[allow(clippy::disallowed_methods)]
fn file_time() -> DateTime<Utc> {
    DateTime::from(SystemTime::now())
}

#[tokio::test]
async fn attachments_that_a_release_names_stay_and_young_ones_too() {
    let (store, directory) = (Store::new(Arc::new(MemoryEngine::new())), tempfile::tempdir().unwrap());
    let blobs = Blobs::in_state_directory(directory.path());
    assert_eq!(drop_attachments(&store, &blobs, file_time()).await.unwrap(), 0, "nothing was ever received");
    let named = blobs.put(None, &b"programme"[..]).await.unwrap();
    let loose = blobs.put(None, &b"draft"[..]).await.unwrap();
    let (settings, at) = (SourceSettings::default(), file_time());
    let draft = parse(INVITATION, &settings).draft.unwrap();
    let files = [("riksmote-program.pdf".to_owned(), named)].into();
    let record = record_of(INVITATION, &draft, &ContactBook::default(), files, &settings, (at, "press"));
    store.add_release(record).await.unwrap();

    let (yesterday, tomorrow) = (at - Duration::days(1), at + Duration::days(1));
    assert_eq!(drop_attachments(&store, &blobs, yesterday).await.unwrap(), 0);
    assert_eq!(blobs.size(&loose.sha256).await.unwrap(), Some(5));
    assert_eq!(drop_attachments(&store, &blobs, tomorrow).await.unwrap(), 1);
    assert_eq!(blobs.size(&loose.sha256).await.unwrap(), None);
    assert_eq!(blobs.read(&named.sha256).await.unwrap(), b"programme");
}
