//! `depesch status`.

use crate::api::status::{MailingInWork, QueueStatus, Status};

use super::times::Times;
use super::{CliError, Context, Done};

/// Show whether the daemon is well
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  all is well
  1  something needs attention: the relay is in trouble, a backup failed, a mailing is paused, or not approved in time
  3  the daemon cannot be reached

Examples:
  depesch status
  depesch status --json")]
pub struct StatusCommand {}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(_command: StatusCommand, context: &Context) -> Result<Done, CliError> {
    let status: Status = context.client.get("/v1/status").await?;
    let done = if status.well { Done::Fully } else { Done::Partly };
    let output = &context.output;
    if output.is_json() {
        output.json(&status)?;
        return Ok(done);
    }
    output.fields(&fields(&status, output.times))?;
    if !status.mailings.is_empty() {
        output.line("")?;
        output.table(
            &["mailing", "stage", "at", "settled", "paused"],
            status.mailings.iter().take(MAILINGS).map(|one| row(one, output.times)),
        )?;
        if status.mailings.len() > MAILINGS {
            output.line(&format!("and {} more: depesch mailing list", status.mailings.len() - MAILINGS))?;
        }
    }
    Ok(done)
}

/// Maximum number of mailings shown, so that everything fits on one screen.
const MAILINGS: usize = 8;

fn fields(status: &Status, times: Times) -> Vec<(&'static str, String)> {
    let mut fields = vec![("depesch", if status.well { "is well".to_owned() } else { "needs attention".to_owned() })];
    fields.extend(status.problems.iter().map(|problem| ("  !", problem.clone())));
    let (sent, queue, inbound, notices) = (&status.since_start, &status.queue, &status.inbound, &status.notices);
    fields.extend([
        ("version", format!("{}, process {}, since {}", status.version, status.process, times.instant(status.started))),
        ("sends by", status.transport.clone()),
        ("queue", words_of_queue(queue, times)),
        (
            "since start",
            format!(
                "{} accepted, {} deferred, {} failed, {} suppressed, {} uncertain",
                sent.accepted, sent.deferred, sent.failed, sent.suppressed, sent.uncertain
            ),
        ),
        (
            "notices",
            format!(
                "{} waiting; since start {} accepted, {} failed",
                notices.waiting, notices.accepted, notices.failed
            ),
        ),
        (
            "mail in",
            format!("{} waiting, {} stuck; {} connections", inbound.waiting, inbound.stuck, inbound.connections),
        ),
    ]);
    for rest in &status.resting {
        fields.push(("rests", format!("{} until {}", rest.domain, times.instant(rest.until))));
    }
    if let Some(trouble) = &status.trouble {
        let next = trouble.next_try.map(|at| format!("; next try {}", times.instant(at))).unwrap_or_default();
        fields.push(("trouble", format!("{}{next}", trouble.what)));
    }
    fields.push(("state", status.state_directory.clone()));
    if let Some(disk) = &status.disk {
        let checkpoint = disk.checkpoint.map_or("none yet".to_owned(), |at| times.instant(at));
        let (free, journal, index) = (bytes(disk.free), bytes(disk.journal), bytes(disk.index));
        let spool = bytes(disk.spool);
        fields.push(("disk", format!("{free} free; journal {journal}, index {index}, mail in {spool}")));
        fields.push(("checkpoint", checkpoint));
    }
    if let Some(checked) = status.index.as_ref().and_then(|index| index.checked) {
        fields.push(("index", format!("compared with the journal {}", times.instant(checked))));
    }
    if let Some(backup) = &status.backup {
        let newest = backup.newest.map_or("none yet".to_owned(), |at| times.instant(at));
        fields.push(("backup", format!("{newest}, in {}", backup.directory)));
    }
    let next = status.jobs.iter().filter_map(|job| Some((job.next?, &job.name))).min();
    if let Some((at, name)) = next {
        fields.push(("next job", format!("{name}, {}", times.instant(at))));
    }
    if status.mailings.is_empty() {
        fields.push(("mailings", "none open".to_owned()));
    }
    fields
}

fn words_of_queue(queue: &QueueStatus, times: Times) -> String {
    let oldest = queue.oldest_due.map(|at| format!("; due since {}", times.instant(at))).unwrap_or_default();
    format!("{} waiting, {} being sent, {} deferred{oldest}", queue.waiting, queue.in_doubt, queue.deferred)
}

/// Formats a number of bytes, e.g. `1.5 GB`.
fn bytes(bytes: u64) -> String {
    let (mut number, mut unit) = (bytes as f64, "B");
    for next in ["kB", "MB", "GB", "TB"] {
        if number < 1000.0 {
            break;
        }
        (number, unit) = (number / 1000.0, next);
    }
    match number < 10.0 && unit != "B" {
        true => format!("{number:.1} {unit}"),
        false => format!("{number:.0} {unit}"),
    }
}

fn row(mailing: &MailingInWork, times: Times) -> [String; 5] {
    let settled = match (mailing.settled, mailing.audience) {
        (Some(settled), Some(audience)) => format!("{settled} of {audience}"),
        _ => String::new(),
    };
    let approval = if mailing.approval_missing { "not approved" } else { "" };
    [
        mailing.id.clone(),
        mailing.stage.clone(),
        times.instant(mailing.at),
        settled,
        mailing.paused.clone().unwrap_or_else(|| approval.to_owned()),
    ]
}
