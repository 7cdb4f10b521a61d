//! Floor 11: the HTTP port for monitoring, on this machine's own address: `/metrics` (Prometheus), `/healthz` (alive)
//! and `/readyz` (accepts new work). GET only; answers contain no address, no list's name and no secret.
//!
//! Each connection gets one answer within a bounded time, and the number of connections is limited: so requests
//! cannot keep the daemon from its work.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::metrics::{Metrics, older_text};
use crate::operations::health::{Observer, Unwell};

mod process;

/// Maximum number of simultaneous connections; more wait.
const CONNECTIONS: usize = 16;
/// Timeout for a request, and then for a whole connection.
const REQUEST: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_secs(30);
/// Pause after an error of `accept`, which most likely means too few file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Maximum age of a reused snapshot: simultaneous requests cost only one.
const SNAPSHOT_AGE: Duration = Duration::from_secs(5);
/// Maximum bytes of a request's head.
const HEAD: usize = 16 * 1024;
/// OpenMetrics 1.0.0, "Protocol Negotiation".
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Prometheus exposition formats, "Text-based format": for clients that do not ask for OpenMetrics.
const OLDER_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{address} cannot be opened for monitoring: {error}; give monitor.address another port, or \"\" for none")]
pub(crate) struct MonitorError {
    address: SocketAddr,
    error: io::Error,
}

/// The sources of answers.
pub(crate) struct Watched {
    /// Observes the daemon's health.
    pub observer: Arc<Observer>,
    /// All metrics.
    pub metrics: Metrics,
}

/// An open port that does not answer yet.
pub(crate) struct Monitor {
    listener: TcpListener,
}

impl Monitor {
    /// Opens the port.
    ///
    /// # Errors
    /// [`MonitorError`].
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, MonitorError> {
        let listener = TcpListener::bind(address).await.map_err(|error| MonitorError { address, error })?;
        Ok(Self { listener })
    }

    /// The local address.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Answers until `stop` completes; answers under way are cut off then.
    pub(crate) async fn run(self, watched: Arc<Watched>, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let router = router(watched);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let next = async { (places.clone().acquire_owned().await, self.listener.accept().await) };
            let (place, accepted) = tokio::select! {
                () = &mut stop => return,
                next = next => next,
            };
            match accepted {
                Ok((stream, _)) => {
                    let router = router.clone();
                    connections.spawn(async move {
                        // A peer that is too slow or speaks another protocol can be ignored.
                        let _ = tokio::time::timeout(CONNECTION, answer(stream, router)).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection for monitoring could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }
}

async fn answer(stream: TcpStream, router: Router) -> Result<(), hyper::Error> {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(REQUEST).keep_alive(false).max_buf_size(HEAD);
    server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await
}

fn router(watched: Arc<Watched>) -> Router {
    let only_get = || async { (StatusCode::METHOD_NOT_ALLOWED, "only GET is supported\n") };
    let nothing = || async { (StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n") };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(nothing)
        .method_not_allowed_fallback(only_get)
        .with_state(watched)
}

/// Whether OpenMetrics is preferred to the older text (RFC 9110 §12.5.1).
fn wants_openmetrics(headers: &HeaderMap) -> bool {
    let accepted =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(','));
    let (mut newer, mut older) = (0.0, 0.0_f64);
    for one in accepted {
        let mut parts = one.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok()).unwrap_or(1.0);
        match kind {
            "application/openmetrics-text" => newer = quality.max(newer),
            "text/plain" => older = quality.max(older),
            _ => {}
        }
    }
    newer > 0.0 && newer >= older
}

async fn metrics(State(watched): State<Arc<Watched>>, headers: HeaderMap) -> Response {
    let Watched { observer, metrics } = &*watched;
    let gauges = &metrics.gauges;
    match observer.health(SNAPSHOT_AGE).await {
        Ok(health) => observer.show(&health, gauges),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be read");
            return (StatusCode::SERVICE_UNAVAILABLE, "the store could not be read; the log says why\n")
                .into_response();
        }
    }
    gauges.ready.set(if observer.ready().await.is_ok() { 1.0 } else { 0.0 });
    process::show(gauges);
    match metrics.text() {
        Ok(text) if wants_openmetrics(&headers) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Ok(text) => ([(CONTENT_TYPE, OLDER_TEXT)], older_text(&text)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn healthz(State(watched): State<Arc<Watched>>) -> Result<Response, Infallible> {
    Ok(said(watched.observer.alive().await, "alive\n"))
}

async fn readyz(State(watched): State<Arc<Watched>>) -> Result<Response, Infallible> {
    Ok(said(watched.observer.ready().await, "ready\n"))
}

fn said(is: Result<(), Unwell>, well: &'static str) -> Response {
    match is {
        Ok(()) => well.into_response(),
        Err(Unwell(why)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
