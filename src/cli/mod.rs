//! Floor 15: the command line, one file per noun; nearly all commands talk to the daemon through [`crate::api`].
//!
//! A noun's file has a clap `Subcommand` enum and `pub async fn run(command, &Context) -> Result<Done, CliError>`. It
//! prints only through [`output::Output`], so that `--json`, a closed pipe and control characters in foreign text are
//! handled everywhere.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::api::client::Client;
use crate::config::{Config, ConfigError, Loaded, environment};

pub(crate) mod audit;
pub(crate) mod backup;
#[cfg(feature = "bench")]
pub(crate) mod bench;
pub(crate) mod bounce;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod consent;
pub(crate) mod contact;
mod delivery;
pub(crate) mod demo;
pub(crate) mod doctor;
mod download;
mod error;
pub(crate) mod import;
pub(crate) mod inbound;
pub(crate) mod inject;
pub(crate) mod lint;
pub mod list;
pub mod mailing;
pub(crate) mod manual;
pub mod notice;
pub(crate) mod outbound;
pub(crate) mod output;
pub(crate) mod post;
pub(crate) mod progress;
pub(crate) mod release;
mod release_files;
pub(crate) mod reload;
pub(crate) mod retention;
pub(crate) mod rsvp;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod store;
pub mod subscriber;
pub(crate) mod suppression;
pub(crate) mod template;
mod times;

pub(crate) use error::CliError;

use output::Output;
use times::Times;

/// A mailing daemon for press offices: lists, releases, schedules, and a ledger that records the outcome of every
/// mail.
#[derive(Debug, Parser)]
#[command(name = "depesch", version, after_help = EXIT_CODES, after_long_help = LONG_HELP, max_term_width = 100)]
pub struct Arguments {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    global: GlobalOptions,
}

#[derive(Debug, clap::Args)]
struct GlobalOptions {
    /// The daemon's control socket, instead of the configured one
    #[arg(long, global = true, value_name = "PATH", help_heading = "Options for every command")]
    socket: Option<PathBuf>,
    /// The configuration file, instead of /etc/depesch/depesch.toml
    #[arg(long, global = true, value_name = "FILE", help_heading = "Options for every command")]
    config: Option<PathBuf>,
    /// Print JSON for programs instead of tables for people
    #[arg(long, global = true, help_heading = "Options for every command")]
    json: bool,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 negative result, or done in part; 2 wrong usage;
            3 the daemon cannot be reached; 4 the daemon refused; 5 internal error or store error;
            6 there is no store, or it is damaged: see depesch store recover";

const LONG_HELP: &str = "\
Exit codes:
  0  done
  1  negative result, or done in part (lint errors, rejected lines, failed deliveries)
  2  wrong usage: the command line or the configuration
  3  the daemon cannot be reached
  4  the daemon refused: the thing does not exist, or its state does not allow this
  5  internal error or store error
  6  the daemon does not start: there is no store, or it is damaged (\u{201c}depesch store recover\u{201d} shows what can be done)

Examples:
  depesch demo                       show how it works, without any set-up
  depesch serve --config my.toml     run the daemon
  depesch status                     show whether it is well";

/// The nouns.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Who did what: show, check and export the audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Make backups, check them, and restore a store from them
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Measure the real path in a temporary directory
    #[cfg(feature = "bench")]
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Show bounces and their consequences, and classify messages
    #[command(subcommand)]
    Bounce(bounce::BounceCommand),
    /// Check the daemon's health, as a plugin for Nagios, Icinga and similar programs
    Check(check::CheckCommand),
    /// Print a shell's completion script
    Completions(manual::CompletionsCommand),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Manage press contacts
    #[command(subcommand)]
    Contact(contact::ContactCommand),
    /// Show how it works, without any set-up
    Demo(demo::DemoCommand),
    /// Check everything that the installation depends on, and say what to do
    Doctor(doctor::DoctorCommand),
    /// Follow one mail: its delivery and outcome
    #[command(subcommand)]
    Delivery(delivery::DeliveryCommand),
    /// Show incoming mail and its handling
    #[command(subcommand)]
    Inbound(inbound::InboundCommand),
    /// Pass in a message that arrived by another way, e.g. through a pipe
    Inject(inject::InjectCommand),
    /// Explain the rules by which releases are checked
    #[command(subcommand)]
    Lint(lint::LintCommand),
    /// Create, show and change lists
    #[command(subcommand)]
    List(list::ListCommand),
    /// Manage organisations that issue releases, and their boilerplate
    #[command(subcommand)]
    Organisation(contact::OrganisationCommand),
    /// Check, preview, store and show releases
    #[command(subcommand)]
    Release(release::ReleaseCommand),
    /// Write the manual pages
    Manual(manual::ManualCommand),
    /// Queue releases, follow them, and see the outcome of every mail
    #[command(subcommand)]
    Mailing(mailing::MailingCommand),
    /// Show notices: mails of our own that belong to no mailing
    #[command(subcommand, alias = "letter")]
    Notice(notice::NoticeCommand),
    /// Control all outgoing mail: make deferred mail due now
    #[command(subcommand)]
    Outbound(outbound::OutboundCommand),
    /// Make the daemon read configuration, templates and certificate again
    Reload(reload::ReloadCommand),
    /// Show how long data is kept, and apply the rules
    #[command(subcommand)]
    Retention(retention::RetentionCommand),
    /// Answers to invitations: who will come
    #[command(subcommand)]
    Rsvp(rsvp::RsvpCommand),
    /// Show posts, approve or refuse held ones
    #[command(subcommand)]
    Post(post::PostCommand),
    /// Run the daemon
    Serve(serve::ServeCommand),
    /// Show whether the daemon is well
    Status(status::StatusCommand),
    /// Check and repair the store on disk, with the daemon stopped
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Add, import, export, show, change and erase subscribers
    #[command(subcommand)]
    Subscriber(subscriber::SubscriberCommand),
    /// Manage addresses that must never be mailed
    #[command(subcommand)]
    Suppression(suppression::SuppressionCommand),
    /// Create, show and check kinds of releases of your own
    #[command(subcommand)]
    Template(template::TemplateCommand),
}

impl Command {
    /// Whether it works without a daemon.
    fn is_local(&self) -> bool {
        match self {
            Self::Audit(command) => command.is_local(),
            Self::Backup(command) => command.is_local(),
            Self::Bounce(command) => command.is_local(),
            Self::Completions(_) | Self::Doctor(_) | Self::Lint(_) | Self::Manual(_) | Self::Template(_) => true,
            #[cfg(feature = "bench")]
            Self::Bench(_) => true,
            _ => matches!(self, Self::Config(_) | Self::Demo(_) | Self::Serve(_) | Self::Store(_)),
        }
    }
}

/// The environment of a command.
pub(crate) struct Context {
    /// The client of the control socket.
    pub client: Client,
    /// The output.
    pub output: Output,
    /// The configuration file named on the command line.
    pub config: Option<PathBuf>,
    /// The control socket named on the command line.
    pub socket: Option<PathBuf>,
}

/// The success of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Complete: exit code 0.
    Fully,
    /// Partial, or the answer is negative: exit code 1.
    Partly,
    /// With an exit code of another convention: that of monitoring plugins.
    Code(u8),
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let mut arguments = Arguments::try_parse().unwrap_or_else(|error| refuse(error));
    if let Command::Serve(command) = &mut arguments.command {
        // Before there are threads: it changes the environment.
        command.on(environment::inherited_sockets());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("no threads can be started: {error}"), None);
            return ExitCode::from(5);
        }
    };
    let is_inject = matches!(arguments.command, Command::Inject(_));
    let (is_check, json) = (matches!(arguments.command, Command::Check(_)), arguments.global.json);
    let ended = runtime.block_on(run(arguments));
    // Work that is not awaited any more, e.g. a read from a terminal, must not delay the exit.
    runtime.shutdown_background();
    match ended {
        Ok(Done::Fully) => ExitCode::SUCCESS,
        Ok(Done::Partly) => ExitCode::from(1),
        Ok(Done::Code(code)) => ExitCode::from(code),
        Err(CliError::Closed) => ExitCode::SUCCESS,
        Err(error) if is_check => {
            check::unknown(&error, json);
            ExitCode::from(3)
        }
        Err(error) => {
            output::complain(&error.to_string(), error.hint().as_deref());
            ExitCode::from(if is_inject { inject::exit_code(&error) } else { error.code() })
        }
    }
}

/// Exits after an invalid command line: with 2, or as a monitoring plugin with UNKNOWN.
fn refuse(error: clap::Error) -> ! {
    // Options may precede the command; three nouns have a `check` of their own.
    let is_check = std::env::args_os().any(|word| word == "check")
        && !["config", "release", "store"].into_iter().any(|noun| std::env::args_os().any(|word| word == noun));
    if is_check && error.use_stderr() {
        println!("DEPESCH UNKNOWN - wrong use; see \u{201c}depesch check --help\u{201d}");
        let _ = error.print();
        std::process::exit(3);
    }
    error.exit()
}

/// Reads the configuration file named on the command line.
fn load_config(file: Option<&Path>) -> Result<Loaded, CliError> {
    Config::load(file).map_err(|error| CliError::Usage(error.to_string()))
}

/// The configured control socket. An invalid file does not prevent asking the daemon, which still runs with what it
/// read before; a note says so, unless a mail system would take it for a failure.
fn daemon_socket(file: Option<&Path>, is_piped: bool) -> Result<PathBuf, CliError> {
    match Config::load(file) {
        Ok(loaded) => Ok(loaded.config.control.path),
        Err(ConfigError::Unreadable { path, error }) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(CliError::Usage(ConfigError::Unreadable { path, error }.to_string()))
        }
        Err(error) => {
            let socket = Config::control_socket(file);
            if !socket.exists() {
                return Err(CliError::Usage(error.to_string()));
            }
            if !is_piped {
                output::note(&format!(
                    "note: {error}\nnote: the daemon is asked all the same, at {}",
                    socket.display()
                ));
            }
            Ok(socket)
        }
    }
}

async fn run(arguments: Arguments) -> Result<Done, CliError> {
    let GlobalOptions { socket, config, json } = arguments.global;
    let needs_daemon = !arguments.command.is_local();
    let is_piped = matches!(arguments.command, Command::Inject(_));
    let path = match &socket {
        Some(socket) => socket.clone(),
        None if needs_daemon => daemon_socket(config.as_deref(), is_piped)?,
        None => PathBuf::new(),
    };
    let context =
        Context { client: Client::new(path), output: Output::new(json, Times::of_this_person()), config, socket };
    perform(arguments.command, &context).await
}

/// Runs one command.
async fn perform(command: Command, context: &Context) -> Result<Done, CliError> {
    match command {
        Command::Audit(command) => audit::run(command, context).await,
        Command::Backup(command) => backup::run(command, context).await,
        #[cfg(feature = "bench")]
        Command::Bench(command) => bench::run(command, context).await,
        Command::Bounce(command) => bounce::run(command, context).await,
        Command::Check(command) => check::run(command, context).await,
        Command::Completions(command) => manual::print_completions(command, context),
        Command::Config(command) => config::run(command, context).await,
        Command::Contact(command) => contact::run(command, context).await,
        Command::Demo(command) => demo::run(command, context).await,
        Command::Doctor(command) => doctor::run(command, context).await,
        Command::Inbound(command) => inbound::run(command, context).await,
        Command::Inject(command) => inject::run(command, context).await,
        Command::Notice(command) => notice::run(command, context).await,
        Command::Lint(command) => lint::run(&command, context),
        Command::List(command) => list::run(command, context).await,
        Command::Organisation(command) => contact::run_organisation(command, context).await,
        Command::Outbound(command) => outbound::run(command, context).await,
        Command::Reload(command) => reload::run(command, context).await,
        Command::Retention(command) => retention::run(command, context).await,
        Command::Rsvp(command) => rsvp::run(command, context).await,
        Command::Release(command) => release::run(command, context).await,
        Command::Manual(command) => manual::write_manual(command, context),
        Command::Delivery(command) => delivery::run(command, context).await,
        Command::Mailing(command) => mailing::run(command, context).await,
        Command::Post(command) => post::run(command, context).await,
        Command::Serve(command) => serve::run(command, context).await,
        Command::Status(command) => status::run(command, context).await,
        Command::Store(command) => store::run(command, context).await,
        Command::Subscriber(command) => subscriber::run(command, context).await,
        Command::Suppression(command) => suppression::run(command, context).await,
        Command::Template(command) => template::run(command, context),
    }
}
