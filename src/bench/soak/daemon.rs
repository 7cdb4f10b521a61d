//! The real program as a child process: started, stopped, killed, and started again.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::api::client::Client;
use crate::api::status::Status;

/// Maximum wait for a start or a stop.
const TIMEOUT: Duration = Duration::from_secs(60);
const CHECK_EVERY: Duration = Duration::from_millis(25);

/// Number of connections to the relay.
pub(crate) const CONNECTIONS: u64 = 8;

/// Where it is and how to reach it.
pub(crate) struct Daemon {
    program: PathBuf,
    directory: PathBuf,
    /// The file that moves its clock.
    clock: Option<PathBuf>,
    /// Its port for incoming mail.
    pub port: u16,
    /// A client, usable whenever it runs.
    pub client: Client,
    child: Mutex<Option<Child>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    /// Writes its configuration into `directory`, which is created if necessary. `clock` is the file that moves its
    /// clock. Starts nothing yet.
    ///
    /// # Errors
    /// The directory cannot be written to, or no port is free.
    pub(crate) fn new(directory: &Path, relay: u16, clock: Option<PathBuf>) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("the program does not know where it lies")?;
        // Fixed, so that peers find it again after each restart.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        std::fs::create_dir_all(directory)?;
        std::fs::write(directory.join("depesch.toml"), configuration(relay, port))?;
        Ok(Self {
            program,
            directory: directory.to_owned(),
            clock,
            port,
            client: Client::new(directory.join("control.sock")),
            child: Mutex::new(None),
            log: Arc::default(),
        })
    }

    /// A command of the program with this configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.directory.join("depesch.toml")).args(arguments).stdin(Stdio::null());
        command
    }

    /// Its state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// It ended, or did not answer in time.
    pub(crate) async fn start(&self) -> anyhow::Result<()> {
        let mut command = self.command(&["serve", "--create"]);
        // As in the unit: with more heaps, memory says less about the daemon.
        command.env("MALLOC_ARENA_MAX", "2").envs(self.clock.iter().map(|file| ("DEPESCH_TEST_CLOCK", file)));
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("the daemon cannot be started")?;
        let stderr = child.stderr.take().context("the daemon has no standard error")?;
        let log = self.log.clone();
        // The whole log, for a person who examines a failed run.
        let path = self.directory.join("daemon.log");
        let mut file = OpenOptions::new().create(true).append(true).open(path).context("no log can be written")?;
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // The line is checked below, whether the file accepts it or not.
                let _ = writeln!(file, "{line}");
                // Of normal events only warnings and errors matter, and lines that are not events.
                if !line.contains("\"level\":\"INFO\"") {
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        });
        *self.child() = Some(child);
        let mut waited = Duration::ZERO;
        while self.client.get::<Status>("/v1/status").await.is_err() {
            if let Some(ended) = self.child().as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                bail!("the daemon ended while it started: {ended}");
            }
            if waited > TIMEOUT {
                bail!("the daemon did not answer within {} s", TIMEOUT.as_secs());
            }
            tokio::time::sleep(CHECK_EVERY).await;
            waited += CHECK_EVERY;
        }
        Ok(())
    }

    /// Its process, while it runs.
    pub(crate) fn process(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// Sends a signal and waits for the end; returns the exit code, `None` after a signal that kills.
    ///
    /// # Errors
    /// It does not run, or does not end in time.
    pub(crate) async fn end_by(&self, signal: Signal) -> anyhow::Result<Option<i32>> {
        let mut child = self.child().take().context("the daemon does not run")?;
        let process = Pid::from_raw(i32::try_from(child.id())?).context("the daemon has no process")?;
        kill_process(process, signal)?;
        let mut waited = Duration::ZERO;
        loop {
            if let Some(ended) = child.try_wait()? {
                return Ok(ended.code());
            }
            if waited > TIMEOUT {
                child.kill()?;
                child.wait()?;
                bail!("the daemon did not end within {} s", TIMEOUT.as_secs());
            }
            tokio::time::sleep(CHECK_EVERY).await;
            waited += CHECK_EVERY;
        }
    }

    /// Its log since the first start, without informational lines.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child().take() {
            // It may have ended already; nothing more can be done here.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Retries are fast, so that a storm is over when the soak is.
fn configuration(relay: u16, port: u16) -> String {
    format!(
        r#"state_directory = "state"
stop_timeout = "20s"
[control]
socket = "control.sock"
[relay]
host = "127.0.0.1"
port = {relay}
tls = "none"
connect_timeout = "5s"
command_timeout = "10s"
message_timeout = "10s"
[retry]
first = "2s"
longest = "6s"
[dispatch]
connections = {CONNECTIONS}
[monitor]
address = ""
[schedule]
undo = "0s"
[inbound]
lmtp = ["127.0.0.1:{port}"]
postmaster = "owner@example.org"
[log]
format = "json"
"#
    )
}
