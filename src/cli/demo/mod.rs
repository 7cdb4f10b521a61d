//! `depesch demo`: the whole process without any set-up. In a directory of its own it starts the daemon and a mail
//! server in this process, and then runs the ordinary commands that a press office uses.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde_json::Value;

use crate::api::client::Client;
use crate::api::path::ApiPath;
use crate::app::{Begin, RunningApp, start, system_clock};
use crate::config::Config;

use super::progress::Progress;
use super::{Arguments, CliError, Context, Done};

mod directory;
mod server;

use directory::DemoDirectory;
use server::MailServer;

/// Show how it works, without any set-up
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing leaves this machine: the mail server is part of the demo and stores what it accepts in a folder. The directory
is created again each time; one that was not created by a demo is left alone.

Examples:
  depesch demo
  depesch demo --stay      keeps running, to try the commands")]
pub struct DemoCommand {
    /// Keep the daemon and the mail server running, and say what to try
    #[arg(long)]
    stay: bool,
    /// The demo's directory
    #[arg(long, value_name = "DIRECTORY", default_value = "depesch-demo")]
    directory: PathBuf,
}

/// Maximum wait for a step that takes well under a second.
const TIMEOUT: Duration = Duration::from_secs(8);
const POLL_EVERY: Duration = Duration::from_millis(40);
/// The person who leaves after the audience is frozen.
const LEAVER: &str = "yuki.zielonka@mailbox.example";

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: DemoCommand, context: &Context) -> Result<Done, CliError> {
    let directory = DemoDirectory::make(&command.directory).await?;
    let server = MailServer::start(&directory.mail)?;
    let file = directory.configure(server.port())?;
    let config = Config::load(Some(&file)).map_err(|error| CliError::Internal(error.to_string()))?.config;
    let app = start(&config, system_clock(), Begin::WhereNone)
        .await
        .map_err(|error| CliError::Internal(format!("the demo's daemon did not start: {error}")))?;
    let demo = Demo { app, server, directory, context: inner_context(context, &config) };
    let played = demo.play().await;
    let stayed = match (&played, command.stay) {
        (Ok(()), true) => demo.stay().await,
        _ => Ok(()),
    };
    demo.app.stop().await;
    played.and(stayed).map(|()| Done::Fully)
}

fn inner_context(context: &Context, config: &Config) -> Context {
    let output = context.output.clone();
    Context { client: Client::new(&config.control.path), output, config: None, socket: None }
}

struct Demo {
    app: RunningApp,
    server: MailServer,
    directory: DemoDirectory,
    context: Context,
}

impl Demo {
    async fn play(&self) -> Result<(), CliError> {
        let input = |name: &str| self.directory.input(name);
        self.say("A press office's lists, contacts and subscribers:")?;
        self.command(&["list", "import", &input("lists.toml")]).await?;
        self.command(&["contact", "import", &input("contacts.toml")]).await?;
        let media = "Asked for our releases when we met the newsroom";
        self.command(&["subscriber", "import", &input("media.csv"), "--list", "media", "--consent", media]).await?;
        let members = "Agreed to mail on joining";
        self.command(&["subscriber", "import", &input("members.csv"), "--list", "members", "--consent", members])
            .await?;
        self.say("An invitation in Swedish, checked, and queued for both lists:")?;
        let invitation = input("inbjudan-riksmote.md");
        self.command(&["release", "check", &invitation]).await?;
        let queue = ["mailing", "queue", &invitation, "--list", "media", "--list", "members"];
        self.command(&[&queue[..], &["--at", "now", "--uncertain", "hold"]].concat()).await?;
        self.until("m1", |mailing| mailing["stage"] == "sending").await?;
        self.say("While it is being sent, one member leaves the list, which counts until the last moment:")?;
        self.command(&["subscriber", "unsubscribe", LEAVER, "members", "--reason", "Wrote to the office"]).await?;
        self.follow("m1").await?;
        self.say("The outcome, for every person on the lists:")?;
        self.command(&["mailing", "report", "m1"]).await?;
        self.say(
            "Two were deferred (greylisting) and were accepted at the second attempt. Full mailboxes are tried \
             again for days.\nWhere the connection broke after the last line, it is unknown whether the mail arrived: \
             with --uncertain hold, a person decides.",
        )?;
        self.cancel_one().await?;
        self.say(&format!(
            "The mail server accepted {} messages. Read them with any mail program that knows maildirs:\n\n    \
             mutt -f {mail}\n    less {mail}/new/*",
            self.server.accepted(),
            mail = self.directory.mail.display()
        ))
    }

    /// Cancels a second mailing while it is being sent.
    async fn cancel_one(&self) -> Result<(), CliError> {
        self.server.slow_down();
        self.say("The same to the members once more, by mistake, and cancelled at once:")?;
        self.command(&["mailing", "queue", "--release", "r1", "--list", "members", "--at", "now", "--again"]).await?;
        self.until("m2", |mailing| mailing["counts"]["accepted"].as_u64() > Some(0)).await?;
        self.command(&["mailing", "cancel", "m2"]).await?;
        self.until("m2", |mailing| mailing["counts"]["in_doubt"] == 0).await?;
        self.command(&["mailing", "report", "m2"]).await
    }

    /// Shows the progress of a mailing, until the rest is to be retried later.
    async fn follow(&self, id: &str) -> Result<(), CliError> {
        let progress = Progress::new("sending", None);
        let done = |mailing: &Value| {
            let count = |name: &str| mailing["counts"][name].as_u64().unwrap_or(u64::MAX);
            let open = count("waiting") + count("in_doubt");
            progress.set_total(count("audience"));
            progress.set(count("audience").saturating_sub(open + count("deferred")));
            open == 0 && count("deferred") <= server::FULL_MAILBOXES
        };
        self.until(id, done).await
    }

    /// Waits until a mailing satisfies `so`.
    async fn until(&self, id: &str, so: impl Fn(&Value) -> bool) -> Result<(), CliError> {
        let polls = TIMEOUT.as_millis() / POLL_EVERY.as_millis();
        let mut seen = Value::Null;
        for _ in 0..polls {
            seen = self.context.client.get(ApiPath::new("/v1/mailings").segment(id)).await?;
            if so(&seen) {
                return Ok(());
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        Err(CliError::Internal(format!("the demo waited too long for mailing {id}: {seen}")))
    }

    /// Runs an ordinary command, as if typed.
    async fn command(&self, arguments: &[&str]) -> Result<(), CliError> {
        if !self.context.output.is_json() {
            let typed: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
            self.context.output.line(&format!("$ depesch {}", typed.join(" ")))?;
        }
        let parsed = Arguments::try_parse_from(["depesch"].iter().chain(arguments));
        let parsed = parsed.map_err(|error| CliError::Internal(error.to_string()))?;
        Box::pin(super::perform(parsed.command, &self.context)).await?;
        self.say("")
    }

    fn say(&self, words: &str) -> Result<(), CliError> {
        match (self.context.output.is_json(), words) {
            (true, _) => Ok(()),
            (false, "") => self.context.output.line(""),
            (false, words) => self.context.output.line(&format!("{words}\n")),
        }
    }

    /// Keeps everything running until a signal.
    async fn stay(&self) -> Result<(), CliError> {
        self.say(&format!(
            "\nIt runs until Ctrl-C. In another terminal:\n\n    \
             alias depesch='depesch --config {}'\n    \
             depesch status\n    depesch subscriber show tips@greylist.example\n    \
             depesch mailing list\n    depesch mailing report m1 --json\n    depesch mailing --help",
            self.directory.configuration().display()
        ))?;
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|error| CliError::Internal(format!("listening to signals: {error}")))?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    }
}

fn quoted(argument: &str) -> String {
    if argument.contains([' ', '\'']) { format!("'{argument}'") } else { argument.to_owned() }
}
