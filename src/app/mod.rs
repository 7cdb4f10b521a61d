//! The composition root: turns a `Config` into a running daemon; owns the order of start and stop. May import every
//! room below it.
//!
//! Start: cryptography, store (with its lock), the installation's key, templates, transport, spool, control socket,
//! dispatcher, notice sender, scheduler, jobs; only then does the control API answer. Stop is the reverse: no mail
//! and no API request is accepted, scheduler and jobs end, dispatcher and notice sender begin nothing new and commit
//! what is under way, spool and store close.
//!
//! [`service`] wraps it as a system service with signals and log; demo, bench and tests start it in their own
//! process.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::client::Client;
use crate::api::notice::NoticesOut;
use crate::api::server::Server;
use crate::api::{ApiState, Services};
use crate::audit::AuditLog;
use crate::base::clock::Clock;
use crate::base::token::Key;
use crate::composition::content::{Content, ContentHandle};
use crate::composition::notices::Notices;
use crate::config::Config;
use crate::events::index_invitations;
use crate::inbound::post::PostService;
use crate::mailings::schedule::Scheduler;
use crate::model::classify::Classifier;
use crate::operations::backups::Backups;
use crate::operations::jobs::{Job, Jobs};
use crate::outbound::dispatch::{DispatchParts, Dispatcher};
use crate::runtime::notifier::Notifier;
use crate::smtp::listener::Inherited;
use crate::store::spool::Spool;
use crate::store::{Store, StoreError};
use crate::transport::Transport;

mod audit;
pub(crate) mod check;
pub mod checkpoints;
mod disk_space;
pub mod erasures;
pub(crate) mod index_check;
pub(crate) mod inherited;
pub mod liveness;
pub(crate) mod log;
mod mail_in;
pub mod messages;
mod monitoring;
pub(crate) mod notify;
pub mod parts;
pub(crate) mod posts;
pub(crate) mod prepared;
mod running;
pub(crate) mod service;
mod start_error;
mod task_end;
pub(crate) mod test_clock;
pub(crate) mod unit;

use erasures::StorageEraser;
use messages::ReloadableSource;
use prepared::Prepared;

pub use running::RunningApp;
pub(crate) use start_error::StartError;

/// Whether an empty store may be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// A store must exist: a lost disk is never taken for a new installation (invariant 12).
    Never,
    /// An empty store is created if none exists yet.
    WhereNone,
}

/// The machine's clock, on tokio's timers.
pub fn system_clock() -> Arc<dyn Clock> {
    test_clock::clock(None)
}

/// Completes when `stopping` turns true.
async fn until(mut stopping: watch::Receiver<bool>) {
    // An error means that the daemon has been dropped.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Starts a daemon in this process. Installs no signal handlers and no log.
///
/// # Errors
/// [`StartError`].
pub async fn start(config: &Config, clock: Arc<dyn Clock>, begin: Begin) -> Result<RunningApp, StartError> {
    start_with(config, clock, begin, Vec::new()).await
}

/// Starts a daemon as [`start`] does, with additional sockets for mail that were opened outside.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn start_with(
    config: &Config,
    clock: Arc<dyn Clock>,
    begin: Begin,
    inherited: Vec<Inherited>,
) -> Result<RunningApp, StartError> {
    let prepared = prepared::prepare(config, clock.clone()).map_err(StartError::Configuration)?;
    if begin == Begin::WhereNone {
        parts::make_directory(&config.state_directory)?;
    }
    let store = parts::open_store(config, begin, clock.clone()).await?;
    match start_on(config, prepared, clock, store.clone(), inherited).await {
        Ok(app) => Ok(app),
        Err(error) => {
            parts::close_store(&store).await;
            Err(error)
        }
    }
}

async fn start_on(
    config: &Config,
    prepared: Prepared,
    clock: Arc<dyn Clock>,
    store: Store,
    inherited: Vec<Inherited>,
) -> Result<RunningApp, StartError> {
    let key = store.installation_key().await?;
    complete(&store).await?;
    parts::clear_attachments(config).await;
    let Prepared { content, transport, listener } = prepared;
    let (content, messages) = templates(config, &store, &key, &clock, content);
    let spool = parts::open_spool(config, clock.clone()).await?;
    let notices = parts::notices(config, &store, &key, &clock, &content);
    let posts = posts::service(config, &store, &key, &clock, &notices)?;
    let log = AuditLog::new(store.clone(), clock.clone(), key.clone());
    let backups = parts::backups(config, &store, &spool, &clock);
    let storage_eraser = erasures::storage_eraser(config, &store, &key, &spool, &backups, &clock);
    let jobs = jobs(config, &storage_eraser, &notices, &posts, &spool, &log, &backups)?;
    let server = Server::bind(&config.control).await?;
    let monitoring = monitoring::prepare(config).await;
    audit::started(&log, &config.state_directory).await?;
    let notifier = Notifier::new();
    let dispatcher = begin_dispatch(config, &store, &clock, &transport, &messages, &key, &notifier).await?;
    let mail_in = mail_in::Parts {
        store: store.clone(),
        spool: spool.clone(),
        clock: clock.clone(),
        key: key.clone(),
        content: content.clone(),
        notices: notices.clone(),
        posts: posts.clone(),
        notifier: notifier.clone(),
        metrics: monitoring.inbound.clone(),
    };
    let mail_in = mail_in::prepare(config, listener, mail_in, inherited).await?;
    let notice_worker = Arc::new(parts::notice_worker(config, &store, &spool, &clock, transport, &notices, &notifier));
    let services = Services {
        dispatcher: dispatcher.clone(),
        mail_in: mail_in.control.clone(),
        files: erasures::files(config, &spool),
        rules: parts::rules(config, &storage_eraser),
        notices: NoticesOut { notices, notice_worker: notice_worker.clone() },
        posts,
        backups,
    };
    let control = Arc::new(ApiState {
        notifier: notifier.clone(),
        messages: messages.clone(),
        queue_defaults: parts::queue_defaults(config),
        transport: parts::describe_transport(config),
        ..ApiState::new(store.clone(), clock.clone(), key, config.state_directory.clone(), content, services)
    });
    let stopping = watch::Sender::new(false);
    let scheduler = Scheduler::new(store.clone(), clock.clone(), notifier).checking(messages.clone());
    let heartbeats = scheduler.heartbeats().clone();
    let watched = monitoring::Watched::of(&spool, &jobs, &mail_in);
    let monitor_address = monitoring.address();
    let monitor = monitoring.start(&control, watched, &stopping);
    let mut loops = begin_loops(scheduler, Jobs::new(store.clone(), clock.clone(), jobs), store, clock, &stopping);
    loops.extend(monitor);
    let server = tokio::spawn(server.run(control.clone(), until(stopping.subscribe())));
    Ok(RunningApp {
        monitor_address,
        control,
        client: Client::new(&config.control.path),
        dispatcher,
        notice_worker,
        mail_in: mail_in.start(&stopping),
        spool,
        messages,
        config: Mutex::new(config.clone()),
        scheduler: heartbeats,
        stopping,
        server,
        loops,
    })
}

/// The templates of mails, in two handles that a reload can replace.
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

/// All scheduled jobs.
fn jobs(
    config: &Config,
    storage_eraser: &StorageEraser,
    notices: &Notices,
    posts: &PostService,
    spool: &Spool,
    log: &AuditLog,
    backups: &Arc<Backups>,
) -> Result<Vec<Job>, StartError> {
    let mut jobs = parts::jobs(config, storage_eraser)?;
    let (eraser, clock) = (&storage_eraser.eraser, &storage_eraser.clock);
    jobs.extend(parts::bounce_jobs(config, &eraser.store, notices, &eraser.key, clock)?);
    jobs.push(posts::job(config, posts)?);
    jobs.push(audit::job(config, log)?);
    jobs.extend(parts::backup_job(config, backups)?);
    jobs.push(erasures::job(config, storage_eraser)?);
    jobs.extend(posts::later_jobs(config, posts, spool)?);
    Ok(jobs)
}

/// Starts the tasks that depend on the clock: scheduler, jobs, checkpoints by size, index comparison.
fn begin_loops(
    scheduler: Scheduler,
    jobs: Jobs,
    store: Store,
    clock: Arc<dyn Clock>,
    stopping: &watch::Sender<bool>,
) -> Vec<JoinHandle<()>> {
    let stop = until(stopping.subscribe());
    let scheduler = tokio::spawn(async move { scheduler.run(stop).await });
    let jobs = tokio::spawn(jobs.run(until(stopping.subscribe())));
    let bounded = checkpoints::keep_bounded(store.clone(), clock.clone(), until(stopping.subscribe()));
    let checked = index_check::keep_checked(store, clock, until(stopping.subscribe()));
    vec![scheduler, jobs, tokio::spawn(bounded), tokio::spawn(checked)]
}

/// Starts sending.
async fn begin_dispatch(
    config: &Config,
    store: &Store,
    clock: &Arc<dyn Clock>,
    transport: &Arc<dyn Transport>,
    messages: &Arc<ReloadableSource>,
    key: &Key,
    notifier: &Notifier,
) -> Result<Arc<Dispatcher>, StartError> {
    let started = Dispatcher::start(DispatchParts {
        store: store.clone(),
        clock: clock.clone(),
        transport: transport.clone(),
        messages: messages.clone(),
        key: key.clone(),
        classifier: Classifier::shipped()?,
        notifier: notifier.clone(),
        settings: parts::dispatch_settings(config),
    });
    Ok(Arc::new(started.await?))
}

/// Gives a store of an earlier version the index tables that it lacks; invitations of before answers could come by mail are
/// found too.
async fn complete(store: &Store) -> Result<(), StoreError> {
    store.upgrade().await?;
    let indexed = index_invitations(store).await?;
    if indexed > 0 {
        tracing::info!(invitations = indexed, "invitations added before answers could come by mail were indexed");
    }
    let store = store.clone();
    // So that the first search does not have to read all people; it tries again after an error.
    tokio::spawn(async move { store.prepare_search().await });
    Ok(())
}
