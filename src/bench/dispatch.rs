//! Measures the whole path of a mailing, with a store on disk: freezing, leases, intents, rendering, SMTP, outcomes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::app;
use crate::base::clock::{Clock, Stopwatch};
use crate::base::id::{MailingId, SubscriberId};
use crate::composition::release_messages::{MessageSettings, ReleaseMessages};
use crate::mailings::audience;
use crate::mock_smtp::record::Keep;
use crate::mock_smtp::{MockServer, MockSettings};
use crate::model::classify::Classifier;
use crate::model::ledger::Tally;
use crate::model::mailing::{AudienceQuery, Mailing, MailingContent, MissedPolicy, Schedule, Stage};
use crate::outbound::dispatch::{DispatchParts, DispatchSettings, Dispatcher};
use crate::render::registry::Templates;
use crate::runtime::notifier::Notifier;
use crate::store::blobs::Blobs;
use crate::store::embedded::Settings;
use crate::store::engine::{Batch, Commit};
use crate::store::opening;
use crate::store::{Store, mailings};
use crate::transport::relay::{Encryption, Relay, RelaySettings};

use super::{material, process};

/// Parameters of the measurement.
#[derive(Clone, Debug)]
pub(crate) struct DispatchBench {
    /// Number of recipients.
    pub recipients: u64,
    /// Number of connections.
    pub connections: usize,
    /// The relay; `None` uses an internal one, which proves that nothing is lost or doubled.
    pub relay: Option<(String, u16)>,
    /// Where the store is created and kept; `None`: in a temporary directory.
    pub directory: Option<PathBuf>,
}

/// The result. Times are in seconds, sizes in bytes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DispatchResult {
    /// Number of recipients.
    pub recipients: u64,
    /// Number of connections.
    pub connections: usize,
    /// Time to write the subscribers.
    pub setup_seconds: f64,
    /// Time to freeze the audience.
    pub freeze_seconds: f64,
    /// Time to send, from the first lease to the last outcome.
    pub send_seconds: f64,
    /// Messages per second while sending.
    pub messages_per_second: f64,
    /// Messages per second in each tenth of the mailing: the last should equal the first.
    pub rate_by_tenth: Vec<f64>,
    /// Bytes of one message.
    pub message_bytes: usize,
    /// CPU per message, by stage.
    pub cpu_microseconds: CpuByStage,
    /// Peak memory.
    pub peak_rss_bytes: u64,
    /// Bytes of journal per message.
    pub journal_bytes_per_message: f64,
    /// Syncs of the journal per message.
    pub syncs_per_message: f64,
    /// The ledger at the end.
    pub ledger: LedgerCounts,
    /// What the internal relay received; unknown for another relay.
    pub proof: Option<Proof>,
}

/// Microseconds of CPU per message. `look_up` and `compose` are measured by the clock around code that does not wait,
/// so on busy processors they come out too large rather than too small.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct CpuByStage {
    /// Reading subscriber and suppression.
    pub look_up: f64,
    /// Rendering and composing.
    pub compose: f64,
    /// The committer thread: checks, journal, index.
    pub commit: f64,
    /// The rest of this process: SMTP, the runtime, the index's background work; without the internal relay.
    pub smtp_and_rest: f64,
    /// The sum.
    pub whole: f64,
}

/// The ledger's counts.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct LedgerCounts {
    /// Accepted by the relay.
    pub accepted: u64,
    /// Everything else.
    pub other: u64,
    /// Sent again after a doubt.
    pub resent: u64,
}

/// A comparison of the relay's record with the ledger.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Proof {
    /// Accepted in the ledger, but never received.
    pub lost: u64,
    /// Received more than once.
    pub doubled: u64,
}

/// Runs the measurement.
///
/// # Errors
/// What could not be set up, or that the ledger does not add up.
pub(crate) async fn run(bench: &DispatchBench) -> anyhow::Result<DispatchResult> {
    app::parts::install_cryptography();
    let temporary = tempfile::tempdir().context("no temporary directory can be made")?;
    let directory = bench.directory.as_deref().unwrap_or(temporary.path());
    let (relay, host, port) = way_out(bench)?;
    let clock = app::system_clock();
    let store = open(directory).await?;

    let watch = Stopwatch::start();
    material::add_list(&store, clock.now()).await?;
    material::add_subscribers(&store, bench.recipients, clock.now()).await?;
    let setup_seconds = seconds(&watch);
    let id = queue(&store, clock.as_ref()).await?;
    let watch = Stopwatch::start();
    audience::freeze(&store, clock.as_ref(), id).await?;
    let freeze_seconds = seconds(&watch);

    let sent = send(bench, &store, &clock, directory, (host, port), id).await?;
    let proof = relay.map(|relay| {
        let copies = relay.record().copies();
        Proof { lost: sent.tally.accepted.saturating_sub(copies.distinct), doubled: copies.doubled }
    });
    store.maintenance().close().await?;
    if sent.tally.audience() != bench.recipients {
        bail!("the ledger does not add up: {:?} for {} recipients", sent.tally, bench.recipients);
    }
    Ok(DispatchResult {
        recipients: bench.recipients,
        connections: bench.connections,
        setup_seconds,
        freeze_seconds,
        send_seconds: sent.seconds,
        messages_per_second: bench.recipients as f64 / sent.seconds,
        rate_by_tenth: sent.rates,
        message_bytes: sent.message_bytes,
        cpu_microseconds: sent.cpu,
        peak_rss_bytes: process::peak_rss_bytes(),
        journal_bytes_per_message: sent.journal_bytes as f64 / bench.recipients as f64,
        syncs_per_message: sent.syncs as f64 / bench.recipients as f64,
        ledger: LedgerCounts {
            accepted: sent.tally.accepted,
            other: sent.tally.audience() - sent.tally.accepted,
            resent: sent.tally.resent,
        },
        proof,
    })
}

fn way_out(bench: &DispatchBench) -> anyhow::Result<(Option<MockServer>, String, u16)> {
    if let Some((host, port)) = &bench.relay {
        return Ok((None, host.clone(), *port));
    }
    let keep = Keep { message_ids: true, ..Keep::default() };
    let relay = MockServer::start(MockSettings { threads: 2, keep, ..MockSettings::default() }).context("no relay")?;
    let address: SocketAddr = relay.address();
    Ok((Some(relay), address.ip().to_string(), address.port()))
}

async fn open(directory: &Path) -> anyhow::Result<Store> {
    let directory = directory.to_owned();
    let settings = Settings { create: true, ..Settings::default() };
    let (store, _) = tokio::task::spawn_blocking(move || opening::open(&directory, settings)).await??;
    Ok(store)
}

async fn queue(store: &Store, clock: &dyn Clock) -> anyhow::Result<MailingId> {
    let now = clock.now();
    let release = material::add_release(store, now).await?;
    let id = MailingId(store.allocate(mailings::COUNTER, 1).await?);
    let audience = AudienceQuery { lists: [material::list_name()?].into(), ..AudienceQuery::default() };
    let schedule = Schedule { at: now, zone: "UTC".to_owned(), missed: MissedPolicy::Send, grace_seconds: 60 };
    let mailing = Mailing {
        id,
        stage: Stage::Freezing { cursor: SubscriberId(0), chunks: 0, audience: 0, since: now },
        created_by: "bench".to_owned(),
        ..Mailing::new(MailingContent::Release(release), audience, schedule, now)
    };
    let mut batch = Batch::new();
    mailings::put_mailing(&mut batch, &mailing, None);
    match store.commit(batch).await? {
        Commit::Applied => Ok(id),
        Commit::Conflict(_) => bail!("the mailing already exists"),
    }
}

struct Sent {
    seconds: f64,
    rates: Vec<f64>,
    tally: Tally,
    cpu: CpuByStage,
    journal_bytes: u64,
    syncs: u64,
    message_bytes: usize,
}

async fn send(
    bench: &DispatchBench,
    store: &Store,
    clock: &Arc<dyn Clock>,
    directory: &Path,
    (host, port): (String, u16),
    id: MailingId,
) -> anyhow::Result<Sent> {
    let key = store.installation_key().await?;
    let blobs = Blobs::in_state_directory(directory);
    let templates = Arc::new(Templates::load(None)?);
    let settings = MessageSettings { base_url: Some("https://lists.example.org".to_owned()), ..Default::default() };
    let messages =
        Arc::new(ReleaseMessages::new(store.clone(), blobs, templates, key.clone(), clock.clone(), settings));
    let message_bytes = one_message(store, &messages, id).await?;
    let relay = Relay::new(RelaySettings { host, port, encryption: Encryption::None, ..RelaySettings::default() })?;
    let stats = || store.maintenance().stats().unwrap_or_default();
    let (before, cpu_before) = (stats(), cpu());
    let watch = Stopwatch::start();
    let dispatcher = Dispatcher::start(DispatchParts {
        store: store.clone(),
        clock: clock.clone(),
        transport: Arc::new(relay),
        messages,
        key,
        classifier: Classifier::shipped()?,
        notifier: Notifier::new(),
        settings: DispatchSettings { connections: bench.connections, ..DispatchSettings::default() },
    })
    .await?;
    let rates = watch_rates(&dispatcher, clock.as_ref(), &watch, bench.recipients).await?;
    let elapsed = seconds(&watch);
    let (after, cpu_after) = (stats(), cpu());
    let stages = dispatcher.stats();
    dispatcher.drain().await;
    let mailing = store.mailing(id).await?.context("the mailing is gone")?.value;
    let per_message = |nanoseconds: u64| nanoseconds as f64 / 1000.0 / bench.recipients as f64;
    let commit = after.committer_nanoseconds - before.committer_nanoseconds;
    let whole = cpu_after.saturating_sub(cpu_before);
    let known = commit + stages.lookup_nanoseconds + stages.compose_nanoseconds;
    Ok(Sent {
        seconds: elapsed,
        rates,
        tally: store.tally(&mailing).await?,
        cpu: CpuByStage {
            look_up: per_message(stages.lookup_nanoseconds),
            compose: per_message(stages.compose_nanoseconds),
            commit: per_message(commit),
            smtp_and_rest: per_message(whole.saturating_sub(known)),
            whole: per_message(whole),
        },
        journal_bytes: after.journal_bytes - before.journal_bytes,
        syncs: after.syncs - before.syncs,
        message_bytes,
    })
}

/// The size of the message to the first recipient.
async fn one_message(store: &Store, messages: &ReleaseMessages, id: MailingId) -> anyhow::Result<usize> {
    use crate::composition::message::PreparedMailing;
    let mailing = store.mailing(id).await?.context("the mailing is gone")?.value;
    let prepared = messages.prepare_mailing(&mailing).await?;
    let first = store.scan_subscribers(SubscriberId(0), 1).await?;
    let subscriber = &first.first().context("there are no recipients")?.value;
    Ok(prepared.make(subscriber).map_err(anyhow::Error::msg)?.whole().len())
}

/// Waits until all are sent, and records the rate of each tenth.
async fn watch_rates(
    dispatcher: &Dispatcher,
    clock: &dyn Clock,
    watch: &Stopwatch,
    recipients: u64,
) -> anyhow::Result<Vec<f64>> {
    let (mut rates, mut last) = (Vec::new(), (0, 0.0));
    loop {
        let stats = dispatcher.stats();
        let done = stats.accepted + stats.failed + stats.suppressed + stats.uncertain;
        let now = seconds(watch);
        if done >= recipients || done * 10 / recipients > rates.len() as u64 {
            rates.push((done - last.0) as f64 / (now - last.1));
            last = (done, now);
        }
        if done >= recipients {
            return Ok(rates);
        }
        tokio::select! {
            () = clock.wait_for(Duration::from_millis(5)) => {}
            why = dispatcher.broken() => bail!("dispatch broke: {why}"),
        }
    }
}

fn cpu() -> u64 {
    process::cpu_nanoseconds(|thread| !thread.starts_with("mock-smtp-"))
}

fn seconds(watch: &Stopwatch) -> f64 {
    watch.nanoseconds() as f64 / 1e9
}
