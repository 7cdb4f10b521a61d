//! `depesch backup restore`: reports what was restored, or would be, and what is missing.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::clock::Clock;
use crate::cli::store::leave_audit_note;
use crate::cli::{CliError, Context, Done};
use crate::operations::restore::{Restoration, RestoreError, Restored, rehearse, restore};
use crate::store::backup::restore::Extent;

use super::{bar, failed, fault_json, show_faults};

/// Restores, or reports what restoring would do.
///
/// # Errors
/// [`CliError`].
pub(super) async fn bring_back(
    pending: &Restoration,
    dry_run: bool,
    clock: Arc<dyn Clock>,
    context: &Context,
) -> Result<Done, CliError> {
    let restored = match dry_run {
        true => rehearse(pending, bar("reading")).await,
        false => restore(pending, clock, bar("restoring")).await,
    };
    let restored = restored.map_err(|error| match error {
        RestoreError::Backup(error) => failed(error),
        RestoreError::Later(_) => CliError::Usage(error.to_string()),
        RestoreError::Damaged(_) | RestoreError::Person(_) | RestoreError::Check(_) => {
            CliError::Internal(error.to_string())
        }
    })?;
    if !dry_run {
        let Restored { point, faults, missing, .. } = &restored;
        let mut detail = format!("as of group {} of backup {}", point.group, point.backup);
        if !restored.is_whole() {
            detail += &format!("; in part: {} files were damaged, {} are missing", faults.len(), missing.len());
        }
        leave_audit_note(&pending.target, "backup restore", &detail);
    }
    if context.output.is_json() {
        context.output.json(&restored_json(&restored, pending, dry_run))?;
    } else {
        show_restored(&restored, pending, dry_run, context)?;
    }
    Ok(if restored.is_whole() { Done::Fully } else { Done::Partly })
}

fn restored_json(restored: &Restored, pending: &Restoration, dry_run: bool) -> Value {
    let Restored { point, records, faults, exact, missing, unread, occupied, aside, later, held } = restored;
    let mailings: Vec<String> = held.mailings.iter().map(ToString::to_string).collect();
    let [faults, unread] = [faults, unread].map(|faults| faults.iter().map(fault_json).collect::<Vec<Value>>());
    json!({
        "dry_run": dry_run, "directory": pending.target, "backup": point.backup, "group": point.group, "at": point.at,
        "records": records, "exact": exact, "faults": faults, "missing": missing, "unread": unread,
        "occupied": occupied, "aside": aside,
        "later": later.as_ref().map(|(backup, done)| json!({
            "backup": backup, "suppressed": done.suppressed, "left": done.left, "erased": done.erased,
        })),
        "held": { "mailings": mailings, "notices": held.notices, "inbound": held.inbound },
    })
}

fn show_restored(restored: &Restored, pending: &Restoration, dry_run: bool, context: &Context) -> Result<(), CliError> {
    let Restored { point, records, faults, exact, missing, occupied, aside, later, held, .. } = restored;
    let output = &context.output;
    show_faults(faults, context)?;
    let at = output.times.instant(point.at.unwrap_or(point.created));
    let (target, group) = (pending.target.display(), point.group);
    if dry_run {
        if let Some(path) = occupied {
            let path = path.display();
            output.line(&format!(
                "{path} exists: use --aside to move the store there aside, or --into for another place."
            ))?;
        }
        match (faults.is_empty(), pending.extent) {
            (true, _) => output.line(&format!(
                "Would restore {records} records as of {at} (group {group}) to {target}; all is intact."
            ))?,
            (false, Extent::Whole) => {
                output.line("The backup is damaged: use --partial to restore the intact part.")?
            }
            (false, Extent::Partial) => output.line(&format!(
                "Would restore the intact part as of {at} (group {group}) to {target}; the above is damaged."
            ))?,
        }
        show_unread(restored, context)?;
        return match later {
            Some((backup, _)) => output.line(&format!(
                "What people did after that (unsubscribed, suppressed, erased) would be applied again, from backup {backup}."
            )),
            None => Ok(()),
        };
    }
    output.line(&format!("Restored {records} records as of {at} (group {group}) to {target}."))?;
    if let Some(aside) = aside {
        output.line(&format!(
            "The previous store is in {}: remove it when it is not needed any more.",
            aside.display()
        ))?;
    }
    if let (false, Some(mark)) = (*exact, point.mark) {
        let should = mark.fingerprint.records;
        output.line(&format!(
            "Records are missing or changed: the backup had {should}. People who unsubscribed or were suppressed \
             by lost changes may be subscribed again."
        ))?;
    } else if !exact {
        output.line("Records are missing: see the damaged files above.")?;
    } else if !faults.is_empty() {
        output.line("The records are exactly those of the backup.")?;
    }
    for line in missing {
        output.line(&format!("Missing: {line}"))?;
    }
    show_unread(restored, context)?;
    if let Some((backup, done)) = later {
        output.line(&format!(
            "Applied again, from backup {backup}: {} suppressions, {} subscriptions that were ended or paused, {} erasures.",
            done.suppressed, done.left, done.erased
        ))?;
    }
    let mailings: Vec<String> = held.mailings.iter().map(ToString::to_string).collect();
    output.line(&format!(
        "Held, because it is unknown what was sent after that: {} mailings{}{}; {} notices were given up, {} incoming \
         messages were set aside.",
        mailings.len(),
        if mailings.is_empty() { "" } else { ": " },
        mailings.join(" "),
        held.notices,
        held.inbound
    ))?;
    output.line("The old daemon must never run again beside this one: both would send.")
}

/// Reports later backups that cannot be read, and the consequences.
fn show_unread(restored: &Restored, context: &Context) -> Result<(), CliError> {
    show_faults(&restored.unread, context)?;
    if restored.unread.is_empty() {
        return Ok(());
    }
    context.output.line(
        "These later backups cannot be read: people who unsubscribed, were suppressed or erased by then, and are in no other \
         later backup, are restored. Enter that again.",
    )
}
