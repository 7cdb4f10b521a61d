//! What watches the daemon, put together: the observer with all that it looks at, and the port for Prometheus.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::flow::dispatch::Dispatcher;
use crate::flow::picture::{Observer, Parts};
use crate::metrics::parts::InboundMetrics;
use crate::metrics::{Instruments, Metrics};
use crate::model::classify::Class;
use crate::model::inbound::InboundKind;
use crate::monitor::{Monitor, Watched};
use crate::store::embedded::EmbeddedEngine;

use super::{StartError, until};

/// Monitoring whose port is open and does not answer yet.
pub struct Monitoring {
    /// Counts what is made of mail that comes in.
    pub inbound: InboundMetrics,
    port: Option<Monitor>,
}

/// Opens the port, if there is to be one.
pub async fn prepare(config: &Config) -> Result<Monitoring, StartError> {
    let kinds: Vec<&str> = InboundKind::ALL.iter().map(|kind| kind.word()).chain(["stuck"]).collect();
    let classes: Vec<&str> = Class::ALL.iter().map(|class| class.word()).collect();
    let port = match config.monitor.address {
        Some(address) => Some(Monitor::bind(address).await?),
        None => None,
    };
    Ok(Monitoring { inbound: InboundMetrics::with_series(&kinds, &classes), port })
}

impl Monitoring {
    /// Where it will answer.
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.port.as_ref().and_then(Monitor::address)
    }

    /// Gives the observer all that it looks at, and answers on the port.
    pub fn start(
        self,
        observer: &Arc<Observer>,
        parts: Parts,
        (engine, dispatcher): (&EmbeddedEngine, &Dispatcher),
        stopping: &watch::Sender<bool>,
    ) -> Option<JoinHandle<()>> {
        observer.watch(parts);
        let port = self.port?;
        if let Some(address) = port.address() {
            tracing::info!(%address, "answers /metrics, /healthz and /readyz");
        }
        let (commits, outcomes) = (engine.metrics(), dispatcher.outcomes());
        let instruments = Instruments { commits, outcomes, inbound: self.inbound };
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), instruments);
        let watched = Arc::new(Watched { observer: observer.clone(), metrics });
        Some(tokio::spawn(port.run(watched, until(stopping.subscribe()))))
    }
}
