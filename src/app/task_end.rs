//! Waits for a task that was told to stop.

use tokio::task::JoinHandle;

/// Returns once the task has ended; if it panicked, logs so under the name `what`.
pub(super) async fn ended(task: JoinHandle<()>, what: &str) {
    if let Err(error) = task.await {
        tracing::error!(%error, "{what} ended unexpectedly");
    }
}
