//! Restores a store from a backup, so that a daemon may start on it.
//!
//! Its ledgers end where the backup ends. It is unknown what was sent after that: so nothing is sent automatically.
//! Every mailing that has not ended is paused and its deliveries in doubt are held for a person; unsent notices are
//! given up, and unhandled mail is set aside; a person can retry each (`hold`).
//!
//! Numbers continue at higher values, so that mail sent after the restored time never refers to something else.
//!
//! What people did after that time must not be undone (invariant 4): if there is a later backup, its suppressions,
//! ended and paused subscriptions and erasures are applied again (`later`).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::privacy::erasure::Eraser;
use crate::privacy::personal_data::{Files, PersonalDataError};
use crate::store::backup::point::{Point, Wanted, find, find_partial, points_after};
use crate::store::backup::repository::Repository;
use crate::store::backup::restore::{Extent, LaidOut, check, check_target, lay_out};
use crate::store::backup::verify::Fault;
use crate::store::backup::{BackupError, Event};
use crate::store::blobs::Blobs;
use crate::store::check::{CheckError, files_beside};
use crate::store::embedded::check::Finding;
use crate::store::embedded::{Settings, StoreLock};
use crate::store::opening;
use crate::store::spool::{Spool, SpoolSettings};
use crate::store::{Store, StoreError};
use crate::subscribers::profile::PersonError;

pub(crate) mod hold;
pub(crate) mod later;

use hold::{Held, hold, renumber};
use later::{DoneAgain, Later};

/// What to restore, and where.
#[derive(Clone, Debug)]
pub struct Restoration {
    /// The repository.
    pub from: PathBuf,
    /// The state to restore.
    pub wanted: Wanted,
    /// The new state directory; it must not contain a store.
    pub target: PathBuf,
    /// Whether to apply again what people did after that time, from the newest backup.
    pub later: bool,
    /// Whether damaged parts may be left out.
    pub extent: Extent,
    /// Whether to move an existing store in the target aside, into a directory next to it.
    pub aside: bool,
}

/// What was restored, or would be.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The restored state.
    pub point: Point,
    /// Number of records in the backup.
    pub records: u64,
    /// Damage in the backup; a partial restore leaves it out.
    pub faults: Vec<Fault>,
    /// Whether the records are exactly those of the backup.
    pub exact: bool,
    /// Attachments and mail that records refer to and that are missing or damaged, one line each.
    pub missing: Vec<String>,
    /// Later backups that cannot be read: people's actions up to them are not known from them.
    pub unread: Vec<Fault>,
    /// What exists at the target.
    pub occupied: Option<PathBuf>,
    /// Where the previous store is now.
    pub aside: Option<PathBuf>,
    /// The later backup that was read, if any, and what was applied again.
    pub later: Option<(String, DoneAgain)>,
    /// What is held.
    pub held: Held,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup or the target cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The backup is damaged.
    #[error("the backup is damaged, so nothing was restored:{}\nuse --partial to restore the intact part", fault_lines(.0))]
    Damaged(Vec<Fault>),
    /// Later backups cannot be read, so people's actions after it are unknown.
    #[error(
        "later backups, which record who left after that time, cannot be read:{}\nwithout them, people who \
         unsubscribed or were erased since are restored: --partial applies what other backups record about them, \
         --without-later nothing",
        fault_lines(.0)
    )]
    Later(Vec<Fault>),
    /// The restored store cannot be checked.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The restored store failed.
    #[error(transparent)]
    Person(#[from] PersonError),
}

fn fault_lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {}: {}", fault.path.display(), fault.what)).collect()
}

impl From<PersonalDataError> for RestoreError {
    fn from(error: PersonalDataError) -> Self {
        Self::Person(error.into())
    }
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Person(error.into())
    }
}

/// Receives progress from another thread.
pub(crate) type Watching = Arc<dyn Fn(Event) -> io::Result<()> + Send + Sync>;

/// Reads everything that a restore would need; writes nothing.
///
/// # Errors
/// [`RestoreError`].
pub async fn rehearse(pending: &Restoration, watch: Watching) -> Result<Restored, RestoreError> {
    let pending = pending.clone();
    blocking(move || {
        let occupied = match check_target(&pending.target) {
            Err(BackupError::Occupied(path)) => Some(path),
            other => other.map(|()| None)?,
        };
        let repository = Repository::open_to_read(&pending.from)?;
        let (point, mut faults) = wanted(&pending, &repository)?;
        let (later, unread) = read_later(&pending, &repository, &point)?;
        let later = later.map(|(id, _)| (id, DoneAgain::default()));
        let (records, damaged) = check(&repository, &point, &*watch)?;
        faults.extend(damaged);
        let exact = faults.is_empty();
        Ok(Restored { records, exact, later, unread, occupied, ..Restored::of(point, faults) })
    })
    .await
}

impl Restored {
    fn of(point: Point, faults: Vec<Fault>) -> Self {
        Self {
            point,
            records: 0,
            faults,
            exact: true,
            missing: Vec::new(),
            unread: Vec::new(),
            occupied: None,
            aside: None,
            later: None,
            held: Held::default(),
        }
    }

    /// Whether everything in the backup is in the store.
    pub fn is_whole(&self) -> bool {
        self.exact && self.faults.is_empty() && self.missing.is_empty()
    }
}

/// Restores a store. Until this returns, the target has no store, or the previous one.
///
/// # Errors
/// [`RestoreError`]: nothing has changed in the target.
pub async fn restore(pending: &Restoration, clock: Arc<dyn Clock>, watch: Watching) -> Result<Restored, RestoreError> {
    let own = pending.clone();
    let (restored, mut laid_out, later, lock) = blocking(move || {
        let lock = match check_target(&own.target) {
            Err(BackupError::Occupied(_)) if own.aside => Some(lock_of(&own)?),
            other => other.map(|()| None)?,
        };
        let repository = Repository::open_to_read(&own.from)?;
        let (point, faults) = wanted(&own, &repository)?;
        let (later, unread) = read_later(&own, &repository, &point)?;
        let laid_out = match lay_out(&repository, &point, &own.target, own.extent, &*watch) {
            Err(error) if own.extent == Extent::Whole && error.is_damage() => {
                let (_, faults) = check(&repository, &point, &*watch)?;
                return Err(match faults.is_empty() {
                    true => RestoreError::Backup(error),
                    false => RestoreError::Damaged(faults),
                });
            }
            other => other?,
        };
        Ok((Restored { unread, ..Restored::of(point, faults) }, laid_out, later, lock))
    })
    .await?;
    let (directory, settings) = (laid_out.store(), Settings { clock: Some(clock.clone()), ..Settings::default() });
    let opened = blocking(move || Ok(opening::open(&directory, settings).map_err(BackupError::from)?));
    let (store, _) = opened.await?;
    let done = settle(&store, &restored.point, later.as_ref(), &laid_out, &clock).await;
    let missing = match laid_out.faults.is_empty() {
        true => Ok(Vec::new()),
        false => missing(&store, &laid_out).await,
    };
    let closed = store.maintenance().close().await.map_err(BackupError::from);
    let ((done, held), missing) = (done?, missing?);
    closed?;
    if lock.is_some() {
        laid_out.aside = Some(pending.target.join(format!("aside-{}", clock.now().format("%Y%m%dT%H%M%SZ"))));
    }
    let (records, exact, aside) = (laid_out.records, laid_out.exact, laid_out.aside.clone());
    let Restored { point, mut faults, unread, .. } = restored;
    faults.append(&mut laid_out.faults);
    place(laid_out).await?;
    drop(lock);
    let later = later.map(|(id, _)| (id, done));
    Ok(Restored { records, exact, faults, missing, unread, later, held, aside, ..Restored::of(point, Vec::new()) })
}

/// Locks the store that is to be moved aside, so that no daemon uses it; `None` if its directory does not exist.
fn lock_of(pending: &Restoration) -> Result<Option<StoreLock>, RestoreError> {
    let store = pending.target.join("store");
    match store.is_dir() {
        true => Ok(Some(StoreLock::take(&store).map_err(BackupError::from)?)),
        false => Ok(None),
    }
}

/// The wanted state, or with [`Extent::Partial`] the nearest available, and the damage.
fn wanted(pending: &Restoration, repository: &Repository) -> Result<(Point, Vec<Fault>), BackupError> {
    match pending.extent {
        // Without its notes a repository cannot tell whether a newer backup is missing: this is reported, and stops
        // nothing.
        Extent::Whole => Ok((find(repository, &pending.wanted)?, repository.notes_fault().into_iter().collect())),
        Extent::Partial => find_partial(repository, &pending.wanted),
    }
}

/// What records refer to and is missing or damaged, as text.
async fn missing(store: &Store, laid_out: &LaidOut) -> Result<Vec<String>, RestoreError> {
    let found = files_beside(store, &laid_out.workplace).await?;
    let line = |finding: Finding| {
        let name = finding.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{} ({name}): {}", finding.what, finding.hits.join(", "))
    };
    Ok(found.into_iter().filter(|finding| !finding.harmless && !finding.hits.is_empty()).map(line).collect())
}

async fn settle(
    store: &Store,
    point: &Point,
    later: Option<&(String, Later)>,
    laid_out: &LaidOut,
    clock: &Arc<dyn Clock>,
) -> Result<(DoneAgain, Held), RestoreError> {
    let now = clock.now();
    let key = store.installation_key().await?;
    if !laid_out.exact {
        store.forget_tables().await?;
    }
    let mut done = match later {
        Some((_, later)) => later.apply(store).await?,
        None => DoneAgain::default(),
    };
    renumber(store, later.map(|(_, later)| later.kept())).await?;
    let held = hold(store, point.at.unwrap_or(point.created), now).await?;
    // Last, so that no pending work is interfered with.
    if let Some((_, later)) = later {
        let (spool, clock) = (laid_out.workplace.join("spool"), clock.clone());
        let spool =
            blocking(
                move || Ok(Spool::open(&spool, SpoolSettings::default(), clock).map_err(PersonalDataError::from)?),
            );
        let (spool, blobs) = (spool.await?, Blobs::in_state_directory(&laid_out.workplace));
        let eraser =
            Eraser { store: store.clone(), key, files: Some(Files { spool: spool.clone(), blobs, capture: None }) };
        done.erased = later.erase(&eraser, now).await?;
        blocking(move || {
            spool.close();
            Ok(())
        })
        .await?;
    }
    Ok((done, held))
}

async fn place(laid_out: LaidOut) -> Result<(), RestoreError> {
    blocking(move || Ok(laid_out.place()?)).await
}

/// The newest later backup that can be read, with its name, and those that cannot.
type ReadLater = (Option<(String, Later)>, Vec<Fault>);

/// Reads people's actions after the restored time from the newest readable backup, if it is later.
fn read_later(pending: &Restoration, repository: &Repository, point: &Point) -> Result<ReadLater, RestoreError> {
    let mut unread = Vec::new();
    if !pending.later {
        return Ok((None, unread));
    }
    let listed = repository.list()?;
    let faults = repository.faults(&listed);
    let mut later = None;
    for newer in points_after(listed, point) {
        match Later::read(repository, &newer) {
            Ok(read) => {
                later = Some((newer.backup, read));
                break;
            }
            Err(error) => {
                let path = repository.directory().join("backups").join(format!("{}.manifest", newer.backup));
                unread.push(Fault { path, what: error.to_string(), backups: vec![newer.backup] });
            }
        }
    }
    // Everything older is known to the one that was read.
    let known = later.as_ref().map_or(&point.backup, |(backup, _)| backup);
    unread.extend(faults.into_iter().filter(|fault| fault.backups.iter().any(|backup| backup > known)));
    match unread.is_empty() || pending.extent == Extent::Partial {
        true => Ok((later, unread)),
        false => Err(RestoreError::Later(unread)),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RestoreError> + Send + 'static,
) -> Result<T, RestoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
