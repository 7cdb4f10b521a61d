//! `depesch mailing report`.

use crate::api::mailing::report::{DeliveriesEnd, LaterView, ReportView};
use crate::api::mailing::view::{COLUMNS, DeliveryView, csv_line};
use crate::base::id::MailingId;

use super::super::output::note;
use super::super::{CliError, Context, Done};
use super::show::{count_fields, fields, reply_words};

/// The options of `report`.
#[derive(Debug, clap::Args)]
pub struct ReportOptions {
    /// The mailing
    id: MailingId,
    /// Print every delivery as CSV; with --json as lines of JSON
    #[arg(long)]
    csv: bool,
    /// Only deliveries in this state, one by one
    #[arg(long, value_parser = ["waiting", "in-doubt", "accepted", "deferred", "failed", "suppressed",
        "cancelled", "uncertain"])]
    state: Option<String>,
    /// Maximum number of failed deliveries listed
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
    /// Show full addresses instead of masked ones; recorded in the daemon's log
    #[arg(long)]
    addresses: bool,
}

/// Runs the command.
pub(crate) async fn run(options: ReportOptions, context: &Context) -> Result<Done, CliError> {
    if options.csv {
        return every_delivery(options, context).await;
    }
    if options.state.is_some() {
        return in_state(options, context).await;
    }
    let path =
        super::path(options.id).segment("report").query("limit", options.limit).query("addresses", options.addresses);
    let report: ReportView = context.client.get(path).await?;
    print(&report, context)?;
    let counts = report.mailing.counts.unwrap_or_default();
    Ok(if counts.failed + counts.uncertain + report.later.bounced > 0 { Done::Partly } else { Done::Fully })
}

/// Prints the report for people, or as JSON.
pub(crate) fn print(report: &ReportView, context: &Context) -> Result<(), CliError> {
    let output = &context.output;
    if output.is_json() {
        return output.json(report);
    }
    output.fields(&fields(&report.mailing, output.times))?;
    let Some(counts) = &report.mailing.counts else {
        return output.line("\nIts audience is not frozen yet: there is nothing to report.");
    };
    output.line("")?;
    output.fields(&count_fields(counts))?;
    print_later(&report.later, context)?;
    if !report.troubles.is_empty() {
        output.line("\nFailures")?;
        let rows = report.troubles.iter().map(|t| {
            let code = t.code.map(|code| code.to_string()).unwrap_or_default();
            [t.count.to_string(), t.state.clone(), code, t.status.clone().unwrap_or_default(), t.example.clone()]
        });
        output.table(&["count", "state", "code", "status", "for example"], rows)?;
    }
    if !report.deliveries.is_empty() {
        output.line("\nSingle deliveries")?;
        table(&report.deliveries, context)?;
    }
    if report.more {
        let id = &report.mailing.id;
        note(&format!(
            "There are more: use --limit NUMBER, or \u{201c}depesch mailing report {id} --csv\u{201d} for all."
        ));
    }
    Ok(())
}

/// Prints the bounces after acceptance, which do not change the counts.
fn print_later(later: &LaterView, context: &Context) -> Result<(), CliError> {
    let output = &context.output;
    if later.bounced + later.complained == 0 {
        return Ok(());
    }
    output.line("\nAccepted, but bounced later")?;
    output.fields(&[("bounced", later.bounced.to_string()), ("complaints", later.complained.to_string())])?;
    let rows = later.groups.iter().map(|group| {
        [group.count.to_string(), group.class.clone(), group.status.clone().unwrap_or_default(), group.example.clone()]
    });
    output.table(&["count", "class", "status", "for example"], rows)
}

/// Prints a table of deliveries in one state, up to the limit.
async fn in_state(options: ReportOptions, context: &Context) -> Result<Done, CliError> {
    if context.output.is_json() {
        return every_delivery(options, context).await;
    }
    let path = super::path(options.id)
        .segment("deliveries")
        .query("addresses", options.addresses)
        .query_some("state", options.state.as_ref());
    let mut listed = Vec::new();
    let answer = context.client.download(path).await?;
    let end: DeliveriesEnd = answer
        .follow(|delivery: DeliveryView| {
            if listed.len() < options.limit {
                listed.push(delivery);
            }
        })
        .await?;
    table(&listed, context)?;
    match end.deliveries > listed.len() as u64 {
        true => {
            note(&format!("{} of {} deliveries; use --limit NUMBER, or --csv for all.", listed.len(), end.deliveries))
        }
        false => note(&format!("{} deliveries", end.deliveries)),
    }
    Ok(Done::Fully)
}

fn table(deliveries: &[DeliveryView], context: &Context) -> Result<(), CliError> {
    let rows = deliveries.iter().map(|d| {
        let at = d.at.map_or_else(|| "-".to_owned(), |at| context.output.times.instant(at));
        [d.subscriber.clone(), d.address.clone(), d.state.clone(), at, d.attempts.to_string(), reply_words(d)]
    });
    context.output.table(&["subscriber", "address", "state", "time", "attempts", "reply"], rows)
}

async fn every_delivery(options: ReportOptions, context: &Context) -> Result<Done, CliError> {
    let path = super::path(options.id)
        .segment("deliveries")
        .query("addresses", options.addresses)
        .query_some("state", options.state.as_ref());
    let (output, answer) = (&context.output, context.client.download(path).await?);
    if !output.is_json() {
        output.bytes(&csv_line(&COLUMNS))?;
    }
    let mut failed = None;
    let mut buffer = Vec::new();
    let end: DeliveriesEnd = answer
        .follow(|delivery: DeliveryView| {
            if failed.is_some() {
                return;
            }
            if output.is_json() {
                failed = output.json(&delivery).err();
                return;
            }
            buffer.extend(delivery.csv());
            if buffer.len() > BUFFER {
                failed = output.bytes(&std::mem::take(&mut buffer)).err();
            }
        })
        .await?;
    if let Some(failed) = failed {
        return Err(failed);
    }
    output.bytes(&buffer)?;
    note(&format!("{} deliveries", end.deliveries));
    Ok(Done::Fully)
}

/// Bytes of CSV written at once.
const BUFFER: usize = 64 * 1024;
