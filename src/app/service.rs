//! The daemon as a system service: `depesch serve`.
//!
//! SIGTERM and SIGINT drain and stop; a second one stops at once. SIGHUP reads configuration and templates again; what
//! cannot be used is refused and the old stays in force.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::config::{Config, ConfigError, Loaded};

use super::log::{self, LogHandle};
use super::{Begin, RunningApp, StartError, notify, start, system_clock};

/// Why the service ended, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It started and cannot go on; a start anew may help.
    #[error("the daemon cannot go on: {0}")]
    Broken(String),
    /// The system refused something.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's words.
        error: std::io::Error,
    },
}

impl ServiceError {
    /// Whether the configuration is to blame.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Config(_) => true,
            Self::Start(error) => error.is_configuration(),
            Self::Broken(_) | Self::System { .. } => false,
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, ServiceError> {
        let listen = |kind| signal(kind).map_err(|error| ServiceError::System { what: "listening to signals", error });
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// The next signal that ends the daemon.
    async fn end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Runs until a signal ends it. `socket` goes before the configuration's.
///
/// # Errors
/// [`ServiceError`].
pub async fn serve(file: Option<&Path>, socket: Option<PathBuf>, begin: Begin) -> Result<(), ServiceError> {
    let mut signals = Signals::listen()?;
    let Loaded { mut config, file: read, .. } = Config::load(file)?;
    if let Some(socket) = socket {
        config.control.path = socket;
    }
    let clock = system_clock();
    let log = log::install(&config.log, clock.clone()).ok();
    let read = read.map_or_else(|| "defaults, no file".to_owned(), |path| path.display().to_string());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), configuration = read, "starting");
    let app = {
        let start = start(&config, clock, begin);
        tokio::pin!(start);
        let mut patience = ticks(Duration::from_secs(20));
        loop {
            tokio::select! {
                started = &mut start => break started?,
                _ = patience.tick() => notify::still_starting("opening the store"),
            }
        }
    };
    let status = format!("sends by {}", app.control().transport);
    tracing::info!(socket = %config.control.path.display(), "ready; {status}");
    notify::ready(&status);
    let ended = run(&app, &mut signals, file, log.as_ref(), &status).await;
    notify::stopping(config.stop_timeout);
    tokio::select! {
        () = app.stop() => {}
        signal = signals.end() => tracing::warn!("{signal} once more: stopping at once"),
    }
    ended
}

/// Serves until it is to end.
async fn run(
    app: &RunningApp,
    signals: &mut Signals,
    file: Option<&Path>,
    log: Option<&LogHandle>,
    status: &str,
) -> Result<(), ServiceError> {
    let mut watchdog = notify::watchdog_interval().map(ticks);
    loop {
        let Signals { terminate, interrupt, hangup } = signals;
        tokio::select! {
            _ = terminate.recv() => {
                tracing::info!("SIGTERM: no new deliveries begin, those under way end");
                return Ok(());
            }
            _ = interrupt.recv() => {
                tracing::info!("SIGINT: no new deliveries begin, those under way end");
                return Ok(());
            }
            _ = hangup.recv() => {
                notify::reloading();
                reload(app, file, log);
                notify::ready(status);
            }
            () = tick(&mut watchdog) => is_alive(app).await,
            reason = app.broken() => {
                tracing::error!(reason, "the daemon cannot go on and stops");
                return Err(ServiceError::Broken(reason));
            }
        }
    }
}

fn reload(app: &RunningApp, file: Option<&Path>, log: Option<&LogHandle>) {
    let loaded = match Config::load(file) {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::error!("SIGHUP: the new configuration cannot be used, the old stays in force: {error}");
            return;
        }
    };
    match app.reload(&loaded.config) {
        Ok(()) => {
            if let Some(log) = log {
                log.set_level(&loaded.config.log);
            }
            tracing::info!("SIGHUP: read configuration and templates again");
        }
        Err(error) => {
            tracing::error!("SIGHUP: the new templates cannot be used, the old stay in force: {error}");
        }
    }
}

/// Tells systemd that all is well, when it is: the store answers a read.
async fn is_alive(app: &RunningApp) {
    match app.control().store.mailings().await {
        Ok(_) => notify::alive(),
        Err(error) => tracing::error!(%error, "the store does not answer; systemd is not told that all is well"),
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn tick(watchdog: &mut Option<Interval>) {
    match watchdog {
        Some(watchdog) => {
            watchdog.tick().await;
        }
        None => std::future::pending().await,
    }
}
