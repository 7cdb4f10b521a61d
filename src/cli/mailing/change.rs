//! Changes to a mailing.

use crate::api::mailing::change::{
    ApproveRequest, ChangeAnswer, ChoiceRequest, ReopenAnswer, RescheduleRequest, ResolutionWord, ResolveRequest,
};
use crate::api::outbound::FlushRequest;
use crate::base::id::{MailingId, SubscriberId};

use super::super::output::note;
use super::super::{CliError, Context, Done, outbound};
use super::queue::{MissedWord, undo_words};
use super::show::{approval_words, stage_words};

/// The options of `reschedule`.
#[derive(Debug, clap::Args)]
pub struct RescheduleOptions {
    /// The mailing
    id: MailingId,
    /// When: now, or a time such as "2026-11-24 10:30"
    #[arg(long, value_name = "TIME")]
    at: String,
    /// The time zone of that time; by default the mailing's own
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// What to do if the daemon was not running at that time; by default as before
    #[arg(long, value_enum)]
    missed: Option<MissedWord>,
}

/// The failed deliveries to retry.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).multiple(true).args(["failed", "only", "codes", "statuses", "deferred"])))]
pub struct RetryOptions {
    /// The mailing; with --deferred, all mailings if absent
    #[arg(required_unless_present = "deferred")]
    id: Option<MailingId>,
    /// Retry deferred deliveries now instead of when they are due
    #[arg(long, conflicts_with_all = ["failed", "only", "codes", "statuses"])]
    deferred: bool,
    /// All failed deliveries
    #[arg(long)]
    failed: bool,
    /// Only deliveries to these subscribers, e.g. s3,s17
    #[arg(long, value_name = "SUBSCRIBERS", value_delimiter = ',')]
    only: Vec<SubscriberId>,
    /// Only those refused with this SMTP code; may be repeated
    #[arg(long = "code", value_name = "CODE")]
    codes: Vec<u16>,
    /// Only those refused with this enhanced status code, e.g. 5.7.1; may be repeated
    #[arg(long = "status", value_name = "STATUS")]
    statuses: Vec<String>,
}

/// The options of `resolve`.
#[derive(Debug, clap::Args)]
pub struct ResolveOptions {
    /// The mailing
    id: MailingId,
    /// How they are counted; "again" sends them again, and a second copy may arrive
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    resolution: ResolveWord,
    /// Only deliveries to these subscribers, e.g. s3,s17; by default all uncertain ones
    #[arg(long, value_name = "SUBSCRIBERS", value_delimiter = ',')]
    only: Vec<SubscriberId>,
}

/// How an uncertain delivery is counted.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum ResolveWord {
    /// Send it again
    Again,
    /// It arrived
    Accepted,
    /// It did not arrive
    Failed,
}

/// Pauses, resumes or cancels a mailing.
pub(crate) async fn simple(id: MailingId, what: &str, context: &Context) -> Result<Done, CliError> {
    let answer: ChangeAnswer = context.client.post(super::path(id).segment(what), &()).await?;
    changed(&answer, context)
}

/// Approves a mailing.
pub(crate) async fn approve(id: MailingId, content_hash: Option<String>, context: &Context) -> Result<Done, CliError> {
    let request = ApproveRequest { content_hash };
    let answer: ChangeAnswer = context.client.post(super::path(id).segment("approve"), &request).await?;
    scheduled(&answer, context)
}

/// Reschedules a mailing.
pub(crate) async fn reschedule(options: RescheduleOptions, context: &Context) -> Result<Done, CliError> {
    let request = RescheduleRequest { at: options.at, zone: options.zone, missed: options.missed.map(Into::into) };
    let answer: ChangeAnswer = context.client.post(super::path(options.id).segment("reschedule"), &request).await?;
    scheduled(&answer, context)
}

/// As [`changed`], and until when it can be undone.
fn scheduled(answer: &ChangeAnswer, context: &Context) -> Result<Done, CliError> {
    changed(answer, context)?;
    if let Some(words) = undo_words(&answer.mailing).filter(|_| !context.output.is_json()) {
        note(&words);
    }
    Ok(Done::Fully)
}

fn changed(answer: &ChangeAnswer, context: &Context) -> Result<Done, CliError> {
    let (output, mailing) = (&context.output, &answer.mailing);
    if output.is_json() {
        output.json(answer)?;
        return Ok(Done::Fully);
    }
    answer.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    let when = if mailing.stage == "scheduled" { format!(", due {}", mailing.local_time) } else { String::new() };
    output.line(&format!("{} is {}{when}", mailing.id, stage_words(mailing)))?;
    if mailing.first_approved_by.is_some()
        && let Some(words) = approval_words(mailing)
    {
        note(&words);
    }
    Ok(Done::Fully)
}

/// Retries deliveries.
pub(crate) async fn retry(options: RetryOptions, context: &Context) -> Result<Done, CliError> {
    if options.deferred {
        let mailing = options.id.map(|id| id.to_string());
        return outbound::flush(FlushRequest { mailing, domain: None }, context).await;
    }
    let Some(id) = options.id else { return Err(CliError::Usage("name the mailing, e.g. m7".to_owned())) };
    let request = ChoiceRequest {
        subscribers: options.only.iter().map(ToString::to_string).collect(),
        codes: options.codes,
        statuses: options.statuses,
    };
    let answer: ReopenAnswer = context.client.post(super::path(id).segment("retry"), &request).await?;
    reopened(&answer, "to be tried again", context)
}

/// Resolves uncertain deliveries.
pub(crate) async fn resolve(options: ResolveOptions, context: &Context) -> Result<Done, CliError> {
    let (resolution, words) = match options.resolution {
        ResolveWord::Again => (ResolutionWord::Again, "to be sent again"),
        ResolveWord::Accepted => (ResolutionWord::Accepted, "counted as accepted"),
        ResolveWord::Failed => (ResolutionWord::Failed, "counted as failed"),
    };
    let subscribers = options.only.iter().map(ToString::to_string).collect();
    let request = ResolveRequest { choice: ChoiceRequest { subscribers, ..ChoiceRequest::default() }, resolution };
    let answer: ReopenAnswer = context.client.post(super::path(options.id).segment("resolve"), &request).await?;
    reopened(&answer, words, context)
}

fn reopened(answer: &ReopenAnswer, words: &str, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    if output.is_json() {
        output.json(answer)?;
    } else {
        let count = answer.changed;
        let what = if count == 1 { "delivery" } else { "deliveries" };
        output.line(&format!("{count} {what} of {} {words}", answer.mailing.id))?;
        if answer.busy > 0 {
            note(&format!("{} more are being worked on at the moment; try again in a minute.", answer.busy));
        }
    }
    Ok(if answer.busy > 0 || answer.changed == 0 { Done::Partly } else { Done::Fully })
}
