//! `depesch reload`.

use crate::api::configuration::Reloaded;

use super::{CliError, Context, Done};

/// Make the daemon read configuration, templates and certificate again, and report the result
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything that can be changed while running is applied, or nothing if any of it is invalid. systemctl reload runs this
command.

Exit codes:
  0  applied; keys that need a restart are listed
  3  the daemon cannot be reached
  4  refused, with the reason: the old configuration stays in force

Examples:
  depesch config check && depesch reload")]
pub struct ReloadCommand {}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(_command: ReloadCommand, context: &Context) -> Result<Done, CliError> {
    let reloaded: Reloaded = context.client.post("/v1/configuration/reload", &serde_json::json!({})).await?;
    let output = &context.output;
    if output.is_json() {
        output.json(&reloaded)?;
        return Ok(Done::Fully);
    }
    output.line("read configuration, templates and certificate again")?;
    if !reloaded.waiting_for_restart.is_empty() {
        output.line(&format!("these keys wait for a restart: {}", reloaded.waiting_for_restart.join(", ")))?;
    }
    Ok(Done::Fully)
}
