//! `depesch outbound`.

use clap::Subcommand;

use crate::api::outbound::{FlushAnswer, FlushRequest};

use super::{CliError, Context, Done};

/// All outgoing mail.
#[derive(Debug, Subcommand)]
pub enum OutboundCommand {
    /// Make all deferred deliveries and notices due now, e.g. after the relay was repaired
    #[command(
        after_help = "A relay that cannot be reached is tried again within a second. A mailing that is paused stays paused, and a domain that rests is left alone until its rest ends.\n\n\
        Examples:\n  depesch outbound flush\n  depesch outbound flush --domain press.example"
    )]
    Flush {
        /// Only mail to this domain
        #[arg(long)]
        domain: Option<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: OutboundCommand, context: &Context) -> Result<Done, CliError> {
    let OutboundCommand::Flush { domain } = command;
    flush(FlushRequest { mailing: None, domain }, context).await
}

/// Makes deferred mail due now.
pub(super) async fn flush(request: FlushRequest, context: &Context) -> Result<Done, CliError> {
    let answer: FlushAnswer = context.client.post("/v1/outbound/flush", &request).await?;
    match context.output.is_json() {
        true => context.output.json(&answer)?,
        false => {
            let notices =
                if request.mailing.is_none() { format!(" and {} notices", answer.notices) } else { String::new() };
            context.output.line(&format!("{} deferred deliveries{notices} are due now", answer.changed))?;
        }
    }
    Ok(Done::Fully)
}
