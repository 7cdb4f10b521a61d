//! Floor 2: a small SMTP server that only takes mail in and remembers it. Tests, `depesch demo` and `depesch bench`
//! send to it; it is no mail server for anybody's real mail.
//!
//! It runs on threads of its own, so that it can stand beside the daemon in one process, and answers as a
//! [`script::Script`] tells it. What it accepted is in its [`record::Record`].

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

/// What a sink offers and keeps.
#[derive(Clone)]
pub struct SinkSettings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How many threads serve; one takes more than 10,000 messages a second.
    pub threads: usize,
    /// What it announces after EHLO, e.g. `PIPELINING`. STARTTLS and AUTH are added where they are possible.
    pub extensions: Vec<String>,
    /// What a message may have at most, in bytes.
    pub max_size: usize,
    /// With what to do TLS; `None`: no TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether TLS begins with the connection (RFC 8314 §3.3) and not after STARTTLS.
    pub implicit_tls: bool,
    /// User and password that may log in; `None`: no AUTH.
    pub login: Option<(String, String)>,
    /// The mechanisms it offers then: `PLAIN`, `LOGIN` or both.
    pub mechanisms: String,
    /// Whether AUTH is offered without TLS too.
    pub login_without_tls: bool,
    /// Whether bare CR and LF are looked for, and refused.
    pub check_line_ends: bool,
    /// What it keeps of accepted messages.
    pub keep: Keep,
}

impl Default for SinkSettings {
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

/// What the threads of a sink share.
struct Shared {
    settings: SinkSettings,
    record: Record,
    script: RwLock<Option<Arc<dyn Script>>>,
}

/// A running sink; dropping it stops it and closes its connections.
pub struct MockServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl MockServer {
    /// Binds and begins to serve.
    ///
    /// # Errors
    /// The address cannot be bound, a kept file cannot be opened, or no thread can be had.
    pub fn start(settings: SinkSettings) -> io::Result<Self> {
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
            threads.push(std::thread::Builder::new().name(format!("sink-{number}")).spawn(work)?);
        }
        Ok(Self { address, shared, stop, threads })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it accepted so far.
    pub fn record(&self) -> &Record {
        &self.shared.record
    }

    /// From now on it answers as `script` says.
    pub fn follow(&self, script: impl Script) {
        *self.shared.script.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(script));
    }

    /// Stops listening, closes all connections and waits for its threads.
    pub fn stop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing more to stop.
            drop(thread.join());
        }
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Accepts connections until told to stop; ending the runtime after it ends the sessions.
async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        // An error belongs to one connection that came and went, or passes when descriptors are free again.
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let number = shared.record.connections.fetch_add(1, Relaxed);
        let shared = shared.clone();
        tokio::spawn(async move { session::run(stream, number, &shared).await });
    }
}
