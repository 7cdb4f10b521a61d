//! When the daemon's jobs last ran.

use crate::base::clock::Timestamp;

use super::engine::{Batch, Commit, Value};
use super::record::{self, RecordError};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "job";
/// The job name of the daemon's heartbeat.
const ALIVE: &str = "alive";
/// The job name of the last clock jump seen.
const JUMP: &str = "leap";

impl Store {
    /// When a job last ran; `None` when it never did.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "never".
    pub async fn job(&self, name: &str) -> Result<Option<Read<Timestamp>>, StoreError> {
        let Some(stamp) = self.engine.get(&keys::job(name)).await? else { return Ok(None) };
        let value = match record::split(FAMILY, &stamp)? {
            (1, rest) => record::instant(FAMILY, record::decode::<i64>(FAMILY, rest)?)?,
            (version, _) => return Err(RecordError::Newer { family: FAMILY, version }.into()),
        };
        Ok(Some(Read { value, stamp }))
    }

    /// Writes the daemon's heartbeat as an ordinary commit, through the committer to the disk. Without a precondition,
    /// so that its success depends only on whether commits work.
    ///
    /// # Errors
    /// [`StoreError`]: not stored.
    pub(crate) async fn note_alive(&self, at: Timestamp) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(keys::job(ALIVE), record::encode(1, &at.timestamp_millis()));
        self.commit(batch).await.map(|_| ())
    }

    /// When the clock was last seen to be ahead of any possible time; `None` if never.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clock_jump(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.job(JUMP).await?.map(|read| read.value))
    }

    /// Stores that the clock jumped.
    ///
    /// # Errors
    /// [`StoreError`]: not stored.
    pub(crate) async fn note_clock_jump(&self, at: Timestamp) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(keys::job(JUMP), record::encode(1, &at.timestamp_millis()));
        self.commit(batch).await.map(|_| ())
    }

    /// Stores that a job ran, over what was read before. `false` if another process stored it meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]: not stored.
    pub(crate) async fn note_job(&self, name: &str, before: Option<Value>, at: Timestamp) -> Result<bool, StoreError> {
        let mut batch = Batch::new();
        batch.expect_read(keys::job(name), before);
        batch.put(keys::job(name), record::encode(1, &at.timestamp_millis()));
        Ok(self.commit(batch).await? == Commit::Applied)
    }
}
