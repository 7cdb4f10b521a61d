//! Why an engine failed, and what its methods return.

use std::future::Future;
use std::pin::Pin;

/// Why an engine failed, and so whether to retry.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing was changed. Wait briefly and retry.
    #[error("the store could not be {action}: {reason}")]
    Unavailable {
        /// `read`, `written` and so on.
        action: &'static str,
        /// The operating system's message.
        reason: String,
    },
    /// A commit may have been applied, or may appear as applied after a restart: read the stored state before deciding
    /// anything.
    #[error("the store could not be {action}, and whether it was written is not known: {reason}")]
    Ambiguous {
        /// `written` and so on.
        action: &'static str,
        /// The operating system's message.
        reason: String,
    },
    /// The disk is full. Nothing was written; retry once there is disk space.
    #[error("the disk of the store is full: {0}")]
    Full(String),
    /// The data read are damaged.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The batch is not admissible: a key or value is too large, or a key is reserved. Nothing was written.
    #[error("the store does not take this: {0}")]
    Refused(String),
    /// This engine cannot do that, whatever the state of its data.
    #[error("this kind of store {0}")]
    Unsupported(&'static str),
    /// The engine has stopped, either normally or after an error it cannot recover from.
    #[error("the store has stopped: {0}")]
    Stopped(String),
}

impl EngineError {
    /// Whether a loop may wait briefly and continue: its next step begins with a read, which shows whether an
    /// unacknowledged commit was applied.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Ambiguous { .. } | Self::Full(_))
    }
}

/// What an engine's methods return.
pub type EngineFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>;
