//! Compares the index with the journal while the daemon runs: slowly, all of it twice a day. A
//! difference, or an unreadable part, makes the index be rebuilt (see `store::embedded::checking`).
//! Each start compares it as well.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::store::Store;
use crate::store::engine::EngineError;
use crate::store::maintenance::CheckStep;

/// Time from the end of one comparison to the start of the next.
const BETWEEN: Duration = Duration::from_secs(12 * 3600);
/// Interval between checks whether a comparison is due; a clock jump delays it no longer than this.
const LOOK: Duration = Duration::from_secs(60);
/// Pause between two steps of 500 records: a million records take seven minutes.
const PAUSE: Duration = Duration::from_millis(200);

/// Compares the index repeatedly, until `stop` completes.
pub(crate) async fn keep_checked(store: Store, clock: Arc<dyn Clock>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    // The start has just compared it.
    let (mut last, mut under_way) = (clock.now(), false);
    loop {
        let pause = if under_way { PAUSE } else { LOOK };
        tokio::select! {
            () = &mut stop => return,
            () = clock.wait_for(pause) => {}
        }
        // A clock that was set back makes one due as well: better once too often.
        let is_due = (clock.now() - last).to_std().map_or(true, |passed| passed >= BETWEEN);
        if !under_way && !is_due {
            continue;
        }
        match store.maintenance().check_some().await {
            Ok(CheckStep::More) => under_way = true,
            Ok(CheckStep::Whole(records)) => {
                tracing::debug!(records, "the index of the store was compared with the journal: it is whole");
                (last, under_way) = (clock.now(), false);
            }
            Ok(CheckStep::Nothing) => (last, under_way) = (clock.now(), false),
            // Already logged, and repaired now or soon: then compare again.
            Err(EngineError::Damaged(_)) => (last, under_way) = (clock.now(), false),
            // The store has stopped, which also ends the daemon.
            Err(_) => under_way = false,
        }
    }
}
