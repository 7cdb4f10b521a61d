//! Checkpoints by size, beside those by time, so that a large import does not leave an unbounded
//! journal that a start after a crash would have to read.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::store::Store;

/// Interval between checks; each compares only two counters.
const EVERY: Duration = Duration::from_secs(60);
/// Delay before a failed checkpoint is retried.
const AFTER_FAILURE: Duration = Duration::from_secs(10 * 60);

/// Writes a checkpoint whenever the journal written since the last one reaches the limit, until
/// `stop` completes. A checkpoint that has begun is awaited.
pub async fn keep_bounded(store: Store, clock: Arc<dyn Clock>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut pause = EVERY;
    loop {
        tokio::select! {
            () = &mut stop => return,
            () = clock.wait_for(pause) => {}
        }
        pause = EVERY;
        if !store.maintenance().checkpoint_due() {
            continue;
        }
        match store.maintenance().checkpoint().await {
            Ok(None) => {}
            Ok(Some(done)) => tracing::info!(
                records = done.records,
                bytes = done.bytes,
                dropped_segments = done.dropped_segments,
                lost_to_backups = done.lost_to_backups,
                "much was written: wrote a checkpoint"
            ),
            Err(error) => {
                tracing::error!(%error, "a checkpoint due by size failed; it is retried in ten minutes");
                pause = AFTER_FAILURE;
            }
        }
    }
}
