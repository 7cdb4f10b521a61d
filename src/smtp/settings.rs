//! What the listener is told: where to listen, with which certificate, and how much it bears.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::session::SessionSettings;

/// Everything a listener is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerSettings {
    /// What each dialogue allows, and our own name.
    pub session: SessionSettings,
    /// Where SMTP is spoken, e.g. `[::]:25`. None by default.
    pub smtp: Vec<SocketAddr>,
    /// Where LMTP is spoken; never on port 25 (RFC 2033 §5). None by default.
    pub lmtp: Vec<SocketAddr>,
    /// The Unix socket on which LMTP is spoken. None by default.
    pub lmtp_socket: Option<SocketFile>,
    /// The certificate for STARTTLS; without one it is not offered.
    pub tls: Option<TlsFiles>,
    /// How much is borne.
    pub limits: Limits,
}

/// A Unix socket in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its permissions; whoever may write to it may hand in mail.
    pub mode: u32,
    /// The group that it is given to, by name, e.g. `postfix`; the daemon's own without it.
    pub group: Option<String>,
}

/// A certificate and its key, as PEM files. Both are read again on a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and a root after it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How much the listener bears. Beyond it a connection is answered 421 and closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all. 2,000.
    pub connections: usize,
    /// SMTP connections from one address (IPv4) or one /64 (IPv6); this machine's own are not counted, for they come from
    /// a mail server in front. 20.
    pub connections_per_address: usize,
    /// How long one command may take to come (RFC 5321 §4.5.3.2.7). 5 minutes.
    pub idle: Duration,
    /// Over which time the speed of a message is judged. 1 minute.
    pub speed_window: Duration,
    /// The least bytes a second in which a message must come, over each window. 100.
    pub least_speed: usize,
    /// The same for a message that has become larger than 256 KiB: it holds memory that others wait for. 8,000.
    pub least_speed_large: usize,
    /// The bytes a second below which a large message gives way to others when memory is short. 64,000.
    pub fair_speed: usize,
    /// How long one message may take in all. 1 hour.
    pub message_time: Duration,
    /// How long a TLS handshake may take. 30 seconds.
    pub handshake: Duration,
    /// Bytes that all messages being received may hold together; at least the largest message. A quarter is kept for
    /// messages of up to 256 KiB. 64 MiB.
    pub message_memory: usize,
    /// How long messages on their way in are waited for at a stop. 20 seconds.
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
