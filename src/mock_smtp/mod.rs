//! Floor 2: a small mock SMTP server that only receives mail and records it. Used by tests, `depesch demo` and
//! `depesch bench`; not suitable for real mail.
//!
//! It runs on threads of its own, so that it can run next to the daemon in one process, and answers as a
//! [`script::Script`] specifies. What it accepted is in its [`record::Record`].

mod content;
pub mod record;
pub mod script;
mod session;
mod stream;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

use record::{Keep, Record};
use script::Script;

/// Settings of a mock server.
#[derive(Clone)]
pub struct MockSettings {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Number of threads; one handles more than 10,000 messages a second.
    pub threads: usize,
    /// Extensions announced after EHLO, e.g. `PIPELINING`. STARTTLS and AUTH are added if possible.
    pub extensions: Vec<String>,
    /// Maximum size of a message, in bytes.
    pub max_size: usize,
    /// The TLS configuration; `None`: no TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether TLS begins with the connection (RFC 8314 §3.3) instead of after STARTTLS.
    pub implicit_tls: bool,
    /// The user and password for AUTH; `None`: no AUTH.
    pub login: Option<(String, String)>,
    /// The mechanisms offered then: `PLAIN`, `LOGIN` or both.
    pub mechanisms: String,
    /// Whether AUTH is offered without TLS too.
    pub login_without_tls: bool,
    /// Whether bare CR and LF are detected and refused.
    pub check_line_ends: bool,
    /// What is kept of accepted messages.
    pub keep: Keep,
}

impl Default for MockSettings {
    fn default() -> Self {
        let extensions = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 52428800", "DSN"];
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            threads: 1,
            extensions: extensions.map(str::to_owned).to_vec(),
            max_size: 52_428_800,
            tls: None,
            implicit_tls: false,
            login: None,
            mechanisms: "PLAIN LOGIN".to_owned(),
            login_without_tls: false,
            check_line_ends: true,
            keep: Keep { messages: true, message_ids: true, ..Keep::default() },
        }
    }
}

/// The state shared by the threads.
struct Shared {
    settings: MockSettings,
    record: Record,
    script: RwLock<Option<Arc<dyn Script>>>,
}

/// A running mock server; dropping it stops it and closes its connections.
pub struct MockServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl MockServer {
    /// Binds the address and starts serving.
    ///
    /// # Errors
    /// The address cannot be bound, a file cannot be opened, or a thread cannot be started.
    pub fn start(settings: MockSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let record = Record::open(settings.keep.clone())?;
        let (stop, stopped) = watch::channel(false);
        let count = settings.threads.max(1);
        let shared = Arc::new(Shared { settings, record, script: RwLock::new(None) });
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (shared, stopped, listener) = (shared.clone(), stopped.clone(), listener.try_clone()?);
            let work = move || runtime.block_on(serve(listener, shared, stopped));
            threads.push(std::thread::Builder::new().name(format!("mock-smtp-{number}")).spawn(work)?);
        }
        Ok(Self { address, shared, stop, threads })
    }

    /// The local address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has accepted so far.
    pub fn record(&self) -> &Record {
        &self.shared.record
    }

    /// Answers according to `script` from now on.
    pub fn follow(&self, script: impl Script) {
        *self.shared.script.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(script));
    }

    /// Stops listening, closes all connections and waits for its threads.
    pub fn stop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to stop.
            drop(thread.join());
        }
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Accepts connections until stopped; shutting down the runtime afterwards ends the sessions.
async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        // An error belongs to a connection that has closed, or passes when descriptors are free again.
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let number = shared.record.connections.fetch_add(1, Relaxed);
        let shared = shared.clone();
        tokio::spawn(async move { session::run(stream, number, &shared).await });
    }
}
