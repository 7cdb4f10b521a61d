//! `depesch status`.

use crate::control::status::{MailingInWork, Status};

use super::output::instant;
use super::{CliError, Context, Done};

/// Show whether the daemon is well
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  all is well
  1  something needs a person: the relay is in trouble, a backup failed, a mailing is paused, or not approved in time
  3  the daemon cannot be reached

Examples:
  depesch status
  depesch status --json")]
pub struct StatusCommand {}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(_command: StatusCommand, context: &Context) -> Result<Done, CliError> {
    let status: Status = context.client.get("/v1/status").await?;
    let done = if status.well { Done::Fully } else { Done::Partly };
    let output = &context.output;
    if output.is_json() {
        output.json(&status)?;
        return Ok(done);
    }
    let sent = &status.since_start;
    let mut fields = vec![
        ("version", format!("{} (process {})", status.version, status.process)),
        ("started", instant(status.started)),
        ("state", status.state_directory),
        ("sends by", status.transport),
        (
            "since start",
            format!(
                "{} accepted, {} deferred, {} failed, {} suppressed, {} uncertain",
                sent.accepted, sent.deferred, sent.failed, sent.suppressed, sent.uncertain
            ),
        ),
    ];
    let letters = &status.letters;
    let words =
        format!("{} waiting; since start {} accepted, {} failed", letters.waiting, letters.accepted, letters.failed);
    fields.push(("letters", words));
    if let Some(backup) = &status.backup {
        let newest = backup.newest.map_or("none yet".to_owned(), instant);
        let failure =
            backup.failure.as_ref().map(|why| format!("; the last attempt failed: {why}")).unwrap_or_default();
        fields.push(("backup", format!("{newest}, in {}{failure}", backup.directory)));
    }
    if let Some(trouble) = &status.trouble {
        let next = trouble.next_try.map(|at| format!("; next try {}", instant(at))).unwrap_or_default();
        fields.push(("trouble", format!("{}{next}", trouble.what)));
    }
    if status.mailings.is_empty() {
        fields.push(("mailings", "none in work".to_owned()));
    }
    output.fields(&fields)?;
    if !status.mailings.is_empty() {
        output.line("")?;
        output.table(&["mailing", "stage", "at", "settled", "held back"], status.mailings.iter().map(row))?;
    }
    Ok(done)
}

fn row(mailing: &MailingInWork) -> [String; 5] {
    let settled = match (mailing.settled, mailing.audience) {
        (Some(settled), Some(audience)) => format!("{settled} of {audience}"),
        _ => String::new(),
    };
    let approval = if mailing.approval_missing { "not approved" } else { "" };
    [
        mailing.id.clone(),
        mailing.stage.clone(),
        instant(mailing.at),
        settled,
        mailing.paused.clone().unwrap_or_else(|| approval.to_owned()),
    ]
}
