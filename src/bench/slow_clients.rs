//! A thousand peers send a byte a second: how long does a normal peer wait? Uses the real ingest: listener, session,
//! spool and store on disk; or a listener that runs already.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::app;
use crate::base::clock::{Clock, Stopwatch};
use crate::base::token::Key;
use crate::inbound::destination::Directory;
use crate::inbound::ingest::SpoolIngest;
use crate::runtime::notifier::Notifier;
use crate::smtp::listener::Listener;
use crate::smtp::settings::ListenerSettings;
use crate::store::Store;
use crate::store::embedded::Settings;
use crate::store::opening;
use crate::store::spool::{Spool, SpoolSettings};

use super::{material, process};

/// Descriptors needed besides connections.
const SPARE_DESCRIPTORS: u64 = 100;

/// Parameters of the measurement.
#[derive(Clone, Debug)]
pub(crate) struct SlowClientsBench {
    /// Number of slow peers.
    pub clients: u32,
    /// Number of seconds for which the normal peer sends.
    pub seconds: u32,
    /// Bytes of text in each message of the normal peer.
    pub message_bytes: usize,
    /// A listener that runs already; `None` starts an internal one.
    pub listener: Option<SocketAddr>,
    /// The recipient, which the listener must accept. `None` with an internal listener.
    pub recipient: Option<String>,
}

/// The result. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SlowClientsResult {
    /// Number of slow peers.
    pub clients: u32,
    /// How often one of them was cut off and reconnected.
    pub cut_off: u64,
    /// Number of accepted messages from the normal peer, each on a separate connection.
    pub messages: usize,
    /// Median time from connecting to the answer to QUIT.
    pub p50_milliseconds: f64,
    /// 99th percentile of that time.
    pub p99_milliseconds: f64,
    /// Maximum of that time.
    pub longest_milliseconds: f64,
    /// Peak memory of this process: including the slow peers, and an internal listener.
    pub peak_rss_bytes: u64,
}

/// Runs the measurement.
///
/// # Errors
/// What could not be set up, or that a message of the normal peer was not accepted.
pub(crate) async fn run(bench: &SlowClientsBench) -> anyhow::Result<SlowClientsResult> {
    raise_descriptors(u64::from(bench.clients))?;
    let temporary = tempfile::tempdir().context("no temporary directory can be made")?;
    let clock = app::system_clock();
    let own = match bench.listener {
        Some(_) => None,
        None => Some(own_listener(temporary.path(), clock.clone()).await?),
    };
    let own_address = own.as_ref().map(|own| own.address);
    let address = bench.listener.or(own_address).context("there is no listener")?;
    let recipient = bench.recipient.clone().unwrap_or_else(|| "bench@lists.example.org".to_owned());
    let cut_off = Arc::new(AtomicU64::new(0));
    let mut slow = JoinSet::new();
    for number in 0..bench.clients {
        slow.spawn(trickle(number, address, recipient.clone(), clock.clone(), cut_off.clone()));
    }
    // All are connected, and in the middle of their work.
    clock.wait_for(Duration::from_secs(2)).await;
    let times = normal_peer(bench, address, &recipient, clock.as_ref()).await;
    slow.shutdown().await;
    if let Some(own) = own {
        own.stop().await?;
    }
    let times = times?;
    let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
    Ok(SlowClientsResult {
        clients: bench.clients,
        cut_off: cut_off.load(Relaxed),
        messages: times.len(),
        p50_milliseconds: at(0.5),
        p99_milliseconds: at(0.99),
        longest_milliseconds: at(1.0),
        peak_rss_bytes: process::peak_rss_bytes(),
    })
}

/// Both ends of each connection may be in this process.
fn raise_descriptors(clients: u64) -> anyhow::Result<()> {
    let needed = clients * 2 + SPARE_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        bail!("{needed} open files are needed and {:?} allowed: raise the limit (ulimit -n)", limit.maximum);
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })?;
    Ok(())
}

struct OwnListener {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    spool: Spool,
    store: Store,
}

async fn own_listener(directory: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<OwnListener> {
    let (state, settings) = (directory.join("store"), Settings { create: true, ..Settings::default() });
    let (store, _) = tokio::task::spawn_blocking(move || opening::open(&state, settings)).await??;
    material::add_list(&store, clock.now()).await?;
    let spool = Spool::open(&directory.join("spool"), SpoolSettings::default(), clock.clone())?;
    let book = Arc::new(Directory::new(store.clone(), Key::new([1; 32])));
    let ingest = Arc::new(SpoolIngest::new(store.clone(), spool.clone(), Notifier::new(), book));
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener =
        Listener::bind(ListenerSettings { smtp: vec![any_port], ..ListenerSettings::default() }, Vec::new()).await?;
    let address = listener.local_addr().context("the listener has no address")?;
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(listener.run(ingest, clock, async { drop(stopped.await) }));
    Ok(OwnListener { address, stop, task, spool, store })
}

impl OwnListener {
    async fn stop(self) -> anyhow::Result<()> {
        // It is still running until this.
        let _ = self.stop.send(());
        self.task.await?;
        let spool = self.spool;
        tokio::task::spawn_blocking(move || spool.close()).await?;
        Ok(self.store.maintenance().close().await?)
    }
}

/// Sends a byte a second for ever: half of the peers from their first command on, the others in the middle of a
/// message. Reconnects when it is cut off.
async fn trickle(number: u32, address: SocketAddr, recipient: String, clock: Arc<dyn Clock>, cut_off: Arc<AtomicU64>) {
    let second = Duration::from_secs(1);
    clock.wait_for(Duration::from_millis(u64::from(number % 1000))).await;
    let dialogue =
        format!("EHLO slow{number}.example\r\nMAIL FROM:<slow@example.com>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
    loop {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            clock.wait_for(second).await;
            continue;
        };
        let (at_once, slowly) =
            if number.is_multiple_of(2) { ("", dialogue.as_str()) } else { (dialogue.as_str(), "") };
        let mut sent = stream.write_all(at_once.as_bytes()).await;
        let mut bytes = slowly.bytes().chain(std::iter::repeat(b'x'));
        while sent.is_ok() {
            clock.wait_for(second).await;
            // The answers do not matter; the end of the connection does.
            if matches!(stream.try_read(&mut [0; 512]), Ok(0)) {
                break;
            }
            sent = stream.write_all(&[bytes.next().unwrap_or(b'x')]).await;
        }
        cut_off.fetch_add(1, Relaxed);
    }
}

/// Sends one message after the other; returns the time of each, sorted, in milliseconds.
async fn normal_peer(
    bench: &SlowClientsBench,
    address: SocketAddr,
    recipient: &str,
    clock: &dyn Clock,
) -> anyhow::Result<Vec<f64>> {
    let line = "The trains leave in the evening, and whoever boards them has a night to read.\r\n";
    let text = line.repeat(bench.message_bytes.div_ceil(line.len()));
    let end = clock.now() + chrono::Duration::seconds(i64::from(bench.seconds));
    let mut times = Vec::new();
    while times.is_empty() || clock.now() < end {
        let watch = Stopwatch::start();
        one_message(address, recipient, &text).await.with_context(|| format!("message {}", times.len() + 1))?;
        times.push(watch.nanoseconds() as f64 / 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

async fn one_message(address: SocketAddr, recipient: &str, text: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let content = format!("From: normal@example.com\r\nSubject: Night trains\r\n\r\n{text}.");
    let recipient = format!("RCPT TO:<{recipient}>");
    let dialogue = [
        ("", "220"),
        ("EHLO normal.example", "250"),
        ("MAIL FROM:<normal@example.com>", "250"),
        (&recipient, "250"),
        ("DATA", "354"),
        (&content, "250"),
        ("QUIT", "221"),
    ];
    for (line, code) in dialogue {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        }
        let reply = reply(&mut stream).await?;
        if !reply.starts_with(code) {
            bail!("the listener answered \u{201c}{}\u{201d} instead of {code}", reply.trim_end());
        }
    }
    Ok(())
}

/// The next reply with all its lines.
async fn reply(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            bail!("the listener ended the connection");
        }
        let text = String::from_utf8_lossy(&read);
        let last = text.strip_suffix("\r\n").and_then(|lines| lines.rsplit("\r\n").next());
        if last.is_some_and(|line| line.as_bytes().get(3) == Some(&b' ')) {
            return Ok(text.into_owned());
        }
    }
}
