//! `depesch.toml`, parsed once into a [`Config`]; an error names file, line, key and what was expected.
//!
//! Every key has a default, so Depesch runs without a file. `systemd/depesch.toml` shows every key with its default;
//! a test compares the two.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
mod loaded;
pub(crate) mod reader;
pub mod secret;

pub use keys::LOG_TARGETS;
pub use loaded::{ConfigError, Loaded, RELOADABLE};

use backup::BackupConfig;
use bounce::BounceConfig;
use doctor::DoctorConfig;
use inbound::InboundConfig;
use secret::{SecretError, SecretSource};

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

impl Default for Config {
    fn default() -> Self {
        keys::defaults()
    }
}

impl Config {
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
