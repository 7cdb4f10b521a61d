//! Assembles monitoring: the observer with everything it reads, and the port for Prometheus.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::ApiState;
use crate::config::Config;
use crate::metrics::parts::InboundMetrics;
use crate::metrics::{Instruments, Metrics};
use crate::model::classify::Class;
use crate::model::inbound::InboundKind;
use crate::model::recurrence::Recurrence;
use crate::monitor::{self, Monitor};
use crate::operations::health;
use crate::operations::health::MailConnections;
use crate::operations::jobs::Job;
use crate::operations::listeners::Listeners;
use crate::store::spool::Spool;
use crate::subscribers::bounces::Doubts;

use super::{mail_in, until};

/// What is watched in addition to what the control API uses.
pub(crate) struct Watched {
    /// The spool of incoming mail.
    pub spool: Spool,
    /// The jobs with their schedules.
    pub jobs: Vec<(&'static str, Recurrence)>,
    /// Returns the connection counts of the mail listener.
    pub mail_connections: Arc<dyn Fn() -> MailConnections + Send + Sync>,
    /// Bounces that are not believed.
    pub doubts: Arc<Doubts>,
    /// Sockets that were passed in at earlier starts.
    pub listeners: Arc<Listeners>,
}

impl Watched {
    /// Collects them.
    pub(crate) fn of(spool: &Spool, jobs: &[Job], mail_in: &mail_in::Prepared) -> Self {
        Self {
            spool: spool.clone(),
            jobs: jobs.iter().map(Job::times).collect(),
            mail_connections: mail_in.connections.clone(),
            doubts: mail_in.doubts.clone(),
            listeners: mail_in.listeners.clone(),
        }
    }
}

/// Monitoring whose port is open but does not answer yet.
pub(crate) struct Monitoring {
    /// Counts the outcomes of incoming messages.
    pub inbound: InboundMetrics,
    port: Option<Monitor>,
    trouble: Option<String>,
}

/// Opens the port, if one is configured. A port that cannot be opened does not stop mail: the log and `depesch
/// status` report it.
pub(crate) async fn prepare(config: &Config) -> Monitoring {
    let kinds: Vec<&str> = InboundKind::ALL.iter().map(|kind| kind.word()).chain(["stuck"]).collect();
    let classes: Vec<&str> = Class::ALL.iter().map(|class| class.word()).collect();
    let bound = match config.monitor.address {
        Some(address) => Monitor::bind(address).await.map(Some),
        None => Ok(None),
    };
    let (port, trouble) = match bound {
        Ok(port) => (port, None),
        Err(error) => {
            tracing::error!(%error, "the port for monitoring cannot be opened");
            (None, Some(error.to_string()))
        }
    };
    Monitoring { inbound: InboundMetrics::with_series(&kinds, &classes), port, trouble }
}

impl Monitoring {
    /// The local address of the port.
    pub(crate) fn address(&self) -> Option<std::net::SocketAddr> {
        self.port.as_ref().and_then(Monitor::address)
    }

    /// Gives the observer everything it reads, and starts answering on the port.
    pub(crate) fn start(
        self,
        control: &ApiState,
        seen: Watched,
        stopping: &watch::Sender<bool>,
    ) -> Option<JoinHandle<()>> {
        let Watched { spool, jobs, mail_connections, doubts, listeners } = seen;
        let commits = control.store.maintenance().metrics();
        control.observer.watch(health::Parts {
            dispatcher: Some(control.services.dispatcher.clone()),
            notice_worker: Some(control.services.notices.notice_worker.clone()),
            spool: Some(spool),
            backups: Some(control.services.backups.clone()),
            jobs,
            mail_connections: Some(mail_connections),
            doubts: Some(doubts),
            listeners: Some(listeners),
            monitor_trouble: self.trouble,
        });
        let port = self.port?;
        if let Some(address) = port.address() {
            tracing::info!(%address, "answers /metrics, /healthz and /readyz");
        }
        let outcomes = control.services.dispatcher.outcomes();
        let instruments = Instruments { commits, outcomes, inbound: self.inbound };
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), instruments);
        let asked = monitor::Watched { observer: control.observer.clone(), metrics };
        Some(tokio::spawn(port.run(Arc::new(asked), until(stopping.subscribe()))))
    }
}
