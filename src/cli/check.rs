//! `depesch check`: the daemon's health in the form of monitoring plugins (Monitoring Plugins Development Guidelines,
//! "Plugin Output", "Plugin Return Codes").

use std::time::Duration;

use crate::api::client::ClientError;
use crate::api::status::Status;

use super::{CliError, Context, Done};

/// Check the daemon's health, as a plugin for Nagios, Icinga and similar programs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  OK
  1  WARNING: something needs attention
  2  CRITICAL: mail is not sent, not received, or soon will not be; or no daemon answers in time
  3  UNKNOWN: the daemon could not be queried

Examples:
  depesch check
  depesch check --timeout 30")]
pub struct CheckCommand {
    /// Seconds without an answer until CRITICAL
    #[arg(long, short = 't', default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Closed`] only: everything else is a result.
pub(crate) async fn run(command: CheckCommand, context: &Context) -> Result<Done, CliError> {
    let asked = context.client.get::<Status>("/v1/status");
    match tokio::time::timeout(Duration::from_secs(command.timeout), asked).await {
        Err(_) => say(context, 2, &format!("no answer within {} s", command.timeout), &[], ""),
        Ok(Err(error @ ClientError::Unreachable { .. })) if !error.to_string().contains("ermission denied") => {
            say(context, 2, &error.to_string(), &[], "")
        }
        Ok(Err(error)) => say(context, 3, &error.to_string(), &[], ""),
        Ok(Ok(status)) => {
            let code = if status.critical { 2 } else { u8::from(!status.well) };
            let first = status.problems.first().cloned();
            let first = first.unwrap_or_else(|| format!("{} open mailings", status.mailings.len()));
            say(context, code, &first, status.problems.get(1..).unwrap_or_default(), &numbers(&status))
        }
    }
}

/// Reports an error before the daemon was queried: UNKNOWN.
pub(crate) fn unknown(error: &CliError, context_json: bool) {
    let text = error.to_string().replace('\n', "; ").replace('|', "/");
    if context_json {
        println!("{}", serde_json::json!({ "state": "UNKNOWN", "problems": [text] }));
    } else {
        println!("DEPESCH UNKNOWN - {text}");
    }
}

fn say(context: &Context, code: u8, first: &str, more: &[String], numbers: &str) -> Result<Done, CliError> {
    // A bar would start the performance data.
    let clean = |text: &str| text.replace('\n', "; ").replace('|', "/");
    let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(code.min(3))];
    let output = &context.output;
    if output.is_json() {
        let problems: Vec<String> =
            (code > 0).then(|| first.to_owned()).into_iter().chain(more.iter().cloned()).collect();
        output.json(&serde_json::json!({ "state": word, "problems": problems }))?;
        return Ok(Done::Code(code));
    }
    let numbers = if numbers.is_empty() { String::new() } else { format!(" | {numbers}") };
    output.line(&format!("DEPESCH {word} - {}{numbers}", clean(first)))?;
    more.iter().try_for_each(|problem| output.line(&clean(problem)))?;
    Ok(Done::Code(code))
}

/// Performance data: `label=value[unit];[warning];[critical];[minimum];[maximum]`.
fn numbers(status: &Status) -> String {
    let queue = &status.queue;
    let mut numbers = vec![
        format!("waiting={};;;0", queue.waiting),
        format!("deferred={};;;0", queue.deferred),
        format!("uncertain={};0;;0", queue.uncertain),
        format!("inbound_waiting={};;;0", status.inbound.waiting),
        format!("inbound_stuck={};0;;0", status.inbound.stuck),
        format!("notices_waiting={};;;0", status.notices.waiting),
        format!("accepted={}c", status.since_start.accepted),
        format!("failed={}c", status.since_start.failed),
    ];
    if let Some(disk) = status.disk.as_ref().filter(|disk| disk.usable > 0) {
        let percent = 100.0 * disk.free as f64 / disk.usable as f64;
        numbers.push(format!("disk_free={percent:.1}%;10:;5:;0;100"));
        numbers.push(format!("disk_free_bytes={}B;;;0;{}", disk.free, disk.usable));
    }
    numbers.join(" ")
}
