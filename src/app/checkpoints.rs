//! Checkpoints by size, beside those by time: so that a large import does not leave a journal without bounds, which a
//! start after a crash would have to read.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::store::embedded::EmbeddedEngine;

/// How often is looked: cheap, two counters are compared.
const EVERY: Duration = Duration::from_secs(60);
/// How soon a failed checkpoint is tried again.
const AFTER_FAILURE: Duration = Duration::from_secs(10 * 60);

/// Writes a checkpoint whenever so much was written since the last one that it is due, until `stop` completes. A
/// checkpoint that has begun is awaited.
pub async fn keep_bounded(engine: Arc<EmbeddedEngine>, clock: Arc<dyn Clock>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut pause = EVERY;
    loop {
        tokio::select! {
            () = &mut stop => return,
            () = clock.wait_for(pause) => {}
        }
        pause = EVERY;
        if !engine.checkpoint_due() {
            continue;
        }
        match engine.checkpoint().await {
            Ok(done) => tracing::info!(
                records = done.records,
                bytes = done.bytes,
                dropped_segments = done.dropped_segments,
                lost_to_backups = done.lost_to_backups,
                "much was written: wrote a checkpoint"
            ),
            Err(error) => {
                tracing::error!(%error, "a checkpoint that is due by size failed; it is tried again in ten minutes");
                pause = AFTER_FAILURE;
            }
        }
    }
}
