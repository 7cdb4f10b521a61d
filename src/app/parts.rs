//! Builds the parts of a daemon from the configuration.

use std::path::Path;
use std::sync::Arc;

use crate::api::mailing::queue::QueueDefaults;
use crate::base::clock::Clock;
use crate::base::token::Key;
use crate::composition::content::{Content, ContentHandle, ContentRules};
use crate::composition::message::MessageSource;
use crate::composition::notices::{NoticeSettings, Notices};
use crate::composition::post_messages::PostMessages;
use crate::composition::release_messages::{MessageSettings, ReleaseMessages};
use crate::config::{Config, TransportChoice};
use crate::model::recurrence::Recurrence;
use crate::model::release::attachment::AttachmentBudget;
use crate::operations::backups::Backups;
use crate::operations::jobs::Job;
use crate::outbound::dispatch::DispatchSettings;
use crate::outbound::notices::worker::{NoticeWorker, NoticeWorkerParts, NoticeWorkerSettings};
use crate::privacy::retention::rules::{Periods, Rules};
use crate::render::source::SourceSettings;
use crate::render::template_files::TemplateError;
use crate::runtime::notifier::Notifier;
use crate::store::Store;
use crate::store::blobs::Blobs;
use crate::store::embedded::Settings;
use crate::store::journal::disk::make_directories;
use crate::store::opening;
use crate::store::spool::{Spool, SpoolSettings};
use crate::subscribers::suspended::Suspended;
use crate::transport::Transport;
use crate::transport::capture::{Capture, CaptureSettings};
use crate::transport::relay::Relay;

use super::erasures::StorageEraser;
use super::messages::ByContent;
use super::{Begin, StartError, erasures};

/// Installs the provider of cryptography for TLS; it stays installed for later starts in one process.
pub(crate) fn install_cryptography() {
    let _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Creates the state directory, closed to other users, if it does not exist.
pub(crate) fn make_directory(path: &Path) -> Result<(), StartError> {
    let failed = |error| StartError::Directory { path: path.to_owned(), error };
    make_directories(path, 0o700).map_err(failed)
}

/// Maximum bytes of journal that wait for the next backup.
const HELD_FOR_BACKUP: u64 = 2 * 1024 * 1024 * 1024;

/// Opens the store, which may take a while after a crash.
pub(crate) async fn open_store(config: &Config, begin: Begin, clock: Arc<dyn Clock>) -> Result<Store, StartError> {
    let directory = config.store_directory();
    let settings = Settings {
        create: begin == Begin::WhereNone,
        hold_bytes: config.backup.schedule.as_ref().map_or(0, |_| HELD_FOR_BACKUP),
        clock: Some(clock),
        ..Settings::default()
    };
    let opened = tokio::task::spawn_blocking(move || opening::open(&directory, settings)).await;
    let (store, report) = match opened {
        Ok(opened) => opened?,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    if report.created {
        tracing::info!("began an empty store in {}", config.store_directory().display());
    } else if let Some(reason) = &report.rebuilt {
        tracing::warn!(
            records = report.records,
            torn_bytes = report.torn,
            reason,
            "the index of the store was rebuilt; {}. Unless it was removed by hand, look at the disk: it may be failing",
            report.completeness()
        );
    } else if report.clean {
        tracing::info!(records = report.records, "opened the store");
    } else {
        tracing::warn!(
            records = report.records,
            replayed = report.replayed,
            torn_bytes = report.torn,
            "opened the store after an unclean stop; {}",
            report.completeness()
        );
    }
    if let Some(group) = report.repaired {
        tracing::warn!(
            group,
            "one bit of the last group of the journal was wrong and was corrected; nothing of it is lost"
        );
    }
    for checkpoint in &report.unusable_checkpoints {
        tracing::warn!("a checkpoint cannot be used: {checkpoint}");
    }
    Ok(store)
}

/// Closes the store. Even if this fails, everything acknowledged is durable.
pub(crate) async fn close_store(store: &Store) {
    match store.maintenance().close().await {
        Ok(()) => tracing::info!("closed the store"),
        Err(error) => tracing::error!(%error, "the store was not closed cleanly; the next start verifies it"),
    }
}

/// Opens the spool of incoming mail.
pub(crate) async fn open_spool(config: &Config, clock: Arc<dyn Clock>) -> Result<Spool, StartError> {
    let directory = config.spool_directory();
    let opened = tokio::task::spawn_blocking(move || Spool::open(&directory, SpoolSettings::default(), clock)).await;
    match opened {
        Ok(opened) => Ok(opened?),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Closes the spool. Even if this fails, everything acknowledged is durable.
pub(crate) async fn close_spool(spool: Spool) {
    if let Err(error) = tokio::task::spawn_blocking(move || spool.close()).await {
        tracing::error!(%error, "the spool was not closed cleanly");
    }
}

/// The writer of notices.
pub(crate) fn notices(
    config: &Config,
    store: &Store,
    key: &Key,
    clock: &Arc<dyn Clock>,
    content: &Arc<ContentHandle>,
) -> Notices {
    let settings = NoticeSettings { domain: own_domain(config) };
    Notices::new(store.clone(), content.clone(), key.clone(), clock.clone(), settings)
}

/// The configured transport.
pub(crate) fn transport(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn Transport>, StartError> {
    match config.transport {
        TransportChoice::Relay => Ok(Arc::new(Relay::new(config.relay.settings()?)?)),
        TransportChoice::Capture => {
            let settings = CaptureSettings { directory: config.capture_directory() };
            Ok(Arc::new(Capture::new(settings, clock)))
        }
    }
}

/// The configured transport as text.
pub(crate) fn describe_transport(config: &Config) -> String {
    match config.transport {
        TransportChoice::Relay => format!("relay {}:{}", config.relay.host, config.relay.port),
        TransportChoice::Capture => format!("capture into {}", config.capture_directory().display()),
    }
}

/// The dispatcher's settings.
pub(crate) fn dispatch_settings(config: &Config) -> DispatchSettings {
    DispatchSettings {
        node: config.dispatch.node.clone(),
        connections: config.dispatch.connections as usize,
        lease_seconds: u32::try_from(config.dispatch.lease.as_secs()).unwrap_or(u32::MAX),
        retry: config.retry,
        breaker: config.breaker,
        bounce: config.bounce.policy,
        ..DispatchSettings::default()
    }
}

/// Starts the notice sender.
pub(crate) fn notice_worker(
    config: &Config,
    store: &Store,
    spool: &Spool,
    clock: &Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    notices: &Notices,
    notifier: &Notifier,
) -> NoticeWorker {
    NoticeWorker::start(NoticeWorkerParts {
        store: store.clone(),
        spool: spool.clone(),
        blobs: Blobs::in_state_directory(&config.state_directory),
        clock: clock.clone(),
        transport,
        notices: notices.clone(),
        notifier: notifier.clone(),
        settings: NoticeWorkerSettings { retry: config.retry, ..NoticeWorkerSettings::default() },
    })
}

/// The installation's own domain. `localhost` is not valid on the internet: without a configured domain, that of a
/// list is used.
fn own_domain(config: &Config) -> Option<String> {
    let domain = &config.organisation.domain;
    (domain != "localhost").then(|| domain.clone())
}

/// Removes attachments that a crash left half received. They only take up space, so a failure stops nothing.
pub(crate) async fn clear_attachments(config: &Config) {
    if let Err(error) = Blobs::in_state_directory(&config.state_directory).clear_incoming().await {
        tracing::warn!(%error, "files half received before the last stop could not be removed");
    }
}

/// The daemon's own jobs.
pub fn jobs(config: &Config, storage_eraser: &StorageEraser) -> Result<Vec<Job>, StartError> {
    let StorageEraser { eraser, clock, .. } = storage_eraser;
    let zone = &config.schedule.zone;
    let times =
        |key, expression: &str| Recurrence::new(expression, zone).map_err(|error| StartError::Times { key, error });
    let (store, clock) = (eraser.store.clone(), clock.clone());
    let checkpoint = Job::new("checkpoint", times("schedule.checkpoint", &config.schedule.checkpoint)?, move || {
        let store = store.clone();
        Box::pin(async move {
            let done = store.maintenance().checkpoint().await.map_err(|error| error.to_string())?;
            let Some(done) = done else { return Ok("this store needs no checkpoints".to_owned()) };
            if done.lost_to_backups > 0 {
                tracing::error!(
                    segments = done.lost_to_backups,
                    "journal was dropped that is in no backup: instants in it cannot be restored to; make backups more often"
                );
            }
            Ok(format!("wrote a checkpoint of {} records, {} bytes", done.records, done.bytes))
        })
    });
    let (rules, storage_eraser) = (rules(config, storage_eraser), storage_eraser.clone());
    let retention = Job::new("retention", times("schedule.retention", &config.schedule.retention)?, move || {
        let (rules, storage_eraser, now) = (rules.clone(), storage_eraser.clone(), clock.now());
        Box::pin(async move { erasures::drop_old(&rules, &storage_eraser, now).await })
    });
    let retention = retention.deleting_by_age();
    Ok(vec![checkpoint, retention])
}

/// The jobs about subscribers suspended by bounces.
pub(crate) fn bounce_jobs(
    config: &Config,
    store: &Store,
    notices: &Notices,
    key: &Key,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Job>, StartError> {
    let zone = &config.schedule.zone;
    let policy = config.bounce.suspended;
    let suspended = Suspended { store: store.clone(), notices: notices.clone(), key: key.clone(), policy };
    let times =
        |key, expression: &str| Recurrence::new(expression, zone).map_err(|error| StartError::Times { key, error });
    let (who, clock) = (suspended.clone(), clock.clone());
    let look = Job::new("suspended", times("bounce.look_after", &config.bounce.look_after)?, move || {
        let (who, now) = (who.clone(), clock.now());
        Box::pin(async move {
            let looked = who.look_after(now).await.map_err(|error| error.to_string())?;
            let (probed, reinstated) = (looked.probed, looked.reinstated);
            Ok(format!("sent {probed} probes to suspended subscribers; {reinstated} get mail again"))
        })
    });
    let who = suspended.clone();
    let tell = Job::new("suspended-owners", times("bounce.tell_owners", &config.bounce.tell_owners)?, move || {
        let who = who.clone();
        Box::pin(async move {
            let told = who.notify_owners().await.map_err(|error| error.to_string())?;
            Ok(format!("notified the lists' owners of {told} suspended subscribers"))
        })
    });
    Ok(vec![look, tell])
}

/// What is dropped by age, and after how long.
pub(crate) fn rules(config: &Config, storage_eraser: &StorageEraser) -> Rules {
    let StorageEraser { eraser, spool, clock, .. } = storage_eraser;
    Rules {
        store: eraser.store.clone(),
        key: eraser.key.clone(),
        clock: clock.clone(),
        spool: spool.clone(),
        blobs: Blobs::in_state_directory(&config.state_directory),
        capture: config.captured_mails(),
        configured: config.inbound.postmaster.iter().cloned().collect(),
        store_directory: config.store_directory(),
        periods: Periods { mail: config.inbound.keep, ..config.retention.clone() },
    }
}

/// The backup service.
pub(crate) fn backups(config: &Config, store: &Store, spool: &Spool, clock: &Arc<dyn Clock>) -> Arc<Backups> {
    let backups = Backups::new(
        store.clone(),
        (spool.clone(), config.spool_directory()),
        config.blobs_directory(),
        config.backup_directory(),
        config.backup.keep,
        clock.clone(),
    );
    backups.refresh();
    Arc::new(backups)
}

/// The automatic backup job, if one is configured.
pub(crate) fn backup_job(config: &Config, backups: &Arc<Backups>) -> Result<Option<Job>, StartError> {
    let Some(when) = &config.backup.schedule else { return Ok(None) };
    let times = Recurrence::new(when, &config.schedule.zone)
        .map_err(|error| StartError::Times { key: "backup.schedule", error })?;
    let backups = backups.clone();
    Ok(Some(Job::new("backup", times, move || {
        let backups = backups.clone();
        Box::pin(async move {
            let made = tokio::task::spawn_blocking(move || backups.create(&|_| {})).await;
            match made {
                Ok(Ok(report)) => Ok(report.to_string()),
                Ok(Err(error)) => Err(format!("there is no new backup: {error}")),
                Err(panic) => Err(panic.to_string()),
            }
        })
    })))
}

/// Defaults for what a queue request leaves out.
pub(crate) fn queue_defaults(config: &Config) -> QueueDefaults {
    let grace_seconds = u32::try_from(config.schedule.grace.as_secs()).unwrap_or(u32::MAX);
    let undo_seconds = u32::try_from(config.schedule.undo.as_secs()).unwrap_or(u32::MAX);
    QueueDefaults { missed: config.schedule.missed, grace_seconds, undo_seconds }
}

/// What content is checked and rendered with.
pub(crate) fn content(config: &Config) -> Result<Content, StartError> {
    load_content(config).map_err(|error| StartError::Templates(error.to_string()))
}

/// Loads what [`content`] loads, for commands that work without a daemon.
///
/// # Errors
/// [`TemplateError`].
pub(crate) fn load_content(config: &Config) -> Result<Content, TemplateError> {
    // The configuration was validated when it was read; an invalid zone was reported there.
    let zone = config.schedule.zone.parse().unwrap_or(chrono_tz::Europe::Stockholm);
    let country_code = config.content.country_code.clone();
    let source = SourceSettings { zone, country_code, ..SourceSettings::default() };
    let budget = AttachmentBudget { total: config.content.attachments_in_mail };
    let rules = ContentRules { budget, require_alt_text: config.content.require_alt_text };
    Content::load(config.templates_directory.as_deref(), source, rules)
}

/// The source of messages for mailings.
pub(crate) fn messages(
    config: &Config,
    store: &Store,
    key: &Key,
    clock: &Arc<dyn Clock>,
    content: &Content,
) -> Arc<dyn MessageSource> {
    let settings = MessageSettings {
        base_url: config.base_url.clone(),
        message_domain: own_domain(config),
        budget: content.rules.budget,
        pictures: content.pictures.clone(),
    };
    let blobs = Blobs::in_state_directory(&config.state_directory);
    let templates = content.templates.clone();
    let (key, clock) = (key.clone(), clock.clone());
    let posts = PostMessages::new(store.clone(), blobs.clone(), key.clone(), clock.clone(), settings.clone());
    let releases = ReleaseMessages::new(store.clone(), blobs, templates, key, clock, settings);
    Arc::new(ByContent { releases: Arc::new(releases), posts: Arc::new(posts) })
}
