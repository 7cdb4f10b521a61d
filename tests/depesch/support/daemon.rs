//! The real binary as a daemon in its own directory.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than any step takes; a test that waits this long fails.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running daemon; killed when dropped.
pub struct Daemon {
    pub child: Child,
    lines: Receiver<String>,
    pub seen: Vec<String>,
}

/// A directory with a configuration, and commands that use it.
pub struct Place {
    pub directory: tempfile::TempDir,
}

impl Place {
    /// Creates a place whose daemon captures mail in a folder. `more` is added to the top level of the configuration.
    pub fn new(more: &str) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        place.configure(more);
        place
    }

    /// Rewrites the configuration.
    pub fn configure(&self, more: &str) {
        let text = format!(
            "state_directory = \"state\"\ntransport = \"capture\"\n{more}\n[control]\nsocket = \"control.sock\"\n\
             [monitor]\naddress = \"\"\n[schedule]\nundo = \"0s\"\n"
        );
        std::fs::write(self.configuration(), text).unwrap();
    }

    pub fn configuration(&self) -> PathBuf {
        self.directory.path().join("depesch.toml")
    }

    /// A command with this configuration, in UTC whatever the machine's zone.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_depesch"));
        command.arg("--config").arg(self.configuration()).args(arguments).env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// Runs a command until it exits.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts the daemon and waits until it answers.
    pub fn serve(&self) -> Daemon {
        self.serve_by(self.command(&["serve", "--create"]))
    }

    /// Starts the daemon with this command and waits until it answers.
    pub fn serve_by(&self, mut command: Command) -> Daemon {
        Daemon::spawned(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }
}

impl Daemon {
    /// A daemon whose standard error is a pipe; waits until it answers.
    pub fn spawned(child: Child) -> Self {
        let mut daemon = Self::starting(child);
        daemon.wait_for_line("ready");
        daemon
    }

    /// As [`Self::spawned`], without waiting.
    pub fn starting(mut child: Child) -> Self {
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a log line that contains `words` and returns it.
    pub fn wait_for_line(&mut self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(TIMEOUT).unwrap_or_else(|_| panic!("no {words:?} in {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Sends a signal, e.g. `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Waits until it exits; the last lines of its log are then in `seen`.
    pub fn wait(&mut self) -> ExitStatus {
        while let Ok(line) = self.lines.recv_timeout(TIMEOUT) {
            self.seen.push(line);
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The standard error of a command as text.
pub fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command and closes its standard output after the first bytes.
pub fn run_into_closed_pipe(mut command: Command) -> (ExitStatus, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    (child.wait().unwrap(), complaint)
}
