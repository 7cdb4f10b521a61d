//! `depesch.toml`, parsed once into a [`Config`]; an error names file, line, key and what was expected.
//!
//! Every key has a default, so Depesch runs without a file. `systemd/depesch.toml` shows every key with its default;
//! a test compares the two.

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

pub(crate) mod backup;
pub(crate) mod bounce;
pub(crate) mod doctor;
pub(crate) mod environment;
pub(crate) mod inbound;
mod keys;
pub(crate) mod reader;
pub mod secret;

pub use keys::LOG_TARGETS;

use backup::BackupConfig;
use bounce::BounceConfig;
use doctor::DoctorConfig;
use inbound::InboundConfig;
use reader::{Entry, Problem, Reader};
use secret::{SecretError, SecretSource};

/// The configuration file used when none is named.
pub(crate) const DEFAULT_FILE: &str = "/etc/depesch/depesch.toml";

/// The whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The directory of all data.
    pub state_directory: PathBuf,
    /// Where mail is sent.
    pub transport: TransportChoice,
    /// The maildir of the capture transport; `capture` in the state directory if `None`.
    pub capture_directory: Option<PathBuf>,
    /// The directory of custom templates, which override the built-in ones.
    pub templates_directory: Option<PathBuf>,
    /// Base URL of the public pages, e.g. `https://press.example.org`; required for unsubscribing by link.
    pub base_url: Option<String>,
    /// How long a stop waits for work under way.
    pub stop_timeout: Duration,
    /// The control socket.
    pub control: SocketSettings,
    /// Defaults about the sender.
    pub organisation: OrganisationConfig,
    /// The relay (smarthost).
    pub relay: RelayConfig,
    /// When deferred deliveries are retried.
    pub retry: RetryTable,
    /// When a mailing is stopped automatically.
    pub breaker: BreakerSettings,
    /// The consequences of bounces.
    pub bounce: BounceConfig,
    /// How deliveries are processed.
    pub dispatch: DispatchConfig,
    /// Incoming mail.
    pub inbound: InboundConfig,
    /// How long data is kept.
    pub retention: Periods,
    /// Backups.
    pub backup: BackupConfig,
    /// Times without a zone, missed mailings, and the daemon's own jobs.
    pub schedule: ScheduleConfig,
    /// Defaults of release files, and the size limit of mails.
    pub content: ContentConfig,
    /// Settings of `depesch doctor`.
    pub doctor: DoctorConfig,
    /// The monitoring port.
    pub monitor: MonitorConfig,
    /// The log.
    pub log: LogConfig,
}

/// Where mail is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportChoice {
    /// To a smarthost by SMTP.
    Relay,
    /// Into a maildir: nothing leaves the machine.
    Capture,
}

/// Defaults about the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationConfig {
    /// The domain of Message-IDs; `localhost` stands for that of each mailing's list.
    pub domain: String,
}

/// Settings of the relay. [`RelayConfig::settings`] reads the password and returns the transport's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How TLS begins.
    pub encryption: Encryption,
    /// A PEM file with the only trusted certificate authorities; the system's own if `None`.
    pub authority_file: Option<PathBuf>,
    /// The login name.
    pub login: Option<String>,
    /// Source of the password.
    pub password: Option<SecretSource>,
    /// Our name in EHLO; the machine's name if `None`.
    pub hello_name: Option<String>,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// Maximum number of messages on one connection.
    pub messages_per_connection: u32,
}

impl RelayConfig {
    /// The transport's settings; reads the password now.
    ///
    /// # Errors
    /// [`SecretError`] when the password cannot be read.
    pub(crate) fn settings(&self) -> Result<RelaySettings, SecretError> {
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
            // The configured command timeout applies to every answer except that to the whole message.
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

/// Settings of dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchConfig {
    /// The name of this daemon in its leases.
    pub node: String,
    /// Maximum number of simultaneous connections to the relay.
    pub connections: u32,
    /// Time after which a silent worker counts as dead.
    pub lease: Duration,
}

/// Settings of schedules and of the daemon's own jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleConfig {
    /// The IANA zone of times without one.
    pub zone: String,
    /// The policy for a mailing whose time passed while the daemon was not running.
    pub missed: MissedPolicy,
    /// The delay that still counts as on time.
    pub grace: Duration,
    /// The time between "send now" and the first message, in which a mailing can be cancelled or edited.
    pub undo: Duration,
    /// When checkpoints are written: five cron fields in the zone.
    pub checkpoint: String,
    /// When the retention rules are applied: five cron fields in the zone.
    pub retention: String,
    /// When open erasures continue and the journal before them is dropped: five cron fields in the zone.
    pub erasure: String,
}

/// Defaults of release files, and the size limit of mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentConfig {
    /// Maximum bytes of attachments in one mail; larger ones become links.
    pub attachments_in_mail: u64,
    /// The country code of phone numbers written with a leading 0, e.g. `46`.
    pub country_code: String,
    /// Whether an image without alt text stops a release.
    pub require_alt_text: bool,
}

/// Settings of the monitoring port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorConfig {
    /// The address of `/metrics`, `/healthz` and `/readyz`; not served if `None`.
    pub address: Option<SocketAddr>,
    /// Whether the address may be reachable from other machines.
    pub beyond_this_machine: bool,
}

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people and journald: one line per event.
    Human,
    /// For programs: one JSON object per event.
    Json,
}

/// Settings of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// For whom it is written.
    pub format: LogFormat,
    /// The level: `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,depesch::store=debug`.
    pub level: String,
}

/// A configuration with all keys and their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every key with its value, in order.
    pub entries: Vec<Entry>,
    /// The file it came from, if any.
    pub file: Option<PathBuf>,
}

/// The keys that a running daemon applies at SIGHUP ([`Config::reloaded`]); all others need a restart.
pub const RELOADABLE: &[&str] = &[
    "templates_directory",
    "base_url",
    "content.attachments_in_mail",
    "content.country_code",
    "content.require_alt_text",
    "log.level",
];

impl Loaded {
    /// The configuration in force after a reload of `new`: with its values for the keys that are [`RELOADABLE`].
    pub(crate) fn taken_over(&self, new: &Loaded) -> Loaded {
        let entry = |(old, new): (&Entry, &Entry)| match RELOADABLE.contains(&old.key.as_str()) {
            true => new.clone(),
            false => old.clone(),
        };
        let entries = self.entries.iter().zip(&new.entries).map(entry).collect();
        Loaded { config: self.config.reloaded(&new.config), entries, file: self.file.clone() }
    }

    /// The keys with another value in `new` that need a restart.
    pub fn waiting_for_restart(&self, new: &Loaded) -> Vec<String> {
        let changed = self.entries.iter().zip(&new.entries).filter(|(old, new)| old.value != new.value);
        changed.map(|(old, _)| old.key.clone()).filter(|key| !RELOADABLE.contains(&key.as_str())).collect()
    }
}

/// A configuration file that cannot be used: all errors at once.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: the configuration cannot be read: {error}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// It has errors.
    #[error("{}", listed(.path, .problems))]
    Wrong {
        /// Its path.
        path: PathBuf,
        /// All errors, in order of line.
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
    /// Reads the named file; without a name, [`DEFAULT_FILE`] if it exists, otherwise the defaults.
    ///
    /// # Errors
    /// [`ConfigError`], with all errors.
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

    /// The control socket in the file, even if the rest of the file cannot be used; otherwise the default. For
    /// commands that only need to reach the running daemon.
    pub(crate) fn control_socket(file: Option<&Path>) -> PathBuf {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let (table, _) = DeTable::parse_recoverable(&text);
        let directory = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
        let mut reader = Reader::new(&text, table.get_ref(), directory.as_deref().unwrap_or(Path::new("/")));
        let mut config = Self::default();
        config.read_control(&mut reader);
        config.control.path
    }

    /// This configuration without references to files or groups of this machine: for a check on another machine.
    pub(crate) fn without_files(&self) -> Config {
        let mut config = self.clone();
        config.templates_directory = None;
        (config.control.group, config.inbound.lmtp_group) = (None, None);
        (config.control.path, config.inbound.lmtp_socket) = (SocketSettings::default().path, None);
        (config.relay.login, config.relay.password, config.relay.authority_file) = (None, None, None);
        (config.inbound.certificate, config.inbound.key) = (None, None);
        config
    }

    /// Parses the text of a file. Relative paths in it are relative to `path`'s directory.
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

    /// The directory of backups.
    pub(crate) fn backup_directory(&self) -> PathBuf {
        self.backup.directory.clone().unwrap_or_else(|| self.state_directory.join("backup"))
    }

    /// The directory of attachments.
    pub(crate) fn blobs_directory(&self) -> PathBuf {
        self.state_directory.join("blobs")
    }

    /// The directory of the store, used by the daemon and by `depesch store`.
    pub(crate) fn store_directory(&self) -> PathBuf {
        self.state_directory.join("store")
    }

    /// The directory of incoming mail in its original form.
    pub(crate) fn spool_directory(&self) -> PathBuf {
        self.state_directory.join("spool")
    }

    /// The maildir of the capture transport.
    pub(crate) fn capture_directory(&self) -> PathBuf {
        self.capture_directory.clone().unwrap_or_else(|| self.state_directory.join("capture"))
    }

    /// The folder whose captured mails are deleted by age: the capture transport's, or the one in the state directory
    /// left from an earlier trial. A folder configured while mail goes to a relay is not touched.
    pub fn captured_mails(&self) -> Option<PathBuf> {
        let is_ours = self.transport == TransportChoice::Capture || self.capture_directory.is_none();
        is_ours.then(|| self.capture_directory())
    }
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let line = error.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
    Problem { line, key: String::new(), message: error.message().replace('\n', "; ") }
}
