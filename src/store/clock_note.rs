//! What is known of the clock, over restarts.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::model::clock_trust::{ClockTrust, Jump};

use super::engine::Batch;
use super::record::{self, RecordError};
use super::{Store, StoreError, keys};

const FAMILY: &str = "note about the clock";

#[derive(Serialize, Deserialize)]
struct NoteV1 {
    noted: i64,
    ahead: i64,
    since: Option<i64>,
    at_start: bool,
    last: Option<(i64, i64)>,
}

impl Store {
    /// What was last noted about the clock; `None` when nothing was.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "nothing".
    pub async fn clock_trust(&self) -> Result<Option<ClockTrust>, StoreError> {
        let Some(octets) = self.engine.get(&keys::setting("clock")).await? else { return Ok(None) };
        let form: NoteV1 = match record::split(FAMILY, &octets)? {
            (1, rest) => record::decode(FAMILY, rest)?,
            (version, _) => return Err(RecordError::Newer { family: FAMILY, version }.into()),
        };
        let at = |millis| record::instant(FAMILY, millis);
        Ok(Some(ClockTrust {
            noted: at(form.noted)?,
            ahead: TimeDelta::try_milliseconds(form.ahead).unwrap_or_default(),
            since: form.since.map(at).transpose()?,
            at_start: form.at_start,
            last: match form.last {
                Some((from, to)) => Some(Jump { from: at(from)?, to: at(to)? }),
                None => None,
            },
        }))
    }

    /// Notes what is known about the clock.
    ///
    /// # Errors
    /// [`StoreError`]: not noted.
    pub async fn note_clock_trust(&self, trust: &ClockTrust) -> Result<(), StoreError> {
        let form = NoteV1 {
            noted: trust.noted.timestamp_millis(),
            ahead: trust.ahead.num_milliseconds(),
            since: trust.since.map(|at| at.timestamp_millis()),
            at_start: trust.at_start,
            last: trust.last.map(|jump| (jump.from.timestamp_millis(), jump.to.timestamp_millis())),
        };
        let mut batch = Batch::new();
        batch.put(keys::setting("clock"), record::encode(1, &form));
        self.commit(batch).await.map(|_| ())
    }
}
