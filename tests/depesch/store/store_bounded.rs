//! However much is written between two scheduled checkpoints, the journal stays within bounds.

use std::sync::Arc;

use chrono::Duration;
use depesch::app::checkpoints::keep_bounded;
use depesch::base::clock::FakeClock;
use depesch::store::Store;
use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, Engine, Key};

use crate::support::mailings::minute;

#[tokio::test]
async fn a_checkpoint_is_written_within_a_minute_of_being_due_by_size() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        create: true,
        reserve_bytes: 0,
        segment_bytes: 2_000,
        checkpoint_bytes: 10_000,
        ..Settings::default()
    };
    let engine = Arc::new(EmbeddedEngine::open(directory.path(), settings).unwrap().engine);
    let clock = FakeClock::at(minute(0));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let until = async {
        let _ = stopped.await;
    };
    let bounding = tokio::spawn(keep_bounded(Store::new(engine.clone()), Arc::new(clock.clone()), until));
    let segments = || std::fs::read_dir(directory.path().join("journal")).unwrap().count();
    // The same hundred records again and again, whose size does not grow.
    for round in 0..4u8 {
        for number in 0..100u32 {
            let mut batch = Batch::new();
            batch.put(Key(format!("n{number:03}").into_bytes()), vec![round; 200]);
            engine.commit(batch).await.unwrap();
        }
        assert!(engine.checkpoint_due());
        while engine.checkpoint_due() {
            clock.advance(Duration::seconds(10));
            tokio::task::yield_now().await;
        }
    }
    stop.send(()).unwrap();
    bounding.await.unwrap();
    // Four rounds write some fifty segments; those since the older of the two checkpoints remain.
    assert!(segments() < 35, "{}", segments());
    engine.close().unwrap();
}
