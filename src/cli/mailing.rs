//! `depesch mailing`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::api::mailing::view::MailingView;
use crate::api::path::ApiPath;
use crate::base::id::MailingId;

use super::release::preview;
use super::release::preview::ReaderOptions;
use super::{CliError, Context, Done};

mod audience;
mod change;
mod edit;
mod queue;
mod report;
pub(super) mod show;
mod watch;

/// Mailings: releases sent to audiences, and their results.
#[derive(Debug, Subcommand)]
pub enum MailingCommand {
    /// Queue a release for an audience, now or at a given time
    ///
    /// Everything is tried first: the release is rendered for each kind of recipient in the audience. What is missing
    /// is an error now, never at the time of sending.
    #[command(after_help = "Examples:\n  \
        depesch mailing queue invitation.md --list media --at now\n  \
        depesch mailing queue --release r12 --list media --beat health --region skane \\\n    \
        --at \"2026-11-23 09:00\" --zone Europe/Stockholm\n  \
        depesch mailing queue --release r13 --list media --reached-by m7 --at now   # a correction\n  \
        depesch mailing queue invitation.md --list media --at now --dry-run")]
    Queue(queue::QueueOptions),
    /// Show mailings, newest first
    #[command(after_help = "Examples:\n  depesch mailing list\n  depesch mailing list --stage sending\n  \
        depesch mailing list --json | jq '.[] | select(.counts.failed > 0) | .id'")]
    List {
        /// Only mailings in this stage
        #[arg(long, value_parser = ["scheduled", "freezing", "sending", "paused", "finished", "cancelled", "expired"])]
        stage: Option<String>,
        /// Maximum number of mailings
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one mailing; with --subscriber, the delivery to one person
    #[command(
        visible_alias = "delivery",
        after_help = "Examples:\n  depesch mailing show m7\n  \
        depesch mailing show m7 --subscriber karin@example.org"
    )]
    Show {
        /// The mailing
        id: MailingId,
        /// One person: a number such as s17, or the address
        #[arg(long, value_name = "WHO")]
        subscriber: Option<String>,
        /// Show full addresses instead of masked ones
        #[arg(long)]
        addresses: bool,
    },
    /// List who gets a mailing and who on its lists does not, and why
    #[command(after_help = "Once its audience is taken, each person's delivery is shown instead.\n\n\
        Examples:\n  depesch mailing audience m7\n  depesch mailing audience m7 --who out --limit 500\n  \
        depesch mailing audience m7 --addresses")]
    Audience(audience::AudienceOptions),
    /// Show a mailing as a reader gets it, from the store
    #[command(after_help = "Its links are valid for nothing.\n\n\
        Examples:\n  depesch mailing preview m7\n  depesch mailing preview m7 --as karin@example.org\n  \
        depesch mailing preview m7 --out preview/")]
    Preview {
        /// The mailing
        id: MailingId,
        /// The recipient it is made for.
        #[command(flatten)]
        reader: ReaderOptions,
        /// Write the parts and the whole message into this directory
        #[arg(long, value_name = "DIRECTORY")]
        out: Option<PathBuf>,
    },
    /// Replace what a waiting mailing sends; everything is tried again, and its approval is void
    #[command(
        after_help = "The mailing keeps its number, audience and time. \u{201c}depesch mailing diff\u{201d} shows what changed.\n\n\
        Examples:\n  depesch mailing edit m7 invitation.md\n  depesch mailing edit m7 --release r13"
    )]
    Edit(edit::EditOptions),
    /// Show what the last edit of a mailing changed, line by line
    #[command(after_help = "Examples:\n  depesch mailing diff m7")]
    Diff {
        /// The mailing
        id: MailingId,
    },
    /// Show the results of a mailing: counts that add up, failures with their SMTP replies
    ///
    /// Exits with 1 when deliveries failed or are uncertain.
    #[command(after_help = "Examples:\n  depesch mailing report m7\n  depesch mailing report m7 --limit 500\n  \
        depesch mailing report m7 --state accepted\n  depesch mailing report m7 --csv > m7.csv\n  \
        depesch mailing report m7 --csv --state failed --addresses > failed.csv")]
    Report(report::ReportOptions),
    /// Follow a mailing until only deferred deliveries are left, or it has ended or is paused; then show its report
    #[command(after_help = "Examples:\n  depesch mailing watch m7\n  depesch mailing watch m7 --to-the-end")]
    Watch {
        /// The mailing
        id: MailingId,
        /// Also wait for deferred deliveries, which may take days
        #[arg(long)]
        to_the_end: bool,
    },
    /// Start no further delivery until it is resumed
    #[command(after_help = "Examples:\n  depesch mailing pause m7")]
    Pause {
        /// The mailing
        id: MailingId,
    },
    /// Resume a paused mailing; one whose time has passed is sent now
    #[command(after_help = "Examples:\n  depesch mailing resume m7")]
    Resume {
        /// The mailing
        id: MailingId,
    },
    /// Cancel a mailing at once: what was not sent yet is not sent
    #[command(after_help = "Examples:\n  depesch mailing cancel m7")]
    Cancel {
        /// The mailing
        id: MailingId,
    },
    /// Approve a mailing that another user has queued
    ///
    /// The approval is for exactly what would be sent now; any edit voids it.
    #[command(after_help = "Examples:\n  depesch mailing approve m7\n  depesch mailing approve m7 --hash 3f2a9c01")]
    Approve {
        /// The mailing
        id: MailingId,
        /// The content hash of what you checked, or its first eight digits: refused if it has changed since
        #[arg(long, value_name = "HASH")]
        hash: Option<String>,
    },
    /// Move a mailing that has not begun to another time; this voids its approval
    #[command(after_help = "Examples:\n  depesch mailing reschedule m7 --at \"2026-11-24 10:30\"")]
    Reschedule(change::RescheduleOptions),
    /// Try failed deliveries again, or deferred ones now
    #[command(
        after_help = "Examples:\n  depesch mailing retry m7 --failed\n  depesch mailing retry m7 --only s3,s17\n  \
        depesch mailing retry m7 --code 550 --status 5.7.1\n  \
        depesch mailing retry --deferred m7"
    )]
    Retry(change::RetryOptions),
    /// Decide how uncertain deliveries are counted
    #[command(after_help = "Examples:\n  depesch mailing resolve m7 --as accepted\n  \
        depesch mailing resolve m7 --as again --only s17")]
    Resolve(change::ResolveOptions),
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: MailingCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        MailingCommand::Queue(options) => queue::run(options, context).await,
        MailingCommand::List { stage, limit } => show::list(stage, limit, context).await,
        MailingCommand::Show { id, subscriber: None, .. } => {
            show::mailing(&context.client.get::<MailingView>(path(id)).await?, context)
        }
        MailingCommand::Show { id, subscriber: Some(subscriber), addresses } => {
            show::delivery(id, &subscriber, addresses, context).await
        }
        MailingCommand::Audience(options) => audience::run(options, context).await,
        MailingCommand::Preview { id, reader, out } => preview::of_mailing(id, &reader, out, context).await,
        MailingCommand::Edit(options) => edit::run(options, context).await,
        MailingCommand::Diff { id } => edit::diff(id, context).await,
        MailingCommand::Report(options) => report::run(options, context).await,
        MailingCommand::Watch { id, to_the_end } => watch::run(id, to_the_end, context).await,
        MailingCommand::Pause { id } => change::simple(id, "pause", context).await,
        MailingCommand::Resume { id } => change::simple(id, "resume", context).await,
        MailingCommand::Cancel { id } => change::simple(id, "cancel", context).await,
        MailingCommand::Approve { id, hash } => change::approve(id, hash, context).await,
        MailingCommand::Reschedule(options) => change::reschedule(options, context).await,
        MailingCommand::Retry(options) => change::retry(options, context).await,
        MailingCommand::Resolve(options) => change::resolve(options, context).await,
    }
}

fn path(id: MailingId) -> ApiPath {
    ApiPath::new("/v1/mailings").segment(id)
}
