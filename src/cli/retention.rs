//! `depesch retention`.

use std::time::Duration;

use clap::Subcommand;

use crate::api::retention::RuleView;
use crate::config::reader::duration_text;

use super::{CliError, Context, Done};

/// How long data is kept.
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// Show each rule, and how much it would delete now
    #[command(after_help = "Nothing is deleted. The rules run automatically: schedule.retention.\n\n\
        Examples:\n  depesch retention show\n  depesch retention show --json | jq '.[] | select(.dropped > 0)'")]
    Show,
    /// Apply all rules now
    #[command(after_help = "Examples:\n  depesch retention run --dry-run\n  depesch retention run")]
    Run {
        /// Only show what would be deleted
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: RetentionCommand, context: &Context) -> Result<Done, CliError> {
    let (rules, column): (Vec<RuleView>, _) = match command {
        RetentionCommand::Show | RetentionCommand::Run { dry_run: true } => {
            (context.client.get("/v1/retention").await?, "would drop")
        }
        RetentionCommand::Run { dry_run: false } => (context.client.post("/v1/retention", &()).await?, "dropped"),
    };
    if context.output.is_json() {
        context.output.json(&rules)?;
        return Ok(Done::Fully);
    }
    let rows = rules.into_iter().map(|rule| {
        let after = match rule.after_seconds {
            None => "never".to_owned(),
            Some(0) => "when it expires".to_owned(),
            Some(seconds) => duration_text(Duration::from_secs(seconds)),
        };
        [rule.rule, rule.what, after, rule.dropped.to_string()]
    });
    context.output.table(&["rule", "what", "after", column], rows)?;
    Ok(Done::Fully)
}
