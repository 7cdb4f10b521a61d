//! A running daemon: its parts for callers, its liveness, reload and stop.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::ApiState;
use crate::api::client::Client;
use crate::composition::message::MessageSource;
use crate::config::Config;
use crate::outbound::dispatch::Dispatcher;
use crate::outbound::notices::worker::NoticeWorker;
use crate::runtime::heartbeat::Heartbeats;
use crate::store::Store;
use crate::store::spool::Spool;

use super::liveness::Liveness;
use super::messages::ReloadableSource;
use super::start_error::StartError;
use super::task_end::ended;
use super::{audit, mail_in, parts, prepared};

/// Interval between checks whether all tasks run.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// A running daemon.
pub struct RunningApp {
    pub(super) monitor_address: Option<std::net::SocketAddr>,
    pub(super) control: Arc<ApiState>,
    pub(super) client: Client,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) notice_worker: Arc<NoticeWorker>,
    pub(super) mail_in: mail_in::Running,
    pub(super) spool: Spool,
    pub(super) messages: Arc<ReloadableSource>,
    /// The configuration in force.
    pub(super) config: Mutex<Config>,
    /// The scheduler's heartbeats.
    pub(super) scheduler: Heartbeats,
    /// Turns true to stop all tasks.
    pub(super) stopping: watch::Sender<bool>,
    pub(super) server: JoinHandle<()>,
    pub(super) loops: Vec<JoinHandle<()>>,
}

impl RunningApp {
    /// The parts that the control API works with.
    pub(crate) fn control(&self) -> &Arc<ApiState> {
        &self.control
    }

    /// Local addresses that accept mail over TCP: SMTP first, then LMTP.
    #[cfg(feature = "bench")]
    pub(crate) fn mail_addresses(&self) -> &[std::net::SocketAddr] {
        &self.mail_in.addresses
    }

    /// Local address of `/metrics`, `/healthz` and `/readyz`.
    pub fn monitor_address(&self) -> Option<std::net::SocketAddr> {
        self.monitor_address
    }

    /// A client of the control socket.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The store.
    pub(crate) fn store(&self) -> &Store {
        &self.control.store
    }

    /// Completes when the daemon cannot continue, with the reason: it must be stopped and started again.
    pub(crate) async fn broken(&self) -> String {
        tokio::select! {
            // First, because its failure is the cause of the others'.
            biased;
            reason = self.store().maintenance().broken() => reason,
            reason = self.dispatcher.broken() => reason,
            reason = self.notice_worker.broken() => reason,
            () = self.background_ended() => "a background task ended unexpectedly; the reason is in the log".to_owned(),
        }
    }

    /// Completes when a task has ended that should run until the stop: a panic that nothing else would report.
    async fn background_ended(&self) {
        let clock = &self.control.clock;
        let tasks = || self.server.is_finished() || self.loops.iter().any(JoinHandle::is_finished);
        while !tasks() && !self.mail_in.has_ended() {
            clock.wait_for(CHECK_EVERY).await;
        }
    }

    /// A liveness check in which a commit must end within `commit_limit`.
    pub(crate) fn liveness(&self, commit_limit: Duration) -> Liveness {
        let mail = [self.dispatcher.heartbeats(), self.notice_worker.heartbeats(), &self.mail_in.heartbeats];
        let parts: Vec<Heartbeats> = mail.into_iter().chain([&self.scheduler]).cloned().collect();
        let ApiState { store, clock, notifier, .. } = &*self.control;
        let of_index = store.clone();
        let heals = move || of_index.maintenance().index_health().is_some_and(|index| index.damaged.is_some());
        Liveness::new(store.clone(), clock.clone(), notifier.clone(), &parts, commit_limit).excused(heals)
    }

    /// Applies what can be changed while running: templates, certificate, and the keys in
    /// [`RELOADABLE`](crate::config::RELOADABLE). All or nothing: everything is tried before anything is applied.
    ///
    /// A configuration with which `serve` would not start is refused too, so that the next restart is safe.
    ///
    /// # Errors
    /// [`StartError`]: nothing was changed.
    pub(crate) fn reload(&self, new: &Config) -> Result<(), StartError> {
        prepared::prepare(new, self.control.clock.clone()).map_err(StartError::Configuration)?;
        let mut in_force = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let config = in_force.reloaded(new);
        let content = parts::content(&config)?;
        let certificate = self.mail_in.read_certificate()?;
        let (store, key, clock) = (&self.control.store, &self.control.key, &self.control.clock);
        let source: Arc<dyn MessageSource> = parts::messages(&config, store, key, clock, &content);
        self.mail_in.replace_certificate(certificate);
        self.messages.replace(source);
        self.control.content.replace(content);
        self.control.notifier.notify();
        *in_force = config;
        Ok(())
    }

    /// Stops in order. Work under way gets `stop_timeout`; what it did not finish is in doubt and resolved at the
    /// next start.
    pub async fn stop(self) {
        let Self { control, dispatcher, notice_worker, mail_in, spool, config, stopping, server, loops, .. } = self;
        let stop_timeout = config.into_inner().unwrap_or_else(PoisonError::into_inner).stop_timeout;
        control.observer.drain();
        stopping.send_replace(true);
        control.services.backups.stop();
        let drained = async {
            // The API first: what it promised is committed before the store closes.
            tokio::join!(
                dispatcher.drain(),
                notice_worker.drain(),
                mail_in.ended(),
                ended(server, "the control API"),
                async {
                    for task in loops {
                        ended(task, "a background task").await;
                    }
                }
            );
        };
        if tokio::time::timeout(stop_timeout, drained).await.is_err() {
            tracing::warn!(
                seconds = stop_timeout.as_secs(),
                "work under way did not end in time; its deliveries are in doubt until the next start"
            );
        }
        parts::close_spool(spool).await;
        audit::stopped(&control.audit()).await;
        parts::close_store(&control.store).await;
    }
}
