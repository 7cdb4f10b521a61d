//! The listener: sockets bound or inherited, connections accepted within the limits, and an orderly stop.

use std::future::Future;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::base::clock::Clock;
use crate::inbound::recipients::Ingest;
use crate::socket::{self, SocketError};

use super::connection::{self, Shared};
use super::connection_limits::ConnectionLimits;
use super::counters::Counters;
use super::memory::MessageMemory;
use super::reply;
use super::session::Protocol;
use super::settings::ListenerSettings;
use super::stream::Stream;
use super::tls::{Tls, TlsError};

/// Pause after an error of `accept`, which most likely means too few file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// RFC 2033 §5.
const SMTP_PORT: u16 = 25;

/// Why the listener could not start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The system refused an address.
    #[error("cannot listen on {address} for mail: {error}")]
    Bind {
        /// The address.
        address: String,
        /// The system's error.
        error: io::Error,
    },
    /// RFC 2033 §5: peers on port 25 speak SMTP, and would not understand LMTP's replies.
    #[error("LMTP may not be spoken on port 25 ({0}); choose another port, 24 is customary")]
    LmtpOnSmtpPort(SocketAddr),
    /// The Unix socket for LMTP could not be opened.
    #[error("the LMTP socket: {0}")]
    Socket(#[from] SocketError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A setting is invalid.
    #[error("{0}")]
    Settings(&'static str),
}

/// A socket bound by another program, e.g. systemd.
#[derive(Debug)]
pub enum Inherited {
    /// On TCP.
    Tcp(Protocol, std::net::TcpListener),
    /// LMTP on a Unix socket; its file is not ours to remove.
    Unix(std::os::unix::net::UnixListener),
}

enum Endpoint {
    Tcp(Protocol, TcpListener),
    Unix(UnixListener, Option<PathBuf>),
}

/// An accepted connection.
enum Came {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

/// Bound sockets; peers wait until [`Listener::run`].
pub struct Listener {
    settings: ListenerSettings,
    endpoints: Vec<Endpoint>,
    tls: Option<Arc<Tls>>,
    connection_limits: Arc<ConnectionLimits>,
    memory: Arc<MessageMemory>,
    counters: Arc<Counters>,
}

impl Listener {
    /// Checks the settings and reads the certificate. Opens no socket.
    ///
    /// # Errors
    /// [`ListenError`], with the same text as [`Listener::bind`] for the same settings.
    pub(crate) fn examine(settings: &ListenerSettings) -> Result<Option<Arc<Tls>>, ListenError> {
        check(settings)?;
        for address in &settings.lmtp {
            not_lmtp_on_smtp_port(Protocol::Lmtp, *address)?;
        }
        if let Some(file) = &settings.lmtp_socket {
            socket::examine(&file.path, file.group.as_deref())?;
        }
        Ok(settings.tls.clone().map(Tls::load).transpose()?)
    }

    /// Reads the certificate and opens all sockets, those in the settings and `inherited` ones. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`ListenError`]; nothing stays open.
    pub async fn bind(settings: ListenerSettings, inherited: Vec<Inherited>) -> Result<Self, ListenError> {
        let tls = Self::examine(&settings)?;
        let mut endpoints = Vec::new();
        let smtp = settings.smtp.iter().map(|address| (Protocol::Smtp, *address));
        for (protocol, address) in smtp.chain(settings.lmtp.iter().map(|address| (Protocol::Lmtp, *address))) {
            let listener = TcpListener::bind(address).await.map_err(failed(&address))?;
            endpoints.push(Endpoint::Tcp(protocol, listener));
        }
        for socket in inherited {
            endpoints.push(inherit(socket)?);
        }
        if let Some(file) = &settings.lmtp_socket {
            let listener = socket::open(&file.path, file.mode, file.group.as_deref()).await?;
            endpoints.push(Endpoint::Unix(listener, Some(file.path.clone())));
        }
        let limits = &settings.limits;
        let connection_limits = ConnectionLimits::new(limits.connections, limits.connections_per_address);
        let memory = memory(&settings);
        Ok(Self { endpoints, tls, connection_limits, memory, counters: Arc::default(), settings })
    }

    /// The TCP addresses, in the order of the settings: SMTP, LMTP, inherited.
    pub fn addresses(&self) -> Vec<(Protocol, SocketAddr)> {
        let address = |endpoint: &Endpoint| match endpoint {
            Endpoint::Tcp(protocol, listener) => listener.local_addr().ok().map(|address| (*protocol, address)),
            Endpoint::Unix(..) => None,
        };
        self.endpoints.iter().filter_map(address).collect()
    }

    /// The first TCP address.
    #[cfg(feature = "bench")]
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses().first().map(|(_, address)| *address)
    }

    /// The certificate, which can be read again while the listener runs.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// Returns a function that counts the open connections.
    pub(crate) fn open_connections(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let connection_limits = self.connection_limits.clone();
        move || connection_limits.taken()
    }

    /// The memory used by messages being received.
    pub fn memory(&self) -> Arc<MessageMemory> {
        self.memory.clone()
    }

    /// Its counters.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Accepts mail until `shutdown` completes. Then no connection is accepted, peers that are not sending a message
    /// are dismissed with 421, and messages being received are awaited within the limits. Each message answered with
    /// 250 is durable.
    pub async fn run(self, ingest: Arc<dyn Ingest>, clock: Arc<dyn Clock>, shutdown: impl Future<Output = ()>) {
        let shared = Arc::new(Shared {
            session: Arc::new(self.settings.session),
            memory: self.memory,
            limits: self.settings.limits,
            tls: self.tls,
            ingest,
            clock,
            counters: self.counters,
        });
        let (stop, stopping) = watch::channel(false);
        let mut endpoints = JoinSet::new();
        for endpoint in self.endpoints {
            endpoints.spawn(keep(endpoint, shared.clone(), self.connection_limits.clone(), stopping.clone()));
        }
        shutdown.await;
        stop.send_replace(true);
        while let Some(ended) = endpoints.join_next().await {
            note_panic(ended);
        }
    }
}

fn check(settings: &ListenerSettings) -> Result<(), ListenError> {
    if !super::mailbox::is_host(&settings.session.host_name) {
        return Err(ListenError::Settings("the listener's own name must be a domain name, e.g. mx.example.org"));
    }
    if settings.session.max_recipients < 100 {
        return Err(ListenError::Settings("at least 100 recipients must be allowed (RFC 5321, section 4.5.3.1.8)"));
    }
    if settings.limits.message_memory < settings.session.max_message_bytes.saturating_add(4096) {
        return Err(ListenError::Settings("the memory for messages must hold the largest message and 4 KiB more"));
    }
    Ok(())
}

/// Reserves for small messages a quarter, or what the largest message leaves.
fn memory(settings: &ListenerSettings) -> Arc<MessageMemory> {
    let (in_all, largest) = (settings.limits.message_memory, settings.session.max_message_bytes.saturating_add(4096));
    MessageMemory::reserving(in_all, (in_all / 4).min(in_all.saturating_sub(largest)))
}

fn failed(address: &dyn ToString) -> impl FnOnce(io::Error) -> ListenError {
    let address = address.to_string();
    move |error| ListenError::Bind { address, error }
}

fn not_lmtp_on_smtp_port(protocol: Protocol, address: SocketAddr) -> Result<(), ListenError> {
    match protocol == Protocol::Lmtp && address.port() == SMTP_PORT {
        true => Err(ListenError::LmtpOnSmtpPort(address)),
        false => Ok(()),
    }
}

fn inherit(socket: Inherited) -> Result<Endpoint, ListenError> {
    let what = "an inherited socket";
    match socket {
        Inherited::Tcp(protocol, listener) => {
            not_lmtp_on_smtp_port(protocol, listener.local_addr().map_err(failed(&what))?)?;
            listener.set_nonblocking(true).map_err(failed(&what))?;
            Ok(Endpoint::Tcp(protocol, TcpListener::from_std(listener).map_err(failed(&what))?))
        }
        Inherited::Unix(listener) => {
            listener.set_nonblocking(true).map_err(failed(&what))?;
            Ok(Endpoint::Unix(UnixListener::from_std(listener).map_err(failed(&what))?, None))
        }
    }
}

impl Endpoint {
    fn protocol(&self) -> Protocol {
        match self {
            Self::Tcp(protocol, _) => *protocol,
            Self::Unix(..) => Protocol::Lmtp,
        }
    }

    async fn accept(&self) -> io::Result<Came> {
        match self {
            Self::Tcp(_, listener) => {
                let (stream, address) = listener.accept().await?;
                Ok(Came::Tcp(stream, address.ip().to_canonical()))
            }
            Self::Unix(listener, _) => Ok(Came::Unix(listener.accept().await?.0)),
        }
    }
}

/// Accepts peers on one socket until told to stop, and ends when the last one has left.
async fn keep(
    endpoint: Endpoint,
    shared: Arc<Shared>,
    connection_limits: Arc<ConnectionLimits>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let came = tokio::select! {
            came = endpoint.accept() => came,
            Some(ended) = connections.join_next() => {
                note_panic(ended);
                continue;
            }
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        match came {
            Ok(came) => let_in(came, endpoint.protocol(), &shared, &connection_limits, &stopping, &mut connections),
            Err(error) => {
                tracing::warn!(%error, "a connection for mail could not be accepted");
                shared.clock.wait_for(ACCEPT_PAUSE).await;
            }
        }
    }
    if let Endpoint::Unix(_, Some(path)) = &endpoint {
        // If this fails, it only leaves a stale socket.
        let _ = std::fs::remove_file(path);
    }
    drop(endpoint);
    let mut late = shared.clock.wait_for(shared.limits.drain);
    loop {
        tokio::select! {
            ended = connections.join_next() => match ended {
                Some(ended) => note_panic(ended),
                None => return,
            },
            () = &mut late => {
                tracing::warn!(connections = connections.len(), "connections that did not end in time are closed");
                return connections.shutdown().await;
            }
        }
    }
}

fn let_in(
    came: Came,
    protocol: Protocol,
    shared: &Arc<Shared>,
    connection_limits: &Arc<ConnectionLimits>,
    stopping: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    let (stream, peer) = match came {
        Came::Tcp(stream, peer) => (Stream::Tcp(stream), Some(peer)),
        Came::Unix(stream) => (Stream::Unix(stream), None),
    };
    let place = match connection_limits.enter(protocol, peer) {
        Ok(place) => place,
        Err(why) => {
            shared.counters.turned_away.fetch_add(1, Relaxed);
            tracing::debug!(?peer, ?why, "connection turned away");
            return turn_away(stream, &reply::to_turned_away(why).line());
        }
    };
    if let Stream::Tcp(stream) = &stream {
        // Without it a reply waits for the next acknowledgement; if the socket refuses, it is served all the same.
        drop(stream.set_nodelay(true));
    }
    let number = shared.counters.connections.fetch_add(1, Relaxed);
    let id = format!("{:x}-{number:x}", shared.clock.now().timestamp_millis());
    let (shared, stopping) = (shared.clone(), stopping.clone());
    connections.spawn(async move {
        connection::run(stream, protocol, peer, id, &shared, stopping).await;
        drop(place);
    });
}

/// Sends the reason and closes; waits for nothing, so that a flood costs little.
fn turn_away(stream: Stream, reply: &str) {
    // The peer may have left already, or accept nothing: then it gets no reply.
    drop(match stream {
        Stream::Tcp(stream) => stream.into_std().and_then(|mut stream| stream.write_all(reply.as_bytes())),
        Stream::Unix(stream) => stream.into_std().and_then(|mut stream| stream.write_all(reply.as_bytes())),
        Stream::Tls(_) => Ok(()),
    });
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection for mail failed; its peer will try again");
    }
}
