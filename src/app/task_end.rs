//! Waiting for a task that was told to stop.

use tokio::task::JoinHandle;

/// Returns once the task is over; if it panicked, the log says so and calls it `what`.
pub(super) async fn ended(task: JoinHandle<()>, what: &str) {
    if let Err(error) = task.await {
        tracing::error!(%error, "{what} ended badly");
    }
}
