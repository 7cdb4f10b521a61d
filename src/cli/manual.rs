//! `depesch manual` and `depesch completions`: what packagers and shells make of the command line's own description.
//! Needs no daemon.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, CliError, Context, Done};

/// Write the manual pages: one for each command, section 1.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  depesch manual /usr/local/share/man/man1\n  depesch manual . && man ./depesch-mailing-queue.1"
)]
pub struct ManualCommand {
    /// The directory that they are written to; it is made where there is none
    directory: PathBuf,
}

/// Print what a shell needs to complete commands and options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  depesch completions bash > /etc/bash_completion.d/depesch\n  \
                        depesch completions zsh > ~/.zfunc/_depesch")]
pub struct CompletionsCommand {
    /// For which shell
    shell: Shell,
}

/// Writes the manual pages.
///
/// # Errors
/// [`CliError::File`].
pub fn write_manual(command: ManualCommand, context: &Context) -> Result<Done, CliError> {
    let directory = command.directory;
    let failed = |error| CliError::File { action: "written", path: directory.clone(), error };
    std::fs::create_dir_all(&directory).map_err(failed)?;
    clap_mangen::generate_to(Arguments::command(), &directory).map_err(failed)?;
    context.output.line(&format!("wrote the manual pages to {}", directory.display()))?;
    Ok(Done::Fully)
}

/// Prints a shell's completions.
///
/// # Errors
/// [`CliError::Closed`] when nobody reads any more.
pub fn print_completions(command: CompletionsCommand, context: &Context) -> Result<Done, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Arguments::command(), "depesch", &mut script);
    context.output.octets(&script)?;
    Ok(Done::Fully)
}
