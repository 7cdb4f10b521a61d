//! Assembles incoming mail: addresses, ingest, listener, and the worker that handles messages.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::inbound::MailIn;
use crate::base::clock::Clock;
use crate::base::token::Key;
use crate::bounce::Reader;
use crate::composition::content::ContentHandle;
use crate::composition::notices::Notices;
use crate::config::Config;
use crate::inbound::bounce::BounceHandler;
use crate::inbound::command::CommandService;
use crate::inbound::destination::Directory;
use crate::inbound::ingest::SpoolIngest;
use crate::inbound::post::PostService;
use crate::inbound::rsvp::RsvpHandler;
use crate::inbound::triage::Triage;
use crate::inbound::worker::InboundWorker;
use crate::mail::command::Commands;
use crate::metrics::parts::InboundMetrics;
use crate::model::classify::Classifier;
use crate::operations::health::MailConnections;
use crate::operations::listeners::Listeners;
use crate::runtime::heartbeat::Heartbeats;
use crate::runtime::notifier::Notifier;
use crate::runtime::reading::ReadingPool;
use crate::smtp::listener::{Inherited, ListenError, Listener};
use crate::smtp::session::Protocol;
use crate::smtp::settings::ListenerSettings;
use crate::smtp::tls::{Certificate, Tls};
use crate::store::Store;
use crate::store::blobs::Blobs;
use crate::store::spool::Spool;
use crate::subscribers::bounces::Doubts;
use crate::subscribers::rulebook::Rulebook;

use super::task_end::ended;
use super::{StartError, until};

/// What it is assembled from.
pub(crate) struct Parts {
    pub store: Store,
    /// The spool of incoming messages.
    pub spool: Spool,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The installation's key.
    pub key: Key,
    pub content: Arc<ContentHandle>,
    /// Writes notices.
    pub notices: Notices,
    /// Handles posts.
    pub posts: PostService,
    /// Notifies scheduler and dispatcher.
    pub notifier: Notifier,
    /// Counts the outcomes of incoming messages.
    pub metrics: InboundMetrics,
}

/// Incoming mail, ready to run: sockets are open, nothing is accepted yet.
pub(crate) struct Prepared {
    /// What the control API works with.
    pub control: MailIn,
    /// Returns how many connections there are and were.
    pub connections: Arc<dyn Fn() -> MailConnections + Send + Sync>,
    /// Bounces that are not believed.
    pub doubts: Arc<Doubts>,
    /// Sockets that were passed in at earlier starts.
    pub listeners: Arc<Listeners>,
    ingest: Arc<SpoolIngest>,
    listener: Listener,
    worker: Arc<InboundWorker>,
    heartbeats: Heartbeats,
    clock: Arc<dyn Clock>,
}

/// Incoming mail, running.
pub(crate) struct Running {
    /// Local addresses of the TCP listeners.
    #[cfg(feature = "bench")]
    pub addresses: Vec<std::net::SocketAddr>,
    ingest: Arc<SpoolIngest>,
    tls: Option<Arc<Tls>>,
    /// Heartbeats of the worker.
    pub heartbeats: Heartbeats,
    listener: JoinHandle<()>,
    worker: JoinHandle<()>,
}

/// Opens the sockets, beside those that are `inherited`.
pub(crate) async fn prepare(
    config: &Config,
    settings: ListenerSettings,
    parts: Parts,
    inherited: Vec<Inherited>,
) -> Result<Prepared, StartError> {
    let Parts { store, spool, clock, key, content, notices, posts, notifier, metrics } = parts;
    let directory = Arc::new(Directory::new(store.clone(), key.clone()));
    let arrived = Notifier::new();
    let ingest = Arc::new(SpoolIngest::new(store.clone(), spool.clone(), arrived.clone(), directory.clone()));
    let listeners = Arc::new(listeners_of(config, &inherited));
    let listener = Listener::bind(settings, inherited).await?;
    let connections = connections_of(&listener);
    let notify = vec![notifier, notices.notifier()];
    let rulebook = Rulebook { store: store.clone(), key };
    let commands = CommandService {
        rulebook: rulebook.clone(),
        blobs: Blobs::in_state_directory(&config.state_directory),
        clock: clock.clone(),
        content,
        commands: Arc::new(Commands::shipped()?),
        notices: notices.clone(),
        settings: config.inbound.commands,
    };
    let doubts = Arc::new(Doubts::default());
    let Rulebook { store: records, key } = rulebook.clone();
    let rsvps = RsvpHandler { store: records, key, clock: clock.clone(), notices: notices.clone() };
    let bounces = BounceHandler { rulebook: rulebook.clone(), policy: config.bounce.policy, doubts: doubts.clone() };
    let triage = Triage {
        rulebook,
        clock: clock.clone(),
        reader: Reader::new(Classifier::shipped()?)?,
        notices,
        bounces,
        commands,
        posts,
        rsvps,
        postmaster: config.inbound.postmaster.clone(),
    };
    let heartbeats = Heartbeats::default();
    let worker = InboundWorker {
        store,
        spool: spool.clone(),
        clock: clock.clone(),
        directory,
        handler: Arc::new(triage),
        arrived: arrived.clone(),
        reading: ReadingPool::new(clock.clone()),
        notify,
        heartbeats: heartbeats.clone(),
        metrics,
    };
    let control = MailIn { ingest: ingest.clone(), spool, notifier: arrived, listeners: Some(listeners.clone()) };
    Ok(Prepared {
        control,
        connections,
        doubts,
        listeners,
        ingest,
        listener,
        worker: Arc::new(worker),
        heartbeats,
        clock,
    })
}

/// Compares the sockets passed in now with those of earlier starts.
fn listeners_of(config: &Config, inherited: &[Inherited]) -> Listeners {
    let name = |protocol: &Protocol| match protocol {
        Protocol::Smtp => "smtp",
        Protocol::Lmtp => "lmtp",
    };
    let inherited: Vec<&str> = inherited
        .iter()
        .map(|socket| match socket {
            Inherited::Tcp(protocol, _) => name(protocol),
            Inherited::Unix(_) => "lmtp",
        })
        .collect();
    let mut configured = Vec::new();
    if !config.inbound.smtp.is_empty() {
        configured.push("smtp");
    }
    if !config.inbound.lmtp.is_empty() || config.inbound.lmtp_socket.is_some() {
        configured.push("lmtp");
    }
    Listeners::at_start(&config.state_directory, &inherited, &configured)
}

fn connections_of(listener: &Listener) -> Arc<dyn Fn() -> MailConnections + Send + Sync> {
    let (open, counters) = (listener.open_connections(), listener.counters());
    Arc::new(move || MailConnections {
        open: open() as u64,
        taken: counters.connections.load(Relaxed),
        turned_away: counters.turned_away.load(Relaxed),
    })
}

impl Prepared {
    /// Starts accepting mail.
    pub(crate) fn start(self, stopping: &watch::Sender<bool>) -> Running {
        let listening = self.listener.addresses();
        for (protocol, address) in &listening {
            tracing::info!(%address, ?protocol, "listening for mail");
        }
        let tls = self.listener.tls();
        let listener = self.listener.run(self.ingest.clone(), self.clock, until(stopping.subscribe()));
        let worker = self.worker.run(until(stopping.subscribe()));
        let (listener, worker) = (tokio::spawn(listener), tokio::spawn(worker));
        Running {
            #[cfg(feature = "bench")]
            addresses: listening.into_iter().map(|(_, address)| address).collect(),
            ingest: self.ingest,
            tls,
            heartbeats: self.heartbeats,
            listener,
            worker,
        }
    }
}

impl Running {
    /// Whether a part has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.listener.is_finished() || self.worker.is_finished()
    }

    /// Reads the certificate again, if one is configured; the old one stays in use until
    /// [`Self::replace_certificate`].
    pub(crate) fn read_certificate(&self) -> Result<Option<Certificate>, StartError> {
        Ok(self.tls.as_ref().map(|tls| tls.read_again()).transpose().map_err(ListenError::from)?)
    }

    /// Applies the certificate that [`Self::read_certificate`] returned.
    pub(crate) fn replace_certificate(&self, new: Option<Certificate>) {
        if let (Some(tls), Some(new)) = (&self.tls, new) {
            tls.replace(new);
        }
    }

    /// Waits until messages being received are stored and those being handled are done; then closes
    /// the ingest.
    pub(crate) async fn ended(self) {
        ended(self.listener, "the listener").await;
        self.ingest.close();
        ended(self.worker, "the inbound worker").await;
    }
}
