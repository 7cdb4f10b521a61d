//! A store with attachments and incoming mail, and a backup repository next to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::model::inbound::SpoolPlace;
use depesch::operations::backups::{BackupReport, make};
use depesch::operations::restore::{Restoration, RestoreError, Restored, restore};
use depesch::store::Store;
use depesch::store::backup::create::{Source, create};
use depesch::store::backup::manifest::Manifest;
use depesch::store::backup::point::Wanted;
use depesch::store::backup::prune::Keep;
use depesch::store::backup::repository::Repository;
use depesch::store::backup::restore::Extent;
use depesch::store::backup::upkeep::{Upkeep, upkeep};
use depesch::store::backup::verify::{Fault, verify};
use depesch::store::backup::{BackupError, Watch, unwatched};
use depesch::store::blobs::Blobs;
use depesch::store::embedded::{EmbeddedEngine, Settings};
use depesch::store::engine::{Batch, Commit, Engine, Key, KeyRange};
use depesch::store::spool::{Spool, SpoolSettings};

use super::mailings::minute;

pub type Records = BTreeMap<Vec<u8>, Vec<u8>>;

pub struct Site {
    pub directory: tempfile::TempDir,
    pub engine: Arc<EmbeddedEngine>,
    pub spool: Spool,
    pub clock: Arc<FakeClock>,
}

pub fn settings(clock: &Arc<FakeClock>) -> Settings {
    Settings {
        create: true,
        reserve_bytes: 0,
        segment_bytes: 4_000,
        hold_bytes: 10_000_000,
        clock: Some(Arc::new(clock.clone())),
        ..Settings::default()
    }
}

impl Site {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = FakeClock::at(minute(0));
        let state = directory.path().join("state");
        let engine = Arc::new(EmbeddedEngine::open(&state.join("store"), settings(&clock)).unwrap().engine);
        let settings = SpoolSettings { reserve_bytes: 0, ..SpoolSettings::default() };
        let spool = Spool::open(&state.join("spool"), settings, Arc::new(clock.clone())).unwrap();
        Self { directory, engine, spool, clock }
    }

    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub fn repository(&self) -> PathBuf {
        self.directory.path().join("backups")
    }

    pub fn store(&self) -> Store {
        Store::new(self.engine.clone())
    }

    /// Sets record `number` in a table that nothing else uses.
    pub async fn put(&self, number: u32, value: &str) {
        let mut batch = Batch::new();
        batch.put(Key(format!("Z{number:05}").into_bytes()), value.as_bytes());
        assert_eq!(self.engine.commit(batch).await.unwrap(), Commit::Applied);
    }

    pub async fn mail(&self, text: &str) -> SpoolPlace {
        self.spool.append(text.as_bytes().to_vec()).await.unwrap()
    }

    pub async fn attach(&self, text: &str) {
        Blobs::in_state_directory(&self.state()).put(None, text.as_bytes()).await.unwrap();
    }

    pub async fn back_up(&self) -> Manifest {
        self.back_up_watched(&unwatched).unwrap()
    }

    pub fn back_up_watched(&self, watch: Watch<'_>) -> Result<Manifest, BackupError> {
        use depesch::base::clock::Clock;
        tokio::task::block_in_place(|| {
            let repository = Repository::open_to_write(&self.repository(), watch)?;
            let source = Source {
                engine: &*self.engine,
                blobs: self.state().join("blobs"),
                spool: self.state().join("spool"),
                seal_spool: &|| self.spool.seal_blocking(),
            };
            create(&source, &repository, self.clock.now(), watch)
        })
    }

    /// All faults of the repository that `backup verify --all` finds.
    pub fn faults(&self) -> Vec<Fault> {
        let found = Repository::open_to_read(&self.repository()).and_then(|r| verify(&r, &[], &unwatched));
        match found {
            Ok(found) => found.faults,
            Err(error) => {
                vec![Fault { path: self.repository(), what: error.to_string(), backups: Vec::new() }]
            }
        }
    }

    /// Restores to an empty machine.
    pub async fn restore(&self, wanted: Wanted) -> Result<(tempfile::TempDir, Restored), RestoreError> {
        self.restore_as(|pending| Restoration { wanted, ..pending }).await
    }

    /// As [`Self::restore`], but undamaged parts suffice.
    pub async fn restore_partly(&self, wanted: Wanted) -> Result<(tempfile::TempDir, Restored), RestoreError> {
        self.restore_as(|pending| Restoration { wanted, extent: Extent::Partial, ..pending }).await
    }

    async fn restore_as(
        &self,
        change: impl FnOnce(Restoration) -> Restoration,
    ) -> Result<(tempfile::TempDir, Restored), RestoreError> {
        let target = tempfile::tempdir().unwrap();
        let pending = change(self.restoration(&target));
        let restored = restore(&pending, Arc::new(self.clock.clone()), Arc::new(unwatched)).await?;
        Ok((target, restored))
    }

    /// A restoration of the newest backup to an empty machine.
    pub fn restoration(&self, target: &tempfile::TempDir) -> Restoration {
        Restoration {
            from: self.repository(),
            wanted: Wanted::Backup(None),
            target: target.path().join("state"),
            later: true,
            extent: Extent::Whole,
            aside: false,
        }
    }

    /// The daemon's nightly work: verifies a part, rewrites what is damaged, makes a backup, removes old ones.
    pub fn night(&self, keep: Keep) -> Result<BackupReport, BackupError> {
        use depesch::base::clock::Clock;
        self.with_source(|source, repository| make(source, repository, keep, self.clock.now(), &unwatched, &|_| {}))
    }

    /// Verifies only the part that is due.
    pub fn read_part(&self) -> Result<Upkeep, BackupError> {
        use depesch::base::clock::Clock;
        self.with_source(|source, repository| upkeep(source, repository, self.clock.now(), 0, &unwatched))
    }

    fn with_source<T>(
        &self,
        work: impl FnOnce(&Source<'_>, &Repository) -> Result<T, BackupError>,
    ) -> Result<T, BackupError> {
        tokio::task::block_in_place(|| {
            let repository = Repository::open_to_write(&self.repository(), &unwatched)?;
            let source = Source {
                engine: &*self.engine,
                blobs: self.state().join("blobs"),
                spool: self.state().join("spool"),
                seal_spool: &|| self.spool.seal_blocking(),
            };
            work(&source, &repository)
        })
    }

    pub async fn records(&self) -> Records {
        records(&*self.engine).await
    }
}

/// Every record of an engine.
pub async fn records(engine: &dyn Engine) -> Records {
    let all = engine.scan(KeyRange::prefix(Vec::new()), usize::MAX).await.unwrap();
    all.into_iter().map(|(key, value)| (key.0, value.to_vec())).collect()
}

/// A restored store, open.
pub fn open(target: &tempfile::TempDir, clock: &Arc<FakeClock>) -> Arc<EmbeddedEngine> {
    let settings = Settings { create: false, ..settings(clock) };
    Arc::new(EmbeddedEngine::open(&target.path().join("state/store"), settings).unwrap().engine)
}

/// Writes files, by path below a directory.
pub fn put_files(directory: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    for (name, bytes) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// All files below a directory, with their content, by relative path.
pub fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => waiting.push(path),
                false => {
                    let bytes = std::fs::read(&path).unwrap();
                    found.insert(path.strip_prefix(directory).unwrap().to_owned(), bytes);
                }
            }
        }
    }
    found
}
