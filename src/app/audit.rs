//! What the daemon itself writes to the audit log: start, stop and reload; and the daily job that
//! verifies the chain.

use std::path::Path;

use crate::audit::{AuditLog, AuditNote, take_notes};
use crate::base::token::{content_hash, to_hex};
use crate::config::{Config, Loaded};
use crate::model::recurrence::Recurrence;
use crate::operations::jobs::Job;
use crate::store::StoreError;

use super::StartError;

/// When the chain is verified and its head is logged: a cron expression.
const LOOK: &str = "47 3 * * *";

/// Records the start, after what commands did to the files while the daemon was stopped.
pub(crate) async fn started(log: &AuditLog, state_directory: &Path) -> Result<(), StoreError> {
    take_notes(log, state_directory).await?;
    let detail = concat!("version ", env!("CARGO_PKG_VERSION"));
    log.append(&AuditNote::of_daemon("daemon start", "", detail)).await?;
    Ok(())
}

/// Records the stop. A failure to write the entry is logged and does not delay the stop.
pub(crate) async fn stopped(log: &AuditLog) {
    if let Err(error) = log.append(&AuditNote::of_daemon("daemon stop", "", "")).await {
        tracing::warn!(%error, "the stop could not be recorded in the audit log");
    }
}

/// Notes that the configuration was read again, whether it was taken over, and a hash of its lines as `config show` prints
/// them: equal hashes, equal settings.
pub(crate) async fn reloaded(log: &AuditLog, config: Option<(&Loaded, bool)>) {
    let detail = match config {
        Some((config, taken)) => {
            let lines: String = config.entries.iter().map(|one| format!("{} = {}\n", one.key, one.value)).collect();
            let hash = to_hex(&content_hash(lines.as_bytes())[..16]);
            format!("configuration {hash} {}", if taken { "taken over" } else { "refused" })
        }
        None => "configuration refused: it cannot be read".to_owned(),
    };
    let note = AuditNote::of_daemon("daemon reload", "", detail);
    if let Err(error) = log.append(&note).await {
        tracing::error!(%error, "a reload could not be recorded in the audit log");
    }
}

/// The daily job that verifies the chain and writes its head to the daemon's log, where a user who
/// can change the store cannot change it.
pub(crate) fn job(config: &Config, log: &AuditLog) -> Result<Job, StartError> {
    let key = "audit";
    let times = Recurrence::new(LOOK, &config.schedule.zone).map_err(|error| StartError::Times { key, error })?;
    let log = log.clone();
    Ok(Job::new(key, times, move || {
        let log = log.clone();
        Box::pin(async move {
            let verified = log.verify(None).await.map_err(|error| error.to_string())?;
            Ok(match verified.chain {
                Ok(whole) => format!("verified the audit log: {} entries, head {}", whole.entries, whole.head),
                Err(broken) => {
                    tracing::error!(
                        "the chain of the audit log is broken: {broken}; see \u{201c}depesch audit verify\u{201d}"
                    );
                    "verified the audit log: the chain is broken".to_owned()
                }
            })
        })
    }))
}
