//! `depesch status`.

use crate::control::status::Status;

use super::output::instant;
use super::{CliError, Context, Done};

/// Show whether the daemon is well.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  depesch status\n  depesch status --json")]
pub struct StatusCommand {}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(_command: StatusCommand, context: &Context) -> Result<Done, CliError> {
    let status: Status = context.client.get("/v1/status").await?;
    let output = &context.output;
    if output.is_json() {
        output.json(&status)?;
        return Ok(Done::Fully);
    }
    output.fields(&[
        ("version", status.version),
        ("process", status.process.to_string()),
        ("started", instant(status.started)),
        ("state directory", status.state_directory),
        ("transport", status.transport),
    ])?;
    Ok(Done::Fully)
}
