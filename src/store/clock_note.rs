//! What is known of the clock, kept across restarts.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::base::clock::{Origin, Timestamp};
use crate::model::clock_trust::{Behind, ClockTrust, Jump};
use crate::model::present::Present;

use super::engine::Batch;
use super::record::{self, RecordError};
use super::{Store, StoreError, keys};

const FAMILY: &str = "note about the clock";

/// What is known of the clock, and when that was stored by the steady clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockNote {
    /// What is known.
    pub trust: ClockTrust,
    /// The instant of [`ClockTrust::noted`] by [`Clock::steady`](crate::base::clock::Clock::steady), and that clock's
    /// origin.
    pub steady: Option<(Origin, Timestamp)>,
}

impl ClockNote {
    /// Time from this note to the instant `steady`; `None` if unknown because the machine was restarted.
    pub(crate) fn passed(&self, origin: Option<Origin>, steady: Timestamp) -> Option<TimeDelta> {
        let (noted_from, noted) = self.steady?;
        (origin == Some(noted_from) && steady >= noted).then(|| steady - noted)
    }
}

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
    steady: Option<(Origin, i64)>,
    back: i64,
    behind: Option<(i64, i64, i64)>,
}

impl Store {
    /// The stored clock note; `None` if none was stored yet.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "nothing".
    pub(crate) async fn clock_note(&self) -> Result<Option<ClockNote>, StoreError> {
        let Some(bytes) = self.engine.get(&keys::setting("clock")).await? else { return Ok(None) };
        Ok(Some(decode(&bytes)?))
    }

    /// What was last known about the clock, as in [`Store::clock_note`].
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "nothing".
    pub async fn clock_trust(&self) -> Result<Option<ClockTrust>, StoreError> {
        Ok(self.clock_note().await?.map(|note| note.trust))
    }

    /// The present: the clock's reading `now` with what is known about the clock.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn present(&self, now: Timestamp) -> Result<Present, StoreError> {
        Ok(Present::new(now, self.clock_trust().await?))
    }

    /// Stores what is known about the clock.
    ///
    /// # Errors
    /// [`StoreError`]: not stored.
    pub(crate) async fn note_clock(&self, note: &ClockNote) -> Result<(), StoreError> {
        let ClockNote { trust, steady } = note;
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
        let steady = steady.map(|(origin, at)| (origin, at.timestamp_millis()));
        let form = NoteV2 { first, steady, back: trust.back.timestamp_millis(), behind };
        let mut batch = Batch::new();
        batch.put(keys::setting("clock"), record::encode(2, &form));
        self.commit(batch).await.map(|_| ())
    }
}

fn decode(bytes: &[u8]) -> Result<ClockNote, RecordError> {
    let NoteV2 { first, steady, back, behind } = match record::split(FAMILY, bytes)? {
        (1, rest) => {
            // This form did not store when the clock was set back: anything dated later than this note was made before
            // it.
            let first: NoteV1 = record::decode(FAMILY, rest)?;
            NoteV2 { steady: None, back: first.noted, first, behind: None }
        }
        (2, rest) => record::decode(FAMILY, rest)?,
        (version, _) => return Err(RecordError::Newer { family: FAMILY, version }),
    };
    let at = |millis| record::instant(FAMILY, millis);
    let trust = ClockTrust {
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
    };
    let steady = steady.map(|(origin, millis)| at(millis).map(|at| (origin, at))).transpose()?;
    Ok(ClockNote { trust, steady })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::memory::MemoryEngine;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[tokio::test]
    async fn the_first_version_is_read_and_the_second_knows_how_much_time_passed() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        let old = NoteV1 { noted: at(300).timestamp_millis(), ahead: 0, since: None, at_start: false, last: None };
        let mut batch = Batch::new();
        batch.put(keys::setting("clock"), record::encode(1, &old));
        store.commit(batch).await.unwrap();
        let trust = ClockTrust::new(at(300));
        assert_eq!(store.clock_note().await.unwrap(), Some(ClockNote { trust, steady: None }));

        let jump = |from, to| Jump { from: at(from), to: at(to) };
        let trust = ClockTrust::new(at(0)).jumped(jump(60, -5940)).jumped(jump(-5340, 660));
        assert!(trust.behind.is_some());
        let note = ClockNote { trust, steady: Some(([7; 16], at(30))) };
        store.note_clock(&note).await.unwrap();
        let read = store.clock_note().await.unwrap().unwrap();
        assert_eq!(read, note);
        assert_eq!(read.passed(Some([7; 16]), at(40)), Some(TimeDelta::seconds(10)));
        assert_eq!(read.passed(Some([8; 16]), at(40)), None, "another run of the machine");
        assert_eq!(read.passed(None, at(40)), None);
        assert_eq!(read.passed(Some([7; 16]), at(20)), None, "it cannot count backwards");
    }
}
