//! Why a daemon does not start, and whether a retry may help.

use std::path::PathBuf;

use crate::api::server::ServerError;
use crate::config::secret::SecretError;
use crate::mail::command::CommandsError;
use crate::mail::reply::ReplyReaderError;
use crate::model::classify::RulesError;
use crate::model::recurrence::RecurrenceError;
use crate::smtp::listener::ListenError;
use crate::store::StoreError;
use crate::store::embedded::OpenError;
use crate::store::spool::SpoolError;
use crate::transport::relay::RelayError;

/// Why the daemon did not start. Everything opened is closed again.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration, or a file that it names, is wrong: all errors at once.
    #[error("{}", listed(.0))]
    Configuration(Vec<StartError>),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool of mail that comes in cannot be opened.
    #[error("the spool: {0}")]
    Spool(#[from] SpoolError),
    /// Mail cannot be listened for.
    #[error("mail in: {0}")]
    Listen(#[from] ListenError),
    /// The certificate for incoming mail cannot be read.
    #[error("mail in: {0}")]
    Certificate(SecretError),
    /// The control socket cannot be opened.
    #[error(transparent)]
    ApiState(#[from] ServerError),
    /// The relay's password cannot be read.
    #[error("relay: {0}")]
    Secret(#[from] SecretError),
    /// The relay's settings are invalid.
    #[error("relay: {0}")]
    Relay(#[from] RelayError),
    /// A job's schedule is invalid.
    #[error("{key}: {error}")]
    Times {
        /// The configuration key.
        key: &'static str,
        /// What is wrong.
        error: RecurrenceError,
    },
    /// The templates cannot be used.
    #[error("{0}")]
    Templates(String),
    /// The words of decisions about posts cannot be read.
    #[error(transparent)]
    Words(#[from] ReplyReaderError),
    /// The rules that classify refusals cannot be read.
    #[error("the rules of refusals: {0}")]
    Rules(#[from] RulesError),
    /// The words of commands by mail cannot be read.
    #[error("{0}")]
    Commands(#[from] CommandsError),
    /// The state directory cannot be created.
    #[error("the state directory {path} cannot be made: {error}")]
    Directory {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
}

fn listed(wrong: &[StartError]) -> String {
    let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl StartError {
    /// Whether the store is missing or damaged in a way that no start repairs, so that a retry is useless.
    pub(crate) fn needs_recovery(&self) -> bool {
        matches!(self, Self::Open(error) if error.needs_a_person())
    }

    /// Whether the configuration is the cause, so that a retry is useless.
    pub(crate) fn is_configuration(&self) -> bool {
        match self {
            Self::Secret(_) | Self::Certificate(_) | Self::Relay(_) | Self::Times { .. } | Self::Templates(_) => true,
            Self::Configuration(wrong) => wrong.iter().any(Self::is_configuration),
            Self::ApiState(error) => matches!(error, ServerError::NoGroup(_) | ServerError::NoSocket(_)),
            Self::Listen(error) => !matches!(error, ListenError::Bind { .. }),
            Self::Open(_) | Self::Store(_) | Self::Spool(_) | Self::Directory { .. } => false,
            Self::Rules(_) | Self::Words(_) | Self::Commands(_) => false,
        }
    }
}
