//! What is known of the clock, over restarts.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::model::clock_trust::{Behind, ClockTrust, Jump};
use crate::model::present::Present;

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

#[derive(Serialize, Deserialize)]
struct NoteV2 {
    first: NoteV1,
    back: i64,
    behind: Option<(i64, i64, i64)>,
}

impl Store {
    /// What was last noted about the clock; `None` when nothing was.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "nothing".
    pub async fn clock_trust(&self) -> Result<Option<ClockTrust>, StoreError> {
        let Some(octets) = self.engine.get(&keys::setting("clock")).await? else { return Ok(None) };
        let form: NoteV2 = match record::split(FAMILY, &octets)? {
            (1, rest) => {
                // When it was set back was not noted: what is dated later than this note was made before it.
                let first: NoteV1 = record::decode(FAMILY, rest)?;
                NoteV2 { back: first.noted, first, behind: None }
            }
            (2, rest) => record::decode(FAMILY, rest)?,
            (version, _) => return Err(RecordError::Newer { family: FAMILY, version }.into()),
        };
        let at = |millis| record::instant(FAMILY, millis);
        let NoteV2 { first, back, behind } = form;
        Ok(Some(ClockTrust {
            noted: at(first.noted)?,
            ahead: TimeDelta::try_milliseconds(first.ahead).unwrap_or_default(),
            since: first.since.map(at).transpose()?,
            at_start: first.at_start,
            last: match first.last {
                Some((from, to)) => Some(Jump { from: at(from)?, to: at(to)? }),
                None => None,
            },
            back: at(back)?,
            behind: match behind {
                Some((from, to, right)) => Some(Behind { from: at(from)?, to: at(to)?, right: at(right)? }),
                None => None,
            },
        }))
    }

    /// The present: the clock's reading `now`, with what is known about the clock.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn present(&self, now: Timestamp) -> Result<Present, StoreError> {
        Ok(Present::new(now, self.clock_trust().await?))
    }

    /// Notes what is known about the clock.
    ///
    /// # Errors
    /// [`StoreError`]: not noted.
    pub async fn note_clock_trust(&self, trust: &ClockTrust) -> Result<(), StoreError> {
        let first = NoteV1 {
            noted: trust.noted.timestamp_millis(),
            ahead: trust.ahead.num_milliseconds(),
            since: trust.since.map(|at| at.timestamp_millis()),
            at_start: trust.at_start,
            last: trust.last.map(|jump| (jump.from.timestamp_millis(), jump.to.timestamp_millis())),
        };
        let behind = trust.behind.map(|behind| {
            (behind.from.timestamp_millis(), behind.to.timestamp_millis(), behind.right.timestamp_millis())
        });
        let form = NoteV2 { first, back: trust.back.timestamp_millis(), behind };
        let mut batch = Batch::new();
        batch.put(keys::setting("clock"), record::encode(2, &form));
        self.commit(batch).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::memory::MemoryEngine;

    #[tokio::test]
    async fn what_is_noted_is_read_and_so_is_a_note_of_old() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        let at = |minutes: i64| Timestamp::from_timestamp(1_800_000_000 + minutes * 60, 0).unwrap();
        let jump = |from, to| Jump { from: at(from), to: at(to) };
        let trust = ClockTrust::new(at(0)).jumped(jump(1, -99)).jumped(jump(-89, 11));
        assert!(trust.behind.is_some());
        store.note_clock_trust(&trust).await.unwrap();
        assert_eq!(store.clock_trust().await.unwrap(), Some(trust));
        let old = NoteV1 { noted: at(5).timestamp_millis(), ahead: 0, since: None, at_start: false, last: None };
        let mut batch = Batch::new();
        batch.put(keys::setting("clock"), record::encode(1, &old));
        store.commit(batch).await.unwrap();
        assert_eq!(store.clock_trust().await.unwrap(), Some(ClockTrust::new(at(5))));
    }
}
