//! Why a command failed: its exit code, and how to fix it.

use std::path::PathBuf;

use crate::api::client::ClientError;
use crate::app::StartError;
use crate::app::service::ServiceError;
use crate::store::embedded::OpenError;

/// The failure of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Wrong usage; the text says how to correct it. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The daemon cannot be reached, or it refused. Exit codes 3, 4, 5.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file cannot be read or written. Exit code 2 when it does not exist, else 5.
    #[error("{path} cannot be {action}: {error}")]
    File {
        /// `read` or `written`.
        action: &'static str,
        /// Its path.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// The output was closed by its reader. Not an error: exit code 0.
    #[error("the output was closed")]
    Closed,
    /// The daemon did not start, or cannot continue. Exit code 2 when the configuration is at fault, 6 when the store
    /// is missing or damaged in a way that no start repairs, else 5.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Anything else. Exit code 5.
    #[error("{0}")]
    Internal(String),
}

impl CliError {
    /// Its exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            CliError::Closed => 0,
            CliError::Usage(_) | CliError::Client(ClientError::Input(_)) => 2,
            CliError::File { error, .. } if error.kind() == std::io::ErrorKind::NotFound => 2,
            CliError::Client(ClientError::Unreachable { .. }) => 3,
            CliError::Client(ClientError::Refused(refusal)) if refusal.status < 500 => 4,
            CliError::Service(error) if error.is_configuration() => 2,
            CliError::Service(error) if error.needs_recovery() => 6,
            CliError::Client(_) | CliError::File { .. } | CliError::Service(_) | CliError::Internal(_) => 5,
        }
    }

    /// How to fix it, if known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            CliError::Client(ClientError::Unreachable { reason, .. }) if reason.contains("ermission denied") => Some(
                "You are not allowed to open the socket: see control.mode and control.group in depesch.toml.".to_owned(),
            ),
            CliError::Client(ClientError::Unreachable { .. }) => Some(
                "Start it with \u{201c}systemctl start depesch\u{201d} or \u{201c}depesch serve\u{201d}, or name its \
                 socket with --socket PATH."
                    .to_owned(),
            ),
            CliError::Client(ClientError::Refused(refusal)) => refusal.hint.clone(),
            CliError::Service(ServiceError::Start(StartError::Open(OpenError::Absent(_)))) => Some(
                "If this is the first start, create an empty store with \u{201c}depesch serve --create\u{201d}; if not, \
                 check whether the store's disk is mounted."
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
