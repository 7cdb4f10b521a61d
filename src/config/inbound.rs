//! The section `[inbound]`: incoming mail.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use crate::base::address::Address;
use crate::smtp::session::SessionSettings;
use crate::smtp::settings::{Limits, ListenerSettings, SocketFile, TlsFiles};
use crate::subscribers::limits::AskSettings;

use super::reader::{Reader, quoted};
use super::secret::{self, SecretError, SecretSource};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Settings of incoming mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundConfig {
    /// TCP addresses for SMTP.
    pub smtp: Vec<SocketAddr>,
    /// TCP addresses for LMTP.
    pub lmtp: Vec<SocketAddr>,
    /// The Unix socket for LMTP.
    pub lmtp_socket: Option<PathBuf>,
    /// Its permissions.
    pub lmtp_mode: u32,
    /// Its group.
    pub lmtp_group: Option<String>,
    /// Our name in the greeting and in Received; the machine's name if `None`.
    pub host_name: Option<String>,
    /// Source of the certificate for STARTTLS.
    pub certificate: Option<SecretSource>,
    /// Source of its key.
    pub key: Option<SecretSource>,
    /// Maximum size of a message in bytes.
    pub largest_message: usize,
    /// Maximum number of simultaneous connections.
    pub connections: usize,
    /// Maximum number of simultaneous SMTP connections from one address.
    pub connections_per_address: usize,
    /// Timeout for one command.
    pub idle: Duration,
    /// Minimum bytes per second of a message.
    pub least_speed: usize,
    /// Our own mail server whose Authentication-Results are trusted (RFC 8601).
    pub authserv_id: Option<String>,
    /// The name servers; the system's if empty.
    pub resolvers: Vec<SocketAddr>,
    /// The recipient of mail to postmaster and abuse; the owner of the first list if `None`.
    pub postmaster: Option<Address>,
    /// How long messages are kept after they were handled.
    pub keep: Duration,
    /// Limits of the mail caused by commands.
    pub commands: AskSettings,
}

impl Default for InboundConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            smtp: Vec::new(),
            lmtp: Vec::new(),
            lmtp_socket: None,
            lmtp_mode: 0o660,
            lmtp_group: None,
            host_name: None,
            certificate: None,
            key: None,
            largest_message: SessionSettings::default().max_message_bytes,
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            idle: limits.idle,
            least_speed: limits.least_speed,
            authserv_id: None,
            resolvers: Vec::new(),
            postmaster: None,
            keep: 90 * DAY,
            commands: AskSettings::default(),
        }
    }
}

impl InboundConfig {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.section("inbound");
        addresses(reader, "smtp", &mut self.smtp);
        addresses(reader, "lmtp", &mut self.lmtp);
        // RFC 2033 §5.
        if self.lmtp.iter().any(|address| address.port() == 25) {
            reader.problem("inbound.lmtp", "expected another port than 25, which is for SMTP only; 24 is usual");
        }
        reader.optional_path("lmtp_socket", "the path of a socket, or \"\"", &mut self.lmtp_socket);
        let mode = |value: &DeValue<'_>| u32::from_str_radix(value.as_str()?, 8).ok().filter(|mode| *mode <= 0o777);
        reader.value("lmtp_mode", "permissions such as \"0660\"", &mut self.lmtp_mode, mode, |mode| {
            quoted(&format!("{mode:04o}"))
        });
        reader.optional_text("lmtp_group", "a group's name, or \"\"", &mut self.lmtp_group);
        reader.optional_text("host_name", "a host name, or \"\"", &mut self.host_name);
        self.certificate = secret::source(reader, "inbound", "certificate", "a PEM file");
        self.key = secret::source(reader, "inbound", "key", "a PEM file");
        for (name, this, other) in
            [("certificate", &self.certificate, &self.key), ("key", &self.key, &self.certificate)]
        {
            if let (Some(source), None) = (this, other) {
                let kind = if matches!(source, SecretSource::File(_)) { "file" } else { "credential" };
                let key = format!("inbound.{name}_{kind}");
                reader.problem(&key, "expected a certificate and a key together, or neither");
            }
        }
        reader.number("largest_message", 65_536..=60_000_000, &mut self.largest_message);
        reader.number("connections", 1..=100_000, &mut self.connections);
        reader.number("connections_per_address", 1..=100_000, &mut self.connections_per_address);
        reader.duration("idle", SECOND..=HOUR, &mut self.idle);
        reader.number("least_speed", 0..=1_000_000, &mut self.least_speed);
        reader.optional_text(
            "authserv_id",
            "the name that a mail server of yours gives itself, or \"\"",
            &mut self.authserv_id,
        );
        addresses(reader, "resolvers", &mut self.resolvers);
        let address = |value: &DeValue<'_>| match value.as_str()? {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let show = |address: &Option<Address>| quoted(address.as_ref().map_or("", Address::as_str));
        reader.value("postmaster", "an e-mail address, or \"\"", &mut self.postmaster, address, show);
        reader.duration("keep", DAY..=36_500 * DAY, &mut self.keep);
        reader.duration("confirmation", HOUR..=60 * DAY, &mut self.commands.confirmation);
        reader.number("answers_per_hour", 1..=1_000_000, &mut self.commands.answers_per_hour);
    }

    /// The listener's settings; `host_name` is the machine's name.
    ///
    /// # Errors
    /// [`SecretError`] when a credential cannot be read.
    pub fn listener(&self, host_name: &str) -> Result<ListenerSettings, SecretError> {
        let tls = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.path()?, key: key.path()? }),
            _ => None,
        };
        Ok(ListenerSettings {
            session: SessionSettings {
                host_name: self.host_name.clone().unwrap_or_else(|| host_name.to_owned()),
                max_message_bytes: self.largest_message,
                ..SessionSettings::default()
            },
            smtp: self.smtp.clone(),
            lmtp: self.lmtp.clone(),
            lmtp_socket: self.lmtp_socket.clone().map(|path| SocketFile {
                path,
                mode: self.lmtp_mode,
                group: self.lmtp_group.clone(),
            }),
            tls,
            limits: Limits {
                connections: self.connections,
                connections_per_address: self.connections_per_address,
                idle: self.idle,
                least_speed: self.least_speed,
                ..Limits::default()
            },
        })
    }
}

/// A list of addresses with ports, e.g. `["0.0.0.0:25", "[::]:25"]`.
fn addresses(reader: &mut Reader<'_>, name: &str, into: &mut Vec<SocketAddr>) {
    let expected = "a list of addresses with ports such as [\"0.0.0.0:25\", \"[::]:25\"]";
    let parse = |value: &DeValue<'_>| {
        value.as_array()?.iter().map(|one| one.get_ref().as_str()?.parse().ok()).collect::<Option<Vec<SocketAddr>>>()
    };
    let show = |addresses: &Vec<SocketAddr>| {
        let each: Vec<String> = addresses.iter().map(|address| quoted(&address.to_string())).collect();
        format!("[{}]", each.join(", "))
    };
    reader.value(name, expected, into, parse, show);
}
