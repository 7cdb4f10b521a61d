//! `depesch serve`: runs the daemon in this process.

use crate::app::Begin;
use crate::app::service;
use crate::config::environment::InheritedSockets;

use super::{CliError, Context, Done};

/// Run the daemon
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Logs go to standard error. SIGTERM drains and stops, SIGHUP reads configuration and templates again.

Examples:
  depesch serve --config my.toml --create     the first start, with an empty store
  depesch serve --config my.toml              every later start")]
pub struct ServeCommand {
    /// Create an empty store if absent; without this option that is an error, so that a lost disk is noticed
    #[arg(long)]
    create: bool,
    /// Sockets opened by systemd.
    #[arg(skip)]
    inherited: InheritedSockets,
}

impl ServeCommand {
    /// Also accepts mail on these sockets.
    pub(crate) fn on(&mut self, inherited: InheritedSockets) {
        self.inherited = inherited;
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`]
pub(crate) async fn run(command: ServeCommand, context: &Context) -> Result<Done, CliError> {
    let begin = if command.create { Begin::WhereNone } else { Begin::Never };
    service::serve(context.config.as_deref(), context.socket.clone(), begin, command.inherited).await?;
    Ok(Done::Fully)
}
