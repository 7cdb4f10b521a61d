//! An import can be repeated: the same file changes nothing, and after a failure it continues where it stopped.

use std::sync::Arc;

use depesch::store::Store;
use depesch::store::memory::MemoryEngine;
use depesch::subscribers::import::ImportError;

use crate::support::failing::{Count, FailingEngine, Failure};
use crate::support::people::{everything, import_text, put_lists, store};

fn file(rows: usize) -> String {
    let row = |n| format!("reader{n}@example.org,Reader {n},en,\"b, a\",x{n}\n");
    "email,name,language,beats,code\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    let store = store().await;
    let file = file(1200);
    assert_eq!(import_text(&store, &file).await.summary.unwrap().created, 1200);
    let before = everything(&store).await;
    let again = import_text(&store, &file).await.summary.unwrap();
    assert_eq!((again.unchanged, again.updated, again.created), (1200, 0, 0));
    assert_eq!(everything(&store).await, before);
}

#[tokio::test]
async fn a_failing_store_stops_it_and_the_next_run_completes_it() {
    for failure in [Failure::Before, Failure::After] {
        for at in 1..6 {
            let engine = Arc::new(FailingEngine::over(Arc::new(MemoryEngine::new())));
            let store = Store::new(engine.clone());
            put_lists(&store).await;
            engine.fail_at(Count::Commits, at, failure);
            let file = file(900);
            let first = import_text(&store, &file).await;
            let failed = matches!(first.summary, Err(ImportError::Store(_)));
            // Three commits: the numbers and two batches.
            assert_eq!(failed, at <= 3, "{failure:?} at {at}: {:?}", first.summary);
            let second = import_text(&store, &file).await.summary.unwrap();
            assert_eq!(second.rows, second.created + second.unchanged);
            let all = store.scan_subscribers(depesch::base::id::SubscriberId(0), 5000).await.unwrap();
            assert_eq!(all.len(), 900);
            let events = all.iter().flat_map(|s| s.value.subscriptions.values()).map(|s| s.events.len());
            assert_eq!(events.sum::<usize>(), 900);
        }
    }
}

#[tokio::test]
async fn acknowledged_work_is_done() {
    use crate::support::people::{key, settings};
    let inner = Arc::new(MemoryEngine::new());
    let engine = Arc::new(FailingEngine::over(inner.clone()));
    let store = Store::new(engine.clone());
    put_lists(&store).await;
    engine.fail_at(Count::Commits, 4, Failure::Before);
    let (events, mut told) = tokio::sync::mpsc::channel(1000);
    let source = futures_util::stream::iter([Ok::<_, std::io::Error>(file(3000).into_bytes())]);
    let at = crate::support::mailings::minute(10);
    depesch::subscribers::import::import(&store, &key(), settings(), at, source, &events).await.unwrap_err();
    drop(events);
    let mut acknowledged = 0;
    while let Some(event) = told.recv().await {
        if let depesch::subscribers::import::ImportEvent::Progress { rows, .. } = event {
            acknowledged = rows;
        }
    }
    let kept = Store::new(inner).scan_subscribers(depesch::base::id::SubscriberId(0), 5000).await.unwrap().len();
    assert!(acknowledged > 0 && kept as u64 >= acknowledged, "{kept} kept, {acknowledged} acknowledged");
}

#[tokio::test]
async fn an_interrupted_file_is_incomplete() {
    use crate::support::people::{key, settings};
    let store = store().await;
    let (events, _told) = tokio::sync::mpsc::channel(1000);
    let half = b"email\nkarin@example.org\nbo@example.or".to_vec();
    let source = futures_util::stream::iter([Ok(half), Err(std::io::Error::other("cut"))]);
    let at = crate::support::mailings::minute(10);
    let broken = depesch::subscribers::import::import(&store, &key(), settings(), at, source, &events).await;
    assert!(matches!(broken, Err(ImportError::Source(_))));
    assert!(crate::support::people::subscriber(&store, "bo@example.or").await.is_none());
}
