//! Where the relay is, how to speak with it, and why that cannot work.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::secret::Secret;

/// Where the relay is and how to speak with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelaySettings {
    /// Its name, as in its certificate, or its IP address.
    pub host: String,
    /// Its port: 587 or 25, 465 for [`Encryption::Implicit`].
    pub port: u16,
    /// How TLS begins.
    pub encryption: Encryption,
    /// PEM file of the only certificates to trust; `None`: those of the machine.
    pub ca_file: Option<PathBuf>,
    /// User and password, if it asks for them.
    pub login: Option<Login>,
    /// Lets the password go without TLS where the relay is on this machine (127.0.0.0/8, ::1 or `localhost`).
    pub login_on_loopback: bool,
    /// After so many messages a connection is ended and another one opened: 1,000.
    pub messages_per_connection: u32,
    /// What to call ourselves in EHLO; `None`: the machine's name.
    pub hello_name: Option<String>,
    /// How long to wait for what.
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
    /// With STARTTLS where offered, whatever the certificate: against listeners only, so no login goes over it.
    Opportunistic,
    /// With STARTTLS and a good certificate, or not at all (RFC 3207).
    StartTls,
    /// With the connection (RFC 8314 §3.3), and a good certificate.
    Implicit,
}

/// A user at the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// How long to wait; the defaults are what RFC 5321 §4.5.3.2 asks for.
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
    /// Until some of the content is taken: 3 min.
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

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// A login would go over a connection that somebody could read.
    #[error("a login needs TLS with a checked certificate: set the relay's encryption to starttls or implicit")]
    LoginWithoutTls,
    /// The port and the encryption do not belong together (RFC 8314 §3.3).
    #[error(
        "port 465 expects TLS from the first byte: set the relay's encryption to implicit, or the port to 587 for starttls"
    )]
    PortOfImplicitTls,
    /// The relay's name is no name.
    #[error("\u{201c}{0}\u{201d} is neither a host name nor an IP address")]
    Host(String),
    /// The CA file is of no use.
    #[error("the CA file {} cannot be used: {why}", path.display())]
    CaFile {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The machine has no roots.
    #[error("this machine has no CA certificates: install its ca-certificates package, or set a CA file")]
    NoRoots,
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
