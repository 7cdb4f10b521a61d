//! Settings of the listener: where to listen, with which certificate, and its limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::session::SessionSettings;

/// All settings of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Limits of each dialogue, and our own name.
    pub session: SessionSettings,
    /// Addresses for SMTP, e.g. `[::]:25`. None by default.
    pub smtp: Vec<SocketAddr>,
    /// Addresses for LMTP; never on port 25 (RFC 2033 §5). None by default.
    pub lmtp: Vec<SocketAddr>,
    /// The Unix socket for LMTP. None by default.
    pub lmtp_socket: Option<SocketFile>,
    /// The certificate for STARTTLS, which is not offered without one.
    pub tls: Option<TlsFiles>,
    /// Its limits.
    pub limits: Limits,
}

/// A Unix socket in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFile {
    /// Its path.
    pub path: PathBuf,
    /// Its permissions; users who may write to it can send mail.
    pub mode: u32,
    /// Its group, by name, e.g. `postfix`; the daemon's own if `None`.
    pub group: Option<String>,
}

/// A certificate and its key, as PEM files. Both are read again on a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by intermediate ones.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Limits of the listener. A connection beyond them is answered 421 and closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of connections. 2,000.
    pub connections: usize,
    /// Maximum number of SMTP connections from one address (IPv4) or one /64 (IPv6); those from this machine are not
    /// counted, since they come from a mail server in front. 20.
    pub connections_per_address: usize,
    /// Timeout for one command (RFC 5321 §4.5.3.2.7). 5 minutes.
    pub idle: Duration,
    /// Period over which the speed of a message is measured. 1 minute.
    pub speed_window: Duration,
    /// Minimum bytes per second of a message, over each period. 100.
    pub least_speed: usize,
    /// The same for a message that has become larger than 256 KiB: it uses memory that others wait for. 8,000.
    pub least_speed_large: usize,
    /// Bytes per second below which a large message loses its memory to others when it is short. 64,000.
    pub fair_speed: usize,
    /// Maximum time for one message. 1 hour.
    pub message_time: Duration,
    /// Timeout for a TLS handshake. 30 seconds.
    pub handshake: Duration,
    /// Maximum bytes that all messages being received use together; at least the largest message. A quarter is
    /// reserved for messages of up to 256 KiB. 64 MiB.
    pub message_memory: usize,
    /// How long messages being received are awaited at a stop. 20 seconds.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2000,
            connections_per_address: 20,
            idle: Duration::from_secs(300),
            speed_window: Duration::from_secs(60),
            least_speed: 100,
            least_speed_large: 8000,
            fair_speed: 64_000,
            message_time: Duration::from_secs(3600),
            handshake: Duration::from_secs(30),
            message_memory: 64 * 1024 * 1024,
            drain: Duration::from_secs(20),
        }
    }
}
