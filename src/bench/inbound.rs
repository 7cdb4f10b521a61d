//! Measures thousands of bounces: received over LMTP by a whole daemon with its store on disk, parsed, classified, and
//! their effects durable. Each concerns another delivery, and is addressed to its signed envelope sender.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::app;
use crate::base::clock::Stopwatch;
use crate::base::id::SubscriberId;
use crate::base::token::{Key, Purpose};
use crate::config::{Config, TransportChoice};
use crate::model::inbound::{InboundKind, InboundState};
use crate::store::Store;

use super::{material, process};

/// The mailing of all bounces.
const MAILING: u64 = 1;
/// Records read at a time when counting.
const STEP: usize = 1000;

/// Parameters of the measurement.
#[derive(Clone, Debug)]
pub(crate) struct InboundBench {
    /// Number of bounces.
    pub bounces: u64,
    /// Number of connections.
    pub connections: u64,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct InboundResult {
    /// Number of bounces.
    pub bounces: u64,
    /// Number of connections.
    pub connections: u64,
    /// Bytes of one bounce.
    pub message_bytes: usize,
    /// Bounces per second until the last 250: each is durable in the spool then.
    pub taken_per_second: f64,
    /// Bounces per second until the effects of the last were durable.
    pub handled_per_second: f64,
    /// CPU per bounce, in microseconds, including the senders.
    pub cpu_microseconds: f64,
    /// Syncs of the journal per bounce; the spool's own come in addition.
    pub syncs_per_bounce: f64,
    /// Peak memory, in bytes: daemon, creation of subscribers and senders in one process.
    pub peak_rss_bytes: u64,
    /// Number handled as a bounce.
    pub handled: u64,
    /// Number handled otherwise: must be zero.
    pub other: u64,
    /// Number of subscribers suspended at the end: each bounce says that an address does not exist.
    pub suspended: u64,
}

/// Runs the measurement.
///
/// # Errors
/// What could not be set up, or a bounce that was not accepted.
pub(crate) async fn run(bench: &InboundBench) -> anyhow::Result<InboundResult> {
    let temporary = tempfile::tempdir().context("no temporary directory can be made")?;
    let mut config = Config::load(None)?.config;
    config.state_directory = temporary.path().join("state");
    config.control.path = temporary.path().join("control.sock");
    config.transport = TransportChoice::Capture;
    config.inbound.lmtp = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    let clock = app::system_clock();
    let daemon = app::start(&config, clock.clone(), app::Begin::WhereNone).await?;
    let address = daemon.mail_addresses().first().copied().context("the daemon does not listen")?;
    let store = daemon.control().store.clone();
    material::add_list(&store, clock.now()).await?;
    material::add_subscribers(&store, bench.bounces, clock.now()).await?;

    let key = Arc::new(store.installation_key().await?);
    let (cpu, syncs) =
        (process::cpu_nanoseconds(|_| true), daemon.store().maintenance().stats().unwrap_or_default().syncs);
    let watch = Stopwatch::start();
    let mut senders = JoinSet::new();
    for number in 0..bench.connections {
        let numbers = (1 + number..=bench.bounces).step_by(bench.connections as usize);
        senders.spawn(send(address, key.clone(), numbers.collect()));
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    let taken = watch.nanoseconds() as f64 / 1e9;
    while !store.waiting_inbound(None, 1).await?.is_empty() {
        clock.wait_for(Duration::from_millis(2)).await;
    }
    let handled = watch.nanoseconds() as f64 / 1e9;
    let cpu = process::cpu_nanoseconds(|_| true).saturating_sub(cpu);
    let syncs = daemon.store().maintenance().stats().unwrap_or_default().syncs - syncs;
    let (as_bounces, other) = count(&store).await?;
    let suspended = count_suspended(&store).await?;
    daemon.stop().await;
    let bounces = bench.bounces as f64;
    Ok(InboundResult {
        bounces: bench.bounces,
        connections: bench.connections,
        message_bytes: bounce(&key, 1).1.len(),
        taken_per_second: bounces / taken,
        handled_per_second: bounces / handled,
        cpu_microseconds: cpu as f64 / 1e3 / bounces,
        syncs_per_bounce: syncs as f64 / bounces,
        peak_rss_bytes: process::peak_rss_bytes(),
        handled: as_bounces,
        other,
        suspended,
    })
}

/// Number of subscribers suspended by bounces.
async fn count_suspended(store: &Store) -> anyhow::Result<u64> {
    let (mut suspended, mut after) = (0, SubscriberId(0));
    loop {
        let found = store.scan_scores(after, STEP).await?;
        let Some((last, _)) = found.last() else { return Ok(suspended) };
        after = *last;
        suspended += found.iter().filter(|(_, score)| score.value.suspension.is_some()).count() as u64;
    }
}

/// Number of messages handled as bounces, and of others.
async fn count(store: &Store) -> anyhow::Result<(u64, u64)> {
    let (mut bounces, mut other, mut after) = (0, 0, None);
    loop {
        let found = store.scan_inbound(after, STEP).await?;
        let Some(last) = found.last() else { return Ok((bounces, other)) };
        after = Some(last.value.id);
        for read in &found {
            match read.value.state {
                InboundState::Handled { kind: InboundKind::Bounce, .. } => bounces += 1,
                _ => other += 1,
            }
        }
    }
}

/// Sends bounces, one after the other, as a mail server in front does.
async fn send(address: SocketAddr, key: Arc<Key>, numbers: Vec<u64>) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    expect(&mut stream, &["220"]).await?;
    stream.write_all(b"LHLO mx.example.org\r\n").await?;
    expect(&mut stream, &["250"]).await?;
    for number in numbers {
        let (recipient, content) = bounce(&key, number);
        // RFC 2920: commands that need no wait are sent together.
        let envelope = format!("MAIL FROM:<>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
        stream.write_all(envelope.as_bytes()).await?;
        expect(&mut stream, &["250", "250", "354"]).await?;
        stream.write_all(format!("{content}.\r\n").as_bytes()).await?;
        expect(&mut stream, &["250"]).await?;
    }
    stream.write_all(b"QUIT\r\n").await?;
    Ok(())
}

/// Reads one reply for each of `codes`.
async fn expect(stream: &mut TcpStream, codes: &[&str]) -> anyhow::Result<()> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        // The last line of a reply has a space after its code (RFC 5321 §4.2.1).
        let whole: Vec<&str> = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n') && line.as_bytes().get(3) == Some(&b' '))
            .collect();
        if let Some((line, code)) = whole.iter().zip(codes).find(|(line, code)| !line.starts_with(**code)) {
            bail!("the daemon answered \u{201c}{}\u{201d} instead of {code}", line.trim_end());
        }
        if whole.len() >= codes.len() {
            return Ok(());
        }
        if stream.read_buf(&mut read).await? == 0 {
            bail!("the daemon ended the connection");
        }
    }
}

/// A bounce of the mailing to one subscriber: its recipient, and the message.
fn bounce(key: &Key, subscriber: u64) -> (String, String) {
    let token = key.sign(Purpose::Bounce, &[MAILING, subscriber]);
    let reader = format!("reader{subscriber}@newsroom{}.example", subscriber % 97);
    let sender = format!("bench-bounces+{token}@lists.example.org");
    let message_id = format!("<m{MAILING}.{subscriber}@lists.example.org>");
    let text = material::status_report(&sender, &reader, &message_id, subscriber);
    (sender, text)
}
