//! Settings of the relay, and why they may be invalid.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::secret::Secret;

/// Where the relay is and how to connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelaySettings {
    /// Its name, as in its certificate, or its IP address.
    pub host: String,
    /// Its port: 587 or 25, 465 for [`Encryption::Implicit`].
    pub port: u16,
    /// How TLS begins.
    pub encryption: Encryption,
    /// PEM file of the only trusted certificates; `None`: those of the machine.
    pub ca_file: Option<PathBuf>,
    /// User and password, if the relay requires them.
    pub login: Option<Login>,
    /// Allows sending the password without TLS if the relay is on this machine (127.0.0.0/8, ::1 or `localhost`).
    pub login_on_loopback: bool,
    /// Maximum number of messages on one connection: 1,000.
    pub messages_per_connection: u32,
    /// Our name in EHLO; `None`: the machine's name.
    pub hello_name: Option<String>,
    /// The timeouts.
    pub timeouts: Timeouts,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 25,
            encryption: Encryption::Opportunistic,
            ca_file: None,
            login: None,
            login_on_loopback: false,
            messages_per_connection: 1000,
            hello_name: None,
            timeouts: Timeouts::default(),
        }
    }
}

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Never.
    None,
    /// With STARTTLS if offered, with any certificate: protects only against eavesdroppers, so no login is sent.
    Opportunistic,
    /// Requires STARTTLS and a valid certificate (RFC 3207).
    StartTls,
    /// From the first byte (RFC 8314 §3.3), with a valid certificate.
    Implicit,
}

/// The login at the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Timeouts; the defaults are those of RFC 5321 §4.5.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For TCP, and for the TLS handshake: 30 s each.
    pub connect: Duration,
    /// For greeting and the answer to EHLO together: 5 min.
    pub greeting: Duration,
    /// For the answer to MAIL, RCPT, RSET, AUTH and STARTTLS: 5 min each.
    pub command: Duration,
    /// For the 354 to DATA: 2 min.
    pub data: Duration,
    /// For accepting a block of content: 3 min.
    pub block: Duration,
    /// For the answer to the final dot: 10 min.
    pub message: Duration,
    /// For the answer to QUIT: 2 s, as nothing depends on it.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            greeting: Duration::from_secs(300),
            command: Duration::from_secs(300),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            message: Duration::from_secs(600),
            quit: Duration::from_secs(2),
        }
    }
}

/// Invalid settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// A login would be sent over a connection that others can read.
    #[error("a login needs TLS with a checked certificate: set the relay's encryption to starttls or implicit")]
    LoginWithoutTls,
    /// The port and the encryption do not match (RFC 8314 §3.3).
    #[error(
        "port 465 expects TLS from the first byte: set the relay's encryption to implicit, or the port to 587 for starttls"
    )]
    PortOfImplicitTls,
    /// The relay's name is invalid.
    #[error("\u{201c}{0}\u{201d} is neither a host name nor an IP address")]
    Host(String),
    /// The CA file is unusable.
    #[error("the CA file {} cannot be used: {why}", path.display())]
    CaFile {
        /// Its path.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The machine has no root certificates.
    #[error("this machine has no CA certificates: install its ca-certificates package, or set a CA file")]
    NoRoots,
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
