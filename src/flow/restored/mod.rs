//! Restoring a store from a backup, so that a daemon may start on it.
//!
//! Its ledgers end where the backup ends. What was sent after that, nobody knows: so nothing goes out by itself. Every
//! mailing that is not over is paused and its deliveries in doubt are held for a person; letters that were still to be
//! sent are given up, and mail that was still to be handled is laid aside; a person can try each again (`hold`).
//!
//! Numbers go on higher, so that what went out after the instant never leads to something else.
//!
//! What people did after the instant must not be undone (invariant 4): where a later backup is there, suppressions,
//! ended and paused subscriptions and erasures that it knows are done again (`later`).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::store::backup::point::{Point, Wanted, find};
use crate::store::backup::repository::Repository;
use crate::store::backup::restore::{LaidOut, check, check_target, lay_out};
use crate::store::backup::verify::Fault;
use crate::store::backup::{BackupError, Event};
use crate::store::blobs::Blobs;
use crate::store::embedded::{EmbeddedEngine, Settings};
use crate::store::spool::{Spool, SpoolSettings};
use crate::store::{Store, StoreError};

use super::person::traces::{Files, TraceError};
use super::person::{Eraser, PersonError};

pub mod hold;
pub mod later;

use hold::{Held, hold, renumber};
use later::{DoneAgain, Later};

/// What is to be restored, and where to.
#[derive(Clone, Debug)]
pub struct Restoration {
    /// The repository.
    pub from: PathBuf,
    /// Which state.
    pub wanted: Wanted,
    /// The state directory to be; there must be no store in it.
    pub target: PathBuf,
    /// Do again what people did after that instant, as the newest backup knows it.
    pub later: bool,
}

/// What was restored, or would be.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Which state.
    pub point: Point,
    /// How many records the backup holds.
    pub records: u64,
    /// What is wrong with the backup; nothing is restored then.
    pub faults: Vec<Fault>,
    /// The backup that later acts were read from, if there is a later one, and what was done again.
    pub later: Option<(String, DoneAgain)>,
    /// What is held.
    pub held: Held,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup, or the place where it should go.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// What people did after it cannot be read.
    #[error(
        "the newest backup, which knows who left after that instant, cannot be read: {0}. Without what it knows, people \
         who unsubscribed or were erased since come back: only with --without-later"
    )]
    Later(BackupError),
    /// The restored store.
    #[error(transparent)]
    Person(#[from] PersonError),
}

impl From<TraceError> for RestoreError {
    fn from(error: TraceError) -> Self {
        Self::Person(error.into())
    }
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Person(error.into())
    }
}

/// Is told what happens, from another thread.
pub type Watching = Arc<dyn Fn(Event) -> io::Result<()> + Send + Sync>;

/// Reads everything that a restore would need; nothing is written.
///
/// # Errors
/// [`RestoreError`].
pub async fn rehearse(wish: &Restoration, watch: Watching) -> Result<Restored, RestoreError> {
    let wish = wish.clone();
    blocking(move || {
        check_target(&wish.target)?;
        let repository = Repository::open_to_read(&wish.from)?;
        let point = find(&repository, &wish.wanted)?;
        let later = read_later(&wish, &repository, &point)?.map(|(id, _)| (id, DoneAgain::default()));
        let (records, faults) = check(&repository, &point, &*watch)?;
        Ok(Restored { point, records, faults, later, held: Held::default() })
    })
    .await
}

/// Restores a store. Until this returns, there is none in the target.
///
/// # Errors
/// [`RestoreError`]: there is none.
pub async fn restore(wish: &Restoration, clock: Arc<dyn Clock>, watch: Watching) -> Result<Restored, RestoreError> {
    let own = wish.clone();
    let (point, laid_out, later) = blocking(move || {
        check_target(&own.target)?;
        let repository = Repository::open_to_read(&own.from)?;
        let point = find(&repository, &own.wanted)?;
        let later = read_later(&own, &repository, &point)?;
        let laid_out = lay_out(&repository, &point, &own.target, &*watch)?;
        Ok((point, laid_out, later))
    })
    .await?;
    let records = laid_out.records;
    let (directory, settings) = (laid_out.store(), Settings { clock: Some(clock.clone()), ..Settings::default() });
    let engine = blocking(move || Ok(EmbeddedEngine::open(&directory, settings).map_err(BackupError::from)?.engine));
    let engine = Arc::new(engine.await?);
    let done = settle(&engine, &point, later.as_ref(), &laid_out, &clock).await;
    let closed = blocking(move || Ok(engine.close().map_err(BackupError::from)?)).await;
    let (done, held) = done?;
    closed?;
    place(laid_out).await?;
    let later = later.map(|(id, _)| (id, done));
    Ok(Restored { point, records, faults: Vec::new(), later, held })
}

async fn settle(
    engine: &Arc<EmbeddedEngine>,
    point: &Point,
    later: Option<&(String, Later)>,
    laid_out: &LaidOut,
    clock: &Arc<dyn Clock>,
) -> Result<(DoneAgain, Held), RestoreError> {
    let (store, now) = (Store::new(engine.clone()), clock.now());
    let key = store.installation_key().await?;
    let mut done = match later {
        Some((_, later)) => later.apply(&store).await?,
        None => DoneAgain::default(),
    };
    renumber(&store, later.map(|(_, later)| later.kept())).await?;
    let held = hold(&store, point.at.unwrap_or(point.created), now).await?;
    // After that: what waits is not taken from under anybody.
    if let Some((_, later)) = later {
        let (spool, clock) = (laid_out.workplace.join("spool"), clock.clone());
        let spool =
            blocking(move || Ok(Spool::open(&spool, SpoolSettings::default(), clock).map_err(TraceError::from)?));
        let (spool, blobs) = (spool.await?, Blobs::in_state_directory(&laid_out.workplace));
        let eraser = Eraser { store, key, files: Some(Files { spool: spool.clone(), blobs, capture: None }) };
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

/// What people did after the instant, and which backup knows it; none when nothing is later.
fn read_later(
    wish: &Restoration,
    repository: &Repository,
    point: &Point,
) -> Result<Option<(String, Later)>, RestoreError> {
    if !wish.later {
        return Ok(None);
    }
    let newest = find(repository, &Wanted::Backup(None)).map_err(RestoreError::Later)?;
    if newest.backup == point.backup && newest.group == point.group {
        return Ok(None);
    }
    let later = Later::read(repository, &newest).map_err(RestoreError::Later)?;
    Ok(Some((newest.backup, later)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RestoreError> + Send + 'static,
) -> Result<T, RestoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
