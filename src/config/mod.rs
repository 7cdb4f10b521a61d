//! `depesch.toml`, parsed once into a [`Config`]; an error names file, line, key and what was expected.
//!
//! Everything has a default, so Depesch runs without any file. `systemd/depesch.toml` shows every key with its default;
//! a test holds the two together.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use crate::api::server::SocketSettings;
use crate::model::breaker::BreakerSettings;
use crate::model::mailing::MissedPolicy;
use crate::model::retry::RetryTable;
use crate::privacy::retention::rules::Periods;
use crate::transport::relay::{Encryption, Login, RelaySettings, Timeouts};

pub mod backup;
pub mod bounce;
pub mod doctor;
pub mod environment;
pub mod inbound;
mod keys;
pub mod reader;
pub mod secret;

pub use keys::LOG_TARGETS;

use backup::BackupConfig;
use bounce::BounceConfig;
use doctor::DoctorConfig;
use inbound::InboundConfig;
use reader::{Entry, Problem, Reader};
use secret::{SecretError, SecretSource};

/// Where the configuration is looked for when no file is named.
pub const DEFAULT_FILE: &str = "/etc/depesch/depesch.toml";

/// The whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Everything that Depesch keeps lies below it.
    pub state_directory: PathBuf,
    /// Where mail goes out.
    pub transport: TransportChoice,
    /// The maildir of the capture transport; `capture` in the state directory without it.
    pub capture_directory: Option<PathBuf>,
    /// Templates of one's own, which go before the built-in ones.
    pub templates_directory: Option<PathBuf>,
    /// Where the public pages are reached, e.g. `https://press.example.org`; unsubscribing by link needs it.
    pub base_url: Option<String>,
    /// How long a stop waits for what runs.
    pub stop_timeout: Duration,
    /// The control socket.
    pub control: SocketSettings,
    /// Who sends, where nothing says otherwise.
    pub organisation: OrganisationConfig,
    /// The smarthost.
    pub relay: RelayConfig,
    /// When a deferred delivery is tried again.
    pub retry: RetryTable,
    /// When a mailing stops itself.
    pub breaker: BreakerSettings,
    /// What bounces do.
    pub bounce: BounceConfig,
    /// How deliveries are worked off.
    pub dispatch: DispatchConfig,
    /// Mail that comes in.
    pub inbound: InboundConfig,
    /// How long things are kept.
    pub retention: Periods,
    /// Backups.
    pub backup: BackupConfig,
    /// Times without zone, and missed ones.
    pub schedule: ScheduleConfig,
    /// What release files need not say, and what fits into a mail.
    pub content: ContentConfig,
    /// What `depesch doctor` is told.
    pub doctor: DoctorConfig,
    /// What watches the daemon from outside.
    pub monitor: MonitorConfig,
    /// The log.
    pub log: LogConfig,
}

/// Where mail goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportChoice {
    /// To a smarthost by SMTP.
    Relay,
    /// Into a maildir: nothing leaves the machine.
    Capture,
}

/// Who sends, where nothing says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationConfig {
    /// The domain of Message-IDs; `localhost` means that of each mailing's list.
    pub domain: String,
}

/// The smarthost. [`RelayConfig::settings`] reads the password and gives what the transport takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How TLS begins.
    pub encryption: Encryption,
    /// A file with the only certificate authorities to trust (PEM); the system's own without it.
    pub authority_file: Option<PathBuf>,
    /// The name to log in with.
    pub login: Option<String>,
    /// Where the password is found.
    pub password: Option<SecretSource>,
    /// What we call ourselves in EHLO; the machine's name without it.
    pub hello_name: Option<String>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// After so many messages a connection is made anew.
    pub messages_per_connection: u32,
}

impl RelayConfig {
    /// What the transport takes; reads the password now.
    ///
    /// # Errors
    /// [`SecretError`] when the password cannot be had.
    pub fn settings(&self) -> Result<RelaySettings, SecretError> {
        let login = match (&self.login, &self.password) {
            (Some(user), Some(source)) => Some(Login { user: user.clone(), password: source.read()? }),
            _ => None,
        };
        Ok(RelaySettings {
            host: self.host.clone(),
            port: self.port,
            encryption: self.encryption,
            ca_file: self.authority_file.clone(),
            login,
            login_on_loopback: true,
            hello_name: self.hello_name.clone(),
            // What a person sets for the answer to a command holds for every answer but that to the whole message.
            timeouts: Timeouts {
                greeting: self.timeouts.command,
                data: self.timeouts.data.min(self.timeouts.command),
                block: self.timeouts.block.min(self.timeouts.command),
                ..self.timeouts
            },
            messages_per_connection: self.messages_per_connection,
        })
    }
}

/// How deliveries are worked off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchConfig {
    /// What this daemon is called in the leases of what it works on.
    pub node: String,
    /// Connections to the relay at once.
    pub connections: u32,
    /// A worker that says nothing for so long is taken for dead.
    pub lease: Duration,
}

/// Times without zone, missed ones, and the daemon's own jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleConfig {
    /// The IANA zone of times that name none.
    pub zone: String,
    /// What to do with a mailing whose time passed while the daemon was not running.
    pub missed: MissedPolicy,
    /// How late still counts as on time.
    pub grace: Duration,
    /// When checkpoints are made, as five cron fields in the zone.
    pub checkpoint: String,
    /// When retention is applied, as five cron fields in the zone.
    pub retention: String,
    /// When open erasures go on and the journal of before them is dropped, as five cron fields in the zone.
    pub erasure: String,
}

/// What release files need not say, and what fits into a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentConfig {
    /// Bytes of attachments that travel in one mail; larger ones become links.
    pub attachments_in_mail: u64,
    /// The country of phone numbers written with a leading 0, e.g. `46`.
    pub country_code: String,
}

/// Where whatever watches the daemon may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorConfig {
    /// Where `/metrics`, `/healthz` and `/readyz` are answered; nowhere without it.
    pub address: Option<SocketAddr>,
    /// Whether that may be an address that other machines reach.
    pub beyond_this_machine: bool,
}

/// For whom the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people and journald: one line per event.
    Human,
    /// For programs: one JSON object per event.
    Json,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// For whom it is written.
    pub format: LogFormat,
    /// What is written: `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,depesch::store=debug`.
    pub level: String,
}

/// A configuration with all keys and their values in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every key with its value, in order.
    pub entries: Vec<Entry>,
    /// The file it came from, if any.
    pub file: Option<PathBuf>,
}

/// The keys that a running daemon takes over at SIGHUP ([`Config::reloaded`]); all others need a restart.
pub const RELOADABLE: &[&str] =
    &["templates_directory", "base_url", "content.attachments_in_mail", "content.country_code", "log.level"];

impl Loaded {
    /// What is in force after a reload of `new`: its values for the keys that are [`RELOADABLE`].
    pub fn taken_over(&self, new: &Loaded) -> Loaded {
        let entry = |(old, new): (&Entry, &Entry)| match RELOADABLE.contains(&old.key.as_str()) {
            true => new.clone(),
            false => old.clone(),
        };
        let entries = self.entries.iter().zip(&new.entries).map(entry).collect();
        Loaded { config: self.config.reloaded(&new.config), entries, file: self.file.clone() }
    }

    /// The keys that have another value in `new` and come into force at the next start only.
    pub fn waiting_for_restart(&self, new: &Loaded) -> Vec<String> {
        let changed = self.entries.iter().zip(&new.entries).filter(|(old, new)| old.value != new.value);
        changed.map(|(old, _)| old.key.clone()).filter(|key| !RELOADABLE.contains(&key.as_str())).collect()
    }
}

/// A configuration file that cannot be used; all that is wrong, at once.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: the configuration cannot be read: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// It says what it should not.
    #[error("{}", listed(.path, .problems))]
    Wrong {
        /// Which.
        path: PathBuf,
        /// All that is wrong, in order of line.
        problems: Vec<Problem>,
    },
}

fn listed(path: &Path, problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let place = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
        let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
        format!("{}{place}: {key}{}", path.display(), problem.message)
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl Default for Config {
    fn default() -> Self {
        keys::defaults()
    }
}

impl Config {
    /// Reads the named file; without a name, [`DEFAULT_FILE`] if it is there, else the defaults.
    ///
    /// # Errors
    /// [`ConfigError`], with all that is wrong.
    pub fn load(file: Option<&Path>) -> Result<Loaded, ConfigError> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                let loaded = Self::parse(Path::new(""), "")?;
                Ok(Loaded { file: None, ..loaded })
            }
            Err(error) => Err(ConfigError::Unreadable { path: path.to_owned(), error }),
        }
    }

    /// The control socket that the file names, also where the rest of the file cannot be used; the default's else. For
    /// commands that only need to reach the running daemon.
    pub fn control_socket(file: Option<&Path>) -> PathBuf {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let (table, _) = DeTable::parse_recoverable(&text);
        let directory = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
        let mut reader = Reader::new(&text, table.get_ref(), directory.as_deref().unwrap_or(Path::new("/")));
        let mut config = Self::default();
        config.read_control(&mut reader);
        config.control.path
    }

    /// This configuration without anything that names a file or a group of this machine: for a check on another machine.
    pub fn without_files(&self) -> Config {
        let mut config = self.clone();
        config.templates_directory = None;
        (config.control.group, config.inbound.lmtp_group) = (None, None);
        (config.control.path, config.inbound.lmtp_socket) = (SocketSettings::default().path, None);
        (config.relay.login, config.relay.password, config.relay.authority_file) = (None, None, None);
        (config.inbound.certificate, config.inbound.key) = (None, None);
        config
    }

    /// Reads the text of a file. Relative paths in it are meant from the file's own directory.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`].
    pub fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
        let wrong = |problems| ConfigError::Wrong { path: path.to_owned(), problems };
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(wrong(errors.iter().map(|error| syntax_problem(text, error)).collect()));
        }
        let directory = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
        let mut reader = Reader::new(text, table.get_ref(), directory.as_deref().unwrap_or(Path::new("/")));
        let mut config = Self::default();
        config.read(&mut reader);
        let (entries, problems) = reader.finish();
        if !problems.is_empty() {
            return Err(wrong(problems));
        }
        Ok(Loaded { config, entries, file: Some(path.to_owned()) })
    }

    /// This configuration with the values of `new` for the keys that are [`RELOADABLE`].
    pub fn reloaded(&self, new: &Config) -> Config {
        Config {
            templates_directory: new.templates_directory.clone(),
            base_url: new.base_url.clone(),
            content: new.content.clone(),
            log: LogConfig { format: self.log.format, level: new.log.level.clone() },
            ..self.clone()
        }
    }

    /// Where backups lie.
    pub fn backup_directory(&self) -> PathBuf {
        self.backup.directory.clone().unwrap_or_else(|| self.state_directory.join("backup"))
    }

    /// Where attachments lie.
    pub fn blobs_directory(&self) -> PathBuf {
        self.state_directory.join("blobs")
    }

    /// The directory of the store: the daemon's, and what `depesch store` works on.
    pub fn store_directory(&self) -> PathBuf {
        self.state_directory.join("store")
    }

    /// Where mail that comes in lies as it came.
    pub fn spool_directory(&self) -> PathBuf {
        self.state_directory.join("spool")
    }

    /// The maildir of the capture transport.
    pub fn capture_directory(&self) -> PathBuf {
        self.capture_directory.clone().unwrap_or_else(|| self.state_directory.join("capture"))
    }

    /// Where captured mails are looked for to be forgotten: the folder that mail is captured into, or the one in the state
    /// directory from an earlier trial. A folder that is named while mail goes to a relay is not touched.
    pub fn captured_mails(&self) -> Option<PathBuf> {
        let is_ours = self.transport == TransportChoice::Capture || self.capture_directory.is_none();
        is_ours.then(|| self.capture_directory())
    }
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let line = error.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
    Problem { line, key: String::new(), message: error.message().replace('\n', "; ") }
}
