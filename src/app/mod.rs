//! The composition root: a `Config` in, a running daemon out; start order, stop order. Sees everything.
//!
//! Start: cryptography, store (with its lock), the installation's key, templates, transport, spool, control socket,
//! dispatcher, letters' worker, scheduler, jobs; only then does the control API answer. Stop, the other way round: the door takes no
//! mail in, the API takes nothing new, the scheduler and the jobs end, dispatcher and letters' worker begin nothing new and
//! commit what is under way, spool and store close.
//!
//! [`service`] wraps it as a system service with signals and log; demo, bench and tests start it in their own process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::audit::AuditLog;
use crate::base::clock::Clock;
use crate::base::token::Key;
use crate::composition::content::{Content, ContentHandle};
use crate::composition::message::MessageSource;
use crate::composition::notices::Letters;
use crate::config::Config;
use crate::control::Control;
use crate::control::client::Client;
use crate::control::letter::LettersOut;
use crate::control::server::Server;
use crate::events::index_invitations;
use crate::inbound::post::PostDesk;
use crate::mailings::schedule::Scheduler;
use crate::model::classify::Classifier;
use crate::operations::backups::Backups;
use crate::operations::jobs::{Job, Jobs};
use crate::outbound::dispatch::{DispatchParts, Dispatcher};
use crate::outbound::notices::worker::Postman;
use crate::runtime::heartbeat::Pulses;
use crate::runtime::notifier::Wake;
use crate::smtp::listener::Inherited;
use crate::store::embedded::EmbeddedEngine;
use crate::store::spool::Spool;
use crate::store::{Store, StoreError};
use crate::transport::Transport;

mod audit;
pub mod check;
pub mod checkpoints;
pub mod erasures;
pub mod index_check;
pub mod inherited;
pub mod liveness;
pub mod log;
mod mail_in;
pub mod messages;
mod monitoring;
pub mod notify;
pub mod parts;
pub mod posts;
pub mod prepared;
mod room;
pub mod service;
mod start_error;
pub mod test_clock;
pub mod unit;

use erasures::Forgetting;
use liveness::Liveness;
use messages::ReloadableSource;
use prepared::Prepared;

pub use start_error::StartError;

/// How often is looked whether everything still runs.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Whether a store may be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// A store must be there: a lost disk is never taken for a new start (invariant 12).
    Never,
    /// An empty store is begun where there is none.
    WhereNone,
}

/// A running daemon.
pub struct RunningApp {
    monitor_address: Option<std::net::SocketAddr>,
    control: Arc<Control>,
    client: Client,
    engine: Arc<EmbeddedEngine>,
    dispatcher: Arc<Dispatcher>,
    postman: Arc<Postman>,
    mail_in: mail_in::Running,
    spool: Spool,
    messages: Arc<ReloadableSource>,
    /// What is in force.
    config: Mutex<Config>,
    /// The scheduler's signs of life.
    scheduler: Pulses,
    /// Turns true when everything is to stop.
    stopping: watch::Sender<bool>,
    server: JoinHandle<()>,
    loops: Vec<JoinHandle<()>>,
}

/// The machine's clock, on tokio's timers.
pub fn system_clock() -> Arc<dyn Clock> {
    test_clock::clock(None)
}

/// Completes when `stopping` turns true.
async fn until(mut stopping: watch::Receiver<bool>) {
    // An error means that the daemon is gone altogether.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Starts a daemon in this process. No signal is listened to and no log is set up.
///
/// # Errors
/// [`StartError`].
pub async fn start(config: &Config, clock: Arc<dyn Clock>, begin: Begin) -> Result<RunningApp, StartError> {
    start_with(config, clock, begin, Vec::new()).await
}

/// As [`start`], with sockets for mail that somebody else opened.
///
/// # Errors
/// [`StartError`].
pub async fn start_with(
    config: &Config,
    clock: Arc<dyn Clock>,
    begin: Begin,
    inherited: Vec<Inherited>,
) -> Result<RunningApp, StartError> {
    let prepared = prepared::prepare(config, clock.clone()).map_err(StartError::Configuration)?;
    if begin == Begin::WhereNone {
        parts::make_directory(&config.state_directory)?;
    }
    let engine = parts::open_store(config, begin, clock.clone()).await?;
    match start_on(config, prepared, clock, engine.clone(), inherited).await {
        Ok(app) => Ok(app),
        Err(error) => {
            parts::close_store(engine).await;
            Err(error)
        }
    }
}

async fn start_on(
    config: &Config,
    prepared: Prepared,
    clock: Arc<dyn Clock>,
    engine: Arc<EmbeddedEngine>,
    inherited: Vec<Inherited>,
) -> Result<RunningApp, StartError> {
    let store = Store::new(engine.clone());
    let key = store.installation_key().await?;
    find_invitations(&store).await?;
    parts::clear_attachments(config).await;
    let Prepared { content, transport, listener } = prepared;
    let (content, messages) = templates(config, &store, &key, &clock, content);
    let spool = parts::open_spool(config, clock.clone()).await?;
    let letters = parts::letters(config, &store, &key, &clock, &content);
    let posts = posts::desk(config, &store, &key, &clock, &letters)?;
    let log = AuditLog::new(store.clone(), clock.clone(), key.clone());
    let backups = parts::backups(config, &engine, &spool, &clock);
    let forgetting = erasures::forgetting(config, &store, &key, &spool, &engine, &backups, &clock);
    let mut jobs = jobs(config, &forgetting, &letters, &posts, &log, &backups)?;
    jobs.extend(posts::later_jobs(config, &posts, &spool)?);
    let server = Server::bind(&config.control).await?;
    let monitoring = monitoring::prepare(config).await;
    audit::started(&log, &config.state_directory).await?;
    let wake = Wake::new();
    let dispatcher = begin_dispatch(config, &store, &clock, &transport, &messages, &key, &wake);
    let dispatcher = Arc::new(dispatcher.await?);
    let mail_in = mail_in::Parts {
        store: store.clone(),
        spool: spool.clone(),
        clock: clock.clone(),
        key: key.clone(),
        content: content.clone(),
        letters: letters.clone(),
        posts: posts.clone(),
        wake: wake.clone(),
        metrics: monitoring.inbound.clone(),
    };
    let mail_in = mail_in::prepare(config, listener, mail_in, inherited).await?;
    let postman = Arc::new(parts::postman(config, &store, &spool, &clock, transport, &letters, &wake));
    let control = Arc::new(Control {
        wake: wake.clone(),
        messages: messages.clone(),
        queue_defaults: parts::queue_defaults(config),
        transport: parts::describe_transport(config),
        dispatcher: Some(dispatcher.clone()),
        mail_in: Some(mail_in.control.clone()),
        files: Some(erasures::files(config, &spool)),
        rules: Some(parts::rules(config, &forgetting)),
        letters: Some(LettersOut { letters, postman: postman.clone() }),
        posts: Some(posts),
        backups: Some(backups),
        ..Control::new(store.clone(), clock.clone(), key, config.state_directory.clone(), content)
    });
    let stopping = watch::Sender::new(false);
    let scheduler = Scheduler::new(store.clone(), clock.clone(), wake).checking(messages.clone());
    let pulses = scheduler.pulses().clone();
    let watched = monitoring::Watched::of(&engine, &spool, &jobs, &mail_in);
    let monitor_address = monitoring.address();
    let monitor = monitoring.start(&control, watched, &stopping);
    let mut loops = begin_loops(scheduler, Jobs::new(store, clock.clone(), jobs), engine.clone(), clock, &stopping);
    loops.extend(monitor);
    let server = tokio::spawn(server.run(control.clone(), until(stopping.subscribe())));
    Ok(RunningApp {
        monitor_address,
        control,
        client: Client::new(&config.control.path),
        engine,
        dispatcher,
        postman,
        mail_in: mail_in.start(&stopping),
        spool,
        messages,
        config: Mutex::new(config.clone()),
        scheduler: pulses,
        stopping,
        server,
        loops,
    })
}

/// What mails are made with; both can be replaced by a reload.
fn templates(
    config: &Config,
    store: &Store,
    key: &Key,
    clock: &Arc<dyn Clock>,
    content: Content,
) -> (Arc<ContentHandle>, Arc<ReloadableSource>) {
    let source = parts::messages(config, store, key, clock, &content);
    (Arc::new(ContentHandle::new(content)), Arc::new(ReloadableSource::new(source)))
}

/// All that is done by itself, each at its times.
fn jobs(
    config: &Config,
    forgetting: &Forgetting,
    letters: &Letters,
    posts: &PostDesk,
    log: &AuditLog,
    backups: &Arc<Backups>,
) -> Result<Vec<Job>, StartError> {
    let mut jobs = parts::jobs(config, forgetting)?;
    let (eraser, clock) = (&forgetting.eraser, &forgetting.clock);
    jobs.extend(parts::bounce_jobs(config, &eraser.store, letters, &eraser.key, clock)?);
    jobs.push(posts::job(config, posts)?);
    jobs.push(audit::job(config, log)?);
    jobs.extend(parts::backup_job(config, backups)?);
    jobs.push(erasures::job(config, forgetting)?);
    Ok(jobs)
}

/// Begins what looks at the clock: scheduler, jobs, checkpoints by size, comparing the index.
fn begin_loops(
    scheduler: Scheduler,
    jobs: Jobs,
    engine: Arc<EmbeddedEngine>,
    clock: Arc<dyn Clock>,
    stopping: &watch::Sender<bool>,
) -> Vec<JoinHandle<()>> {
    let stop = until(stopping.subscribe());
    let scheduler = tokio::spawn(async move { scheduler.run(stop).await });
    let jobs = tokio::spawn(jobs.run(until(stopping.subscribe())));
    let bounded = checkpoints::keep_bounded(engine.clone(), clock.clone(), until(stopping.subscribe()));
    let checked = index_check::keep_checked(engine, clock, until(stopping.subscribe()));
    vec![scheduler, jobs, tokio::spawn(bounded), tokio::spawn(checked)]
}

/// Begins to send.
async fn begin_dispatch(
    config: &Config,
    store: &Store,
    clock: &Arc<dyn Clock>,
    transport: &Arc<dyn Transport>,
    messages: &Arc<ReloadableSource>,
    key: &Key,
    wake: &Wake,
) -> Result<Dispatcher, StartError> {
    let started = Dispatcher::start(DispatchParts {
        store: store.clone(),
        clock: clock.clone(),
        transport: transport.clone(),
        messages: messages.clone(),
        key: key.clone(),
        classifier: Classifier::shipped()?,
        wake: wake.clone(),
        settings: parts::dispatch_settings(config),
    });
    Ok(started.await?)
}

/// Invitations of before answers could come by mail are found too.
async fn find_invitations(store: &Store) -> Result<(), StoreError> {
    let indexed = index_invitations(store).await?;
    if indexed > 0 {
        tracing::info!(invitations = indexed, "invitations added before answers could come by mail are found now");
    }
    Ok(())
}

impl RunningApp {
    /// What the control API works with.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Where mail is listened for on TCP: SMTP first, then LMTP.
    pub fn mail_addresses(&self) -> &[std::net::SocketAddr] {
        &self.mail_in.addresses
    }

    /// Where `/metrics` and its like are answered.
    pub fn monitor_address(&self) -> Option<std::net::SocketAddr> {
        self.monitor_address
    }

    /// A client of the control socket.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The store's engine.
    pub fn engine(&self) -> &Arc<EmbeddedEngine> {
        &self.engine
    }

    /// The dispatcher.
    pub fn dispatcher(&self) -> &Arc<Dispatcher> {
        &self.dispatcher
    }

    /// Completes when the daemon cannot go on, with the reason: it must stop and be started again.
    pub async fn broken(&self) -> String {
        tokio::select! {
            // First, for it is the cause where the others stumble over it.
            biased;
            reason = self.engine.broken() => reason,
            reason = self.dispatcher.broken() => reason,
            reason = self.postman.broken() => reason,
            () = self.background_ended() => "a background task ended badly; its last words are in the log".to_owned(),
        }
    }

    /// Completes when something has ended that should run until the stop: a panic, which nothing else would tell.
    async fn background_ended(&self) {
        let clock = &self.control.clock;
        let tasks = || self.server.is_finished() || self.loops.iter().any(JoinHandle::is_finished);
        while !tasks() && !self.mail_in.has_ended() {
            clock.wait_for(LOOK_EVERY).await;
        }
    }

    /// Looks whether the daemon is alive; a commit must end within `commit_limit`.
    pub fn liveness(&self, commit_limit: Duration) -> Liveness {
        let mail = [self.dispatcher.pulses(), self.postman.pulses(), &self.mail_in.pulses];
        let parts: Vec<Pulses> = mail.into_iter().chain([&self.scheduler]).cloned().collect();
        let Control { store, clock, wake, .. } = &*self.control;
        let engine = self.engine.clone();
        let heals = move || engine.index_health().damaged.is_some();
        Liveness::new(store.clone(), clock.clone(), wake.clone(), &parts, commit_limit).excused(heals)
    }

    /// Takes over what can be changed while running: templates, certificate, and the keys that are
    /// [`RELOADABLE`](crate::config::RELOADABLE). All or nothing: everything is tried before anything is taken over.
    ///
    /// A configuration with which `serve` would not start is refused too, so that the next restart is safe.
    ///
    /// # Errors
    /// [`StartError`]: nothing was changed.
    pub fn reload(&self, new: &Config) -> Result<(), StartError> {
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
        self.control.wake.notify();
        *in_force = config;
        Ok(())
    }

    /// Stops in order. What is under way gets `stop_timeout`; what it did not finish is in doubt and looked after at
    /// the next start.
    pub async fn stop(self) {
        let Self { control, engine, dispatcher, postman, mail_in, spool, config, stopping, server, loops, .. } = self;
        let stop_timeout = config.into_inner().unwrap_or_else(PoisonError::into_inner).stop_timeout;
        control.observer.drain();
        stopping.send_replace(true);
        if let Some(backups) = &control.backups {
            backups.stop();
        }
        let drained = async {
            // The API first: what it promised is committed before the store closes.
            tokio::join!(
                dispatcher.drain(),
                postman.drain(),
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
                "what was under way did not end in time; its deliveries are in doubt until the next start"
            );
        }
        parts::close_spool(spool).await;
        audit::stopped(&control.audit()).await;
        parts::close_store(engine).await;
    }
}

async fn ended(task: JoinHandle<()>, what: &str) {
    if let Err(error) = task.await {
        tracing::error!(%error, "{what} ended badly");
    }
}
