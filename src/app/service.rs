//! The daemon as a system service: `depesch serve`.
//!
//! SIGTERM and SIGINT drain and stop; a second one, or one during the start, stops at once. SIGHUP reads
//! configuration, templates and certificate again; if any of it cannot be used, all of the old stays in force.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::config::environment::{self, InheritedSockets};
use crate::config::reader::Entry;
use crate::config::{Config, ConfigError, Loaded};

use crate::api::configuration::{InForce, KeyView, ReloadRequest, Reloaded};

use super::audit;
use super::inherited::{self, InheritedError};
use super::liveness::Lifeless;
use super::log::{self, LogHandle};
use super::{Begin, RunningApp, StartError, disk_space, notify, start_with, test_clock};

/// Why the service ended or did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An inherited socket cannot be used.
    #[error(transparent)]
    Inherited(#[from] InheritedError),
    /// The daemon did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The daemon started and cannot continue; a restart may help.
    #[error("the daemon cannot continue: {0}")]
    Broken(String),
    /// A system call failed.
    #[error("{what}: {error}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// The system's error.
        error: std::io::Error,
    },
}

impl ServiceError {
    /// Whether the configuration is the cause.
    pub(crate) fn is_configuration(&self) -> bool {
        match self {
            Self::Config(_) | Self::Inherited(_) => true,
            Self::Start(error) => error.is_configuration(),
            Self::Broken(_) | Self::System { .. } => false,
        }
    }

    /// Whether the store is missing or damaged in a way that no start repairs.
    pub(crate) fn needs_recovery(&self) -> bool {
        matches!(self, Self::Start(error) if error.needs_recovery())
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

/// Runs until a signal ends it. `socket` overrides the configured control socket; `sockets` were opened by systemd.
///
/// # Errors
/// [`ServiceError`].
pub(crate) async fn serve(
    file: Option<&Path>,
    socket: Option<PathBuf>,
    begin: Begin,
    sockets: InheritedSockets,
) -> Result<(), ServiceError> {
    let mut signals = Signals::listen()?;
    let loaded = Config::load(file)?;
    let mut config = loaded.config.clone();
    if let Some(socket) = socket {
        config.control.path = socket;
    }
    let clock = test_clock::clock(environment::test_clock());
    let log = log::install(&config.log, clock.clone()).ok();
    if let Some(moved) = clock.moved_by_test() {
        let seconds = moved.num_seconds();
        tracing::warn!(seconds, "DEPESCH_TEST_CLOCK is set: a file moves the clock, for tests only");
    }
    let sockets = inherited::sort(sockets)?;
    let read = loaded.file.as_ref().map_or_else(|| "defaults, no file".to_owned(), |path| path.display().to_string());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), configuration = read, "starting");
    let app = {
        let start = async {
            disk_space::wait_for_disk_space(&config, clock.as_ref()).await;
            start_with(&config, clock.clone(), begin, sockets).await
        };
        tokio::pin!(start);
        let mut time_limit = ticks(Duration::from_secs(20));
        loop {
            tokio::select! {
                started = &mut start => break started?,
                _ = time_limit.tick() => notify::still_starting("opening the store"),
                signal = signals.end() => {
                    // Nothing was accepted yet; a half-finished start is recovered like a crash.
                    tracing::info!("{signal} while starting: stops at once");
                    notify::stopping(Duration::ZERO);
                    return Ok(());
                }
            }
        }
    };
    app.control().configuration.is_in_force(in_force(&loaded));
    let status = format!("sends by {}", app.control().transport);
    tracing::info!(socket = %config.control.path.display(), "ready; {status}");
    notify::ready(&status);
    let reloading = Reloading { file, started: &loaded, log: log.as_ref(), status: &status };
    let ended = run(&app, &mut signals, &reloading).await;
    notify::stopping(config.stop_timeout);
    tokio::select! {
        () = app.stop() => {}
        signal = signals.end() => tracing::warn!("{signal} once more: stopping at once"),
    }
    ended
}

/// What a reload needs.
struct Reloading<'a> {
    file: Option<&'a Path>,
    /// The configuration with which the daemon was started.
    started: &'a Loaded,
    log: Option<&'a LogHandle>,
    status: &'a str,
}

/// Serves until it is to end.
async fn run(app: &RunningApp, signals: &mut Signals, reloading: &Reloading<'_>) -> Result<(), ServiceError> {
    let watchdog = keep_watch(app, notify::watchdog_interval());
    tokio::pin!(watchdog);
    let mut requests = app.control().configuration.reloads();
    let broken = |reason: String| {
        tracing::error!(reason, "the daemon cannot continue and stops");
        Err(ServiceError::Broken(reason))
    };
    loop {
        let Signals { terminate, interrupt, hangup } = signals;
        tokio::select! {
            _ = terminate.recv() => {
                tracing::info!("SIGTERM: no new deliveries begin, those under way are completed");
                return Ok(());
            }
            _ = interrupt.recv() => {
                tracing::info!("SIGINT: no new deliveries begin, those under way are completed");
                return Ok(());
            }
            _ = hangup.recv() => {
                notify::reloading();
                // The result is in the log and in the status.
                let _ = reload(app, reloading, "SIGHUP").await;
                notify::ready(reloading.status);
            }
            Some(request) = requests.recv() => answer_reload(app, reloading, request).await,
            reason = &mut watchdog => return broken(reason),
            reason = app.broken() => return broken(reason),
        }
    }
}

/// Handles a reload requested over the control socket. systemd waits for the requesting command, so no notification
/// is sent.
async fn answer_reload(app: &RunningApp, reloading: &Reloading<'_>, request: ReloadRequest) {
    let reloaded = reload(app, reloading, "reload").await;
    // A peer that does not wait for the answer finds it in the log and in the status.
    let _ = request.send(reloaded);
}

/// Reads everything again. The result is in the log, in the audit log and, until a reload succeeds, in the status.
async fn reload(app: &RunningApp, reloading: &Reloading<'_>, by: &str) -> Result<Reloaded, String> {
    let reloaded = read_again(app, reloading, by).await;
    app.control().observer.reload_refused(reloaded.as_ref().err().map(|(_, why)| why.clone()));
    // Logged once the status shows it, so that a reader of the log finds it there.
    reloaded.map_err(|(said, why)| {
        tracing::error!("{by}: {said}: {why}");
        why
    })
}

/// Does what [`reload`] does; an error is a pair: what it means, and why.
async fn read_again(app: &RunningApp, reloading: &Reloading<'_>, by: &str) -> Result<Reloaded, (&'static str, String)> {
    let loaded = match Config::load(reloading.file) {
        Ok(loaded) => loaded,
        Err(error) => {
            audit::reloaded(&app.control().audit(), None).await;
            return Err(("the new configuration cannot be used, the old stays in force", error.to_string()));
        }
    };
    let reloaded = app.reload(&loaded.config);
    audit::reloaded(&app.control().audit(), Some((&loaded, reloaded.is_ok()))).await;
    if let Err(error) = reloaded {
        return Err(("nothing was applied, the old configuration stays in force", error.to_string()));
    }
    if let Some(log) = reloading.log {
        log.set_level(&loaded.config.log);
    }
    app.control().configuration.is_in_force(in_force(&reloading.started.taken_over(&loaded)));
    tracing::info!("{by}: read configuration and templates again");
    let waiting = reloading.started.waiting_for_restart(&loaded);
    if !waiting.is_empty() {
        tracing::warn!(keys = waiting.join(", "), "{by}: changed keys that need a restart");
    }
    Ok(Reloaded { waiting_for_restart: waiting })
}

/// The configuration in force, as the control API shows it.
fn in_force(loaded: &Loaded) -> InForce {
    let file = loaded.file.as_ref().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    let key = |entry: &Entry| KeyView { key: entry.key.clone(), value: entry.value.clone(), set: entry.set };
    InForce { file: file.map(|file| file.display().to_string()), keys: loaded.entries.iter().map(key).collect() }
}

/// Reports to systemd that the daemon is alive, while it is. Returns the reason when only a restart can help; while a
/// task is silent nothing is reported, and systemd decides.
async fn keep_watch(app: &RunningApp, every: Option<Duration>) -> String {
    let Some(every) = every else { return std::future::pending().await };
    let mut liveness = app.liveness(every);
    let mut ticks = ticks(every);
    loop {
        ticks.tick().await;
        match liveness.check(every).await {
            Ok(()) => notify::alive(),
            Err(Lifeless::CommitsFail(error)) => return error.to_string(),
            Err(lifeless) => tracing::error!("no heartbeat is sent to systemd: {lifeless}"),
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
