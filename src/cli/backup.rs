//! `depesch backup`: the daemon makes backups, or the command itself from the files when no daemon runs; all else
//! works on the files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use crate::api::backup::{BackupView, Copied, Made, list};
use crate::api::client::ClientError;
use crate::api::path::ApiPath;
use crate::base::clock::Clock;
use crate::config::Config;
use crate::model::zone;
use crate::operations::backups;
use crate::operations::restore::Restoration;
use crate::store::backup::create::Source;
use crate::store::backup::health::condition;
use crate::store::backup::point::Wanted;
use crate::store::backup::prune::forget;
use crate::store::backup::repository::Repository;
use crate::store::backup::restore::Extent;
use crate::store::backup::verify::{Fault, Verified, verify};
use crate::store::backup::{BackupError, Event, unwatched};
use crate::store::embedded::{OpenError, Settings};
use crate::store::{Store, opening};

use super::output::note;
use super::progress::Progress;
use super::times::Times;
use super::{CliError, Context, Done, load_config};

mod restore;

/// Make backups, check them, and restore a store from them.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Make a backup now, while the daemon works; without a daemon, from the files
    #[command(after_help = "Only what earlier backups lack is written. Then old backups are removed by the rule \
        in [backup]. With each backup a part of the files is read again, so that all are read within a week; damaged \
        files are written again if the store still has their content.\n\nExit codes: 0 all is well, 1 made, and damage was found.\n\n\
        Examples:\n  depesch backup create")]
    Create,
    /// Show all backups
    #[command(after_help = "Exit codes: 0 all are intact, 1 some are not.\n\nExamples:\n  depesch backup list")]
    List(From),
    /// Read every byte of backups and check that they lead to the records in their manifests
    #[command(after_help = "Exit codes: 0 all is well, 1 something is damaged.\n\n\
        Examples:\n  depesch backup verify\n  depesch backup verify --all --from /mnt/other-disk/depesch")]
    Verify {
        /// The backups; the newest if none is named
        backups: Vec<String>,
        /// All existing backups
        #[arg(long, conflicts_with = "backups")]
        all: bool,
        /// Where the backups are.
        #[command(flatten)]
        from: From,
    },
    /// Forget a damaged or missing backup, so that it is not reported any more
    ///
    /// Its files are removed by the next backup, unless another backup needs them.
    #[command(after_help = "Examples:\n  depesch backup forget 20261122T042700Z")]
    Forget {
        /// The backup's full id
        backup: String,
        /// Where the backups are.
        #[command(flatten)]
        from: From,
    },
    /// Restore a store where there is none
    ///
    /// Everything is checked first, and nothing is put in place before all of it is right. A restored store is held:
    /// every mailing that has not ended is paused, because it is unknown what was sent after the backup. What later
    /// backups know of people who left, were suppressed or erased after that time is applied again.
    ///
    /// A damaged backup is refused, with a list of everything that is damaged in it. With --partial the records are
    /// restored as far as they are intact, and attachments and mail one by one; what is missing is listed, and no
    /// mail is sent without an attachment that it had: a mailing that needs one is held.
    #[command(after_help = "Examples:\n  depesch backup restore --dry-run\n  depesch backup restore\n  \
        depesch backup restore 20261122T042700Z --into /var/lib/depesch-new\n  \
        depesch backup restore --until \"2026-11-22 10:00\"      # as it was before an import went wrong\n  \
        depesch backup restore --aside                         # the store that stands there is moved aside\n  \
        depesch backup restore --partial                       # the intact part of a damaged backup\n\n\
        Exit codes: 0 restored, 1 restored in part, or --dry-run found damage.")]
    Restore {
        /// The backup; the newest if none is named
        backup: Option<String>,
        /// Restore the state at this time: a local time in the configured zone, or with its own offset
        #[arg(long, value_name = "TIME", conflicts_with = "backup")]
        until: Option<String>,
        /// The new state directory, instead of the configured one
        #[arg(long, value_name = "DIRECTORY")]
        into: Option<PathBuf>,
        /// Read and check everything, but only report what would be done; allowed over an existing store
        #[arg(long)]
        dry_run: bool,
        /// Restore the intact part of a damaged backup, and list exactly what is missing
        #[arg(long)]
        partial: bool,
        /// First move the existing store aside; its backups stay where they are
        #[arg(long)]
        aside: bool,
        /// Leave out later changes by people: those who unsubscribed or were erased since are restored
        #[arg(long)]
        without_later: bool,
        /// Where the backups are.
        #[command(flatten)]
        from: From,
    },
}

/// Where the backups are.
#[derive(Debug, clap::Args)]
pub struct From {
    /// The directory of the backups, instead of the configured one
    #[arg(long, value_name = "DIRECTORY")]
    from: Option<PathBuf>,
}

impl BackupCommand {
    /// Whether it works without a daemon.
    pub(crate) fn is_local(&self) -> bool {
        !matches!(self, Self::Create)
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: BackupCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        BackupCommand::Create => make(context).await,
        BackupCommand::List(From { from }) => show_list(&directory(from, context)?, context),
        BackupCommand::Verify { backups, all, from: From { from } } => {
            check(&directory(from, context)?, backups, all, context)
        }
        BackupCommand::Forget { backup, from: From { from } } => {
            let directory = directory(from, context)?;
            let repository = Repository::open_to_write(&directory, &unwatched).map_err(failed)?;
            forget(&repository, &backup, &unwatched).map_err(failed)?;
            match context.output.is_json() {
                true => context.output.json(&json!({ "forgotten": backup }))?,
                false => context.output.line(&format!("Backup {backup} is forgotten."))?,
            }
            Ok(Done::Fully)
        }
        BackupCommand::Restore { backup, until, into, dry_run, partial, aside, without_later, from: From { from } } => {
            let config = load_config(context.config.as_deref())?.config;
            let clock = crate::app::system_clock();
            let wanted = match until {
                Some(text) => Wanted::Until(instant_of(&text, &config, &*clock)?),
                None => Wanted::Backup(backup),
            };
            let pending = Restoration {
                from: from.unwrap_or_else(|| config.backup_directory()),
                wanted,
                target: into.unwrap_or(config.state_directory),
                later: !without_later,
                extent: if partial { Extent::Partial } else { Extent::Whole },
                aside,
            };
            restore::bring_back(&pending, dry_run, clock, context).await
        }
    }
}

fn directory(from: Option<PathBuf>, context: &Context) -> Result<PathBuf, CliError> {
    match from {
        Some(directory) => Ok(directory),
        None => Ok(load_config(context.config.as_deref())?.config.backup_directory()),
    }
}

fn instant_of(text: &str, config: &Config, clock: &dyn Clock) -> Result<crate::base::clock::Timestamp, CliError> {
    let wrong = |e: zone::TimeError| CliError::Usage(format!("--until: {e}"));
    let zone = zone::zone(&config.schedule.zone).map_err(wrong)?;
    Ok(zone::parse(text, zone, clock.now()).map_err(wrong)?.0)
}

fn failed(error: BackupError) -> CliError {
    match &error {
        BackupError::Open(OpenError::Locked { .. } | OpenError::Absent(_)) => CliError::Usage(error.to_string()),
        _ if error.is_refusal() => CliError::Usage(error.to_string()),
        _ => CliError::Internal(error.to_string()),
    }
}

/// A progress bar for events that come from another thread.
fn bar(what: &'static str) -> Arc<dyn Fn(Event) -> std::io::Result<()> + Send + Sync> {
    let (progress, done) = (Progress::new(what, None), std::sync::atomic::AtomicU64::new(0));
    Arc::new(move |event| {
        match event {
            Event::Total(total) => progress.set_total(total),
            Event::Bytes(more) => {
                let before = done.fetch_add(more, std::sync::atomic::Ordering::Relaxed);
                progress.set(before + more);
            }
            Event::Step(_) => {}
        }
        Ok(())
    })
}

async fn make(context: &Context) -> Result<Done, CliError> {
    let (path, nothing) = (ApiPath::new("/v1/backups"), tokio::io::empty());
    let made = match context.client.upload(Method::POST, path, "application/json", nothing).await {
        Ok(answer) => {
            let progress = Progress::new("backing up", None);
            let made = answer.follow(|Copied { bytes, total }| {
                progress.set_total(total);
                progress.set(bytes);
            });
            made.await?
        }
        Err(ClientError::Unreachable { .. }) => {
            let config = load_config(context.config.as_deref())?.config;
            note("No daemon answers: the backup is made from the files.");
            let settings = Settings { clock: Some(crate::app::system_clock()), ..Settings::default() };
            let directory = config.store_directory();
            let (store, _) = blocking(move || Ok(opening::open(&directory, settings)?)).await?;
            let own = store.clone();
            let made = blocking(move || make_of_files(&config, &own)).await?;
            store.maintenance().close().await.map_err(|error| failed(error.into()))?;
            made
        }
        Err(error) => return Err(error.into()),
    };
    let output = &context.output;
    if output.is_json() {
        output.json(&made)?;
    } else {
        let Made { backup, directory, forgotten, freed_bytes, rewritten, faults } = &made;
        let (id, records, bytes, new) = (&backup.id, backup.records, backup.bytes, backup.new_bytes);
        output
            .line(&format!("Backup {id} of {records} records is in {directory}: {bytes} bytes, {new} of them new."))?;
        if !forgotten.is_empty() {
            let count = forgotten.len();
            output.line(&format!("{count} old backups were removed, which freed {freed_bytes} bytes."))?;
        }
        for hash in &backup.left_out {
            output.line(&format!("The attachment {hash} is damaged in the store and is not in the backup."))?;
        }
        for file in rewritten {
            output.line(&format!("{file} was damaged and has been written again: check its disk."))?;
        }
        for fault in faults {
            output.line(&fault.to_string())?;
        }
        if !faults.is_empty() {
            output.line(&format!(
                "{} files of backups are damaged or missing, and the store does not have them any more.",
                faults.len()
            ))?;
        }
    }
    let is_well = made.backup.left_out.is_empty() && made.rewritten.is_empty() && made.faults.is_empty();
    Ok(if is_well { Done::Fully } else { Done::Partly })
}

/// Makes a backup while no daemon runs. Blocks.
fn make_of_files(config: &Config, store: &Store) -> Result<Made, BackupError> {
    let directory = config.backup_directory();
    let watch = bar("backing up");
    let repository = Repository::open_to_write(&directory, &*watch)?;
    let source = Source {
        engine: store.maintenance(),
        blobs: config.blobs_directory(),
        spool: config.spool_directory(),
        // A start begins a new segment: while the store's lock is held none of these is written to.
        seal_spool: &|| Ok(u64::MAX),
    };
    let now = crate::app::system_clock().now();
    let report = backups::make(&source, &repository, config.backup.keep, now, &*watch, &|_| {})?;
    Ok(Made::of(&report, &directory))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, CliError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| CliError::Internal(error.to_string()))?.map_err(failed)
}

fn show_list(directory: &Path, context: &Context) -> Result<Done, CliError> {
    let look = |repository: Repository| Ok((list(&repository)?, condition(&repository)?));
    let (all, found) = Repository::open_to_read(directory).and_then(look).map_err(failed)?;
    let output = &context.output;
    if output.is_json() {
        output.json(&all)?;
    } else if all.is_empty() {
        output.line("There are no backups yet.")?;
    } else {
        output.table(
            &["backup", "made", "records", "bytes", "new", "whole"],
            all.iter().map(|one| row(one, output.times)),
        )?;
        show_faults(&found.faults, context)?;
        if let Some(at) = found.oldest_read {
            output.line(&format!("Every file was read after {}.", output.times.instant(at)))?;
        }
    }
    Ok(if found.faults.is_empty() && all.iter().all(|one| one.whole) { Done::Fully } else { Done::Partly })
}

fn row(one: &BackupView, times: Times) -> [String; 6] {
    [
        one.id.clone(),
        one.created.map(|at| times.instant(at)).unwrap_or_default(),
        one.records.to_string(),
        one.bytes.to_string(),
        one.new_bytes.to_string(),
        one.problem.clone().unwrap_or_else(|| "yes".to_owned()),
    ]
}

fn check(directory: &Path, mut ids: Vec<String>, all: bool, context: &Context) -> Result<Done, CliError> {
    let work = || {
        let repository = Repository::open_to_read(directory)?;
        if ids.is_empty() && !all {
            // A damaged one is still reported, and the newest readable one is examined.
            let newest = repository.manifests()?.pop();
            ids.push(newest.ok_or_else(|| BackupError::Empty(directory.to_owned()))?.id);
        }
        verify(&repository, &ids, &*bar("reading"))
    };
    let found = match { work }() {
        Ok(found) => found,
        Err(BackupError::Damaged { path, what }) => {
            let faults = vec![Fault { path, what, backups: Vec::new() }];
            Verified { backups: Vec::new(), files: 0, bytes: 0, records: 0, faults, seen: Vec::new() }
        }
        Err(error) => return Err(failed(error)),
    };
    let output = &context.output;
    let Verified { backups, files, bytes, records, faults, seen } = &found;
    if !seen.is_empty()
        && let Err(error) = Repository::note_read(directory, seen, crate::app::system_clock().now())
    {
        note(&format!("The result could not be recorded for the next backup: {error}"));
    }
    if output.is_json() {
        let faults: Vec<Value> = faults.iter().map(fault_json).collect();
        output.json(&json!({
            "backups": backups, "files": files, "bytes": bytes, "records": records, "faults": faults,
        }))?;
    } else {
        show_faults(faults, context)?;
        if faults.is_empty() {
            let count = backups.len();
            output.line(&format!(
                "{count} backups are intact: {files} files, {bytes} bytes; the newest leads to {records} records."
            ))?;
        } else {
            output.line(
                "The next backup writes again what the store still has. The intact part can be restored with --partial; a \
                 useless backup is forgotten with \u{201c}depesch backup forget\u{201d}.",
            )?;
        }
    }
    Ok(if faults.is_empty() { Done::Fully } else { Done::Partly })
}

fn fault_json(fault: &Fault) -> Value {
    json!({ "file": fault.path, "what": fault.what, "backups": fault.backups })
}

fn show_faults(faults: &[Fault], context: &Context) -> Result<(), CliError> {
    faults.iter().try_for_each(|fault| {
        let of = if fault.backups.is_empty() { String::new() } else { format!(" (of {})", fault.backups.join(", ")) };
        context.output.line(&format!("{}: {}{of}", fault.path.display(), fault.what))
    })
}
