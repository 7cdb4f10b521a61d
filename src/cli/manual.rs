//! `depesch manual` and `depesch completions`: files for packages and shells, generated from the command line's own
//! description. Needs no daemon.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::app;

use super::{Arguments, CliError, Context, Done};

/// Write the manual pages: one for each command, in section 1.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  depesch manual /usr/local/share/man/man1\n  depesch manual . && man ./depesch-mailing-queue.1"
)]
pub struct ManualCommand {
    /// The directory to write to; created if it does not exist
    directory: PathBuf,
    /// The date on the pages, e.g. 2026-11-29, so that package builds are reproducible; by default today
    #[arg(long, value_name = "DATE")]
    date: Option<NaiveDate>,
}

/// Print a shell's completion script.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  depesch completions bash > /etc/bash_completion.d/depesch\n  \
                        depesch completions zsh > ~/.zfunc/_depesch")]
pub struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

/// Maximum bytes of an input line of a manual page, where it can be broken.
const LINE: usize = 78;

/// Writes the manual pages.
///
/// # Errors
/// [`CliError::File`].
pub(crate) fn write_manual(command: ManualCommand, context: &Context) -> Result<Done, CliError> {
    let directory = command.directory;
    let date = command.date.unwrap_or_else(|| app::system_clock().now().date_naive()).to_string();
    let failed = |error| CliError::File { action: "written", path: directory.clone(), error };
    std::fs::create_dir_all(&directory).map_err(failed)?;
    let mut all = Arguments::command().disable_help_subcommand(true);
    all.build();
    write_pages(&all, &directory, &date).map_err(failed)?;
    context.output.line(&format!("wrote the manual pages to {}", directory.display()))?;
    Ok(Done::Fully)
}

/// Writes the page of a command and those of its subcommands.
fn write_pages(command: &Command, directory: &Path, date: &str) -> std::io::Result<()> {
    for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
        write_pages(child, directory, date)?;
    }
    let version = concat!("Depesch ", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command.clone()).date(date).source(version).manual("Depesch");
    // Capitals are customary in man(7), and `mandoc` requires them.
    let title = page.get_filename().trim_end_matches(".1").to_uppercase();
    let page = page.title(title);
    let mut text = Vec::new();
    page.render(&mut text)?;
    std::fs::write(directory.join(page.get_filename()), tidy(&String::from_utf8_lossy(&text)))
}

/// Fixes what `mandoc -T lint` reports in the generated pages: blanks at the end of lines, an empty line between two
/// line breaks (one paragraph is meant), and long lines. Readers only see a difference in that paragraph.
fn tidy(page: &str) -> String {
    let mut tidied = String::new();
    let mut filled = true;
    let mut lines = page.lines().map(str::trim_end).peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().copied();
        match line {
            ".br" if next == Some("") => {
                while matches!(lines.peek(), Some(&("" | ".br"))) {
                    lines.next();
                }
                tidied.push_str(".sp\n");
            }
            // Examples are indented and stay unchanged, from their heading on.
            ".SH EXTRA" => {
                filled = false;
                tidied.push_str(".SH EXTRA\n.nf\n");
            }
            _ if line.starts_with(".SH") => {
                if !std::mem::replace(&mut filled, true) {
                    tidied.push_str(".fi\n");
                }
                tidied.push_str(line);
                tidied.push('\n');
            }
            _ if filled && !line.starts_with(['.', ' ']) => wrap(line, &mut tidied),
            _ => {
                tidied.push_str(line);
                tidied.push('\n');
            }
        }
    }
    tidied
}

/// Breaks a line of filled text at blanks. A line must not begin with a control character (roff(7)): `.` or `'`.
fn wrap(line: &str, tidied: &mut String) {
    let mut length = 0;
    for word in line.split(' ') {
        let breaks = length > 0 && length + 1 + word.len() > LINE && !word.starts_with(['.', '\'']) && !word.is_empty();
        if breaks {
            tidied.push('\n');
            length = 0;
        } else if length > 0 {
            tidied.push(' ');
            length += 1;
        }
        tidied.push_str(word);
        length += word.len();
    }
    tidied.push('\n');
}

/// Prints a shell's completion script.
///
/// # Errors
/// [`CliError::Closed`] when the output is closed.
pub(crate) fn print_completions(command: CompletionsCommand, context: &Context) -> Result<Done, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Arguments::command(), "depesch", &mut script);
    context.output.bytes(&script)?;
    Ok(Done::Fully)
}
