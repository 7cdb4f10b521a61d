//! Surveys a store that is not open: what is intact, what is damaged, and what could be recovered.

use std::path::{Path, PathBuf};

use crate::store::checkpoint::{self, Summary};
use crate::store::fingerprint::Mark;
use crate::store::journal::segment::{self, SegmentName};
use crate::store::journal::walk::{Found, Repair, Tail, walk};
use crate::store::journal::{Damage, JournalError};

use super::bounds::Bounds;
use super::index::Index;
use super::layout::{checkpoints, indexes, journal, newest_generation};
use super::open_error::OpenError;
use super::shortfall::Shortfall;
use super::{Settings, StoreLock, marker};

/// What was found in a store directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Every checkpoint, oldest first, with its summary or what is wrong with it.
    pub checkpoints: Vec<(PathBuf, Result<Summary, String>)>,
    /// Number of journal segments.
    pub segments: usize,
    /// The last group of the journal.
    pub last_group: u64,
    /// Bytes of an unacknowledged write at the journal's end; harmless.
    pub torn: u64,
    /// The torn bytes may be a damaged acknowledged group: all its bytes are there.
    pub is_doubtful: bool,
    /// The last group has one wrong bit, which the next start repairs.
    pub repair: Option<Repair>,
    /// Damaged parts of the journal.
    pub damages: Vec<Damage>,
    /// The index.
    pub index: IndexState,
    /// Why the next start repairs the index from the journal or rebuilds it, if it does.
    pub index_damage: Option<String>,
    /// The last group known to have been acknowledged.
    pub seen: u64,
    /// A segment whose creation was interrupted; harmless.
    pub stillborn: Option<PathBuf>,
    /// What is known apart from the journal about how far it reached.
    pub bounds: Bounds,
    /// The number of the first group of the newest segment; 0 without segments.
    pub newest_segment: u64,
    pub(super) first_group: u64,
    pub(super) generation: Option<u64>,
}

/// The state of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// Absent; it will be built.
    Absent,
    /// It cannot be read; it will be rebuilt.
    Unusable(String),
    /// It can be read.
    Readable {
        /// The mark it has reached.
        mark: Mark,
        /// Its records are exactly those of that mark. After a crash they may be ahead of it.
        adds_up: bool,
    },
}

impl Survey {
    /// Whether nothing acknowledged is missing or damaged. An index that must be rebuilt is not damage.
    pub fn is_sound(&self) -> bool {
        let is_whole = self.damages.is_empty() && self.checkpoints.iter().all(|(_, state)| state.is_ok());
        is_whole && !self.is_short() && !self.is_doubtful
    }

    /// Whether the journal's end is missing.
    pub fn is_short(&self) -> bool {
        !self.shortfall(self.last_group).is_nothing()
    }

    /// What is missing if everything up to group `reached` is present.
    pub fn shortfall(&self, reached: u64) -> Shortfall {
        self.bounds.shortfall(reached, self.newest_segment)
    }
}

/// Examines the store in `directory`. Changes nothing except by the index's own housekeeping.
///
/// # Errors
/// [`OpenError`] if it is in use, does not exist, or cannot be read at all.
pub fn survey(directory: &Path, settings: &Settings) -> Result<Survey, OpenError> {
    let _lock = super::open::lock(directory, &Settings { create: false, ..settings.clone() })?;
    survey_locked(directory, settings, &_lock)
}

pub(super) fn survey_locked(directory: &Path, settings: &Settings, _lock: &StoreLock) -> Result<Survey, OpenError> {
    let path = journal(directory);
    let segments = segment::list(&path).map_err(OpenError::io(&path, "read"))?;
    let first_group = segments.first().map_or(1, |segment| segment.first);
    let (tail, damages) = damages(directory, &segments, first_group)?;
    let mut found = Vec::new();
    for name in checkpoint::list(&checkpoints(directory))? {
        let state = checkpoint::read(&name.path, &mut |_, _| Ok(())).map_err(|e| e.to_string());
        found.push((name.path, state));
    }
    let generation = newest_generation(directory)?;
    let mut bounds = Bounds::read(directory)?;
    if segments.is_empty() && !bounds.is_known && generation.is_none() {
        return Err(OpenError::Absent(directory.to_owned()));
    }
    let index = match generation {
        None => IndexState::Absent,
        Some(generation) => index_state(&indexes(directory).join(generation.to_string()), settings),
    };
    let index_damage = match (marker::read(directory)?, &index) {
        (Some(why), _) => Some(why),
        (None, IndexState::Absent) => Some("it is missing".to_owned()),
        (None, IndexState::Unusable(why)) => Some(why.clone()),
        // After a crash it may be ahead of its mark, and is corrected without a rebuild; after an orderly stop it may
        // not.
        (None, IndexState::Readable { mark, adds_up }) => bounds.clean.and_then(|clean| {
            let (has, had) = (mark.sequence, clean.sequence);
            let (is_as_closed, differs) = (clean == *mark, "its records do not match the journal");
            let back = (!is_as_closed).then(|| format!("it was closed as of group {had} and is now as of {has}"));
            back.or_else(|| (!adds_up).then(|| differs.to_owned()))
        }),
    };
    let indexed = match &index {
        IndexState::Readable { mark, .. } => mark.sequence,
        IndexState::Absent | IndexState::Unusable(_) => 0,
    };
    let until = found.iter().filter_map(|(_, state)| state.as_ref().ok()).map(|summary| summary.until.sequence);
    bounds.raise(until.max().unwrap_or(0).max(indexed));
    let seen = bounds.least.max(tail.mark.sequence);
    Ok(Survey {
        checkpoints: found,
        segments: segments.len(),
        last_group: tail.mark.sequence,
        torn: tail.torn,
        is_doubtful: tail.is_doubtful && !bounds.proves_end(tail.mark.sequence),
        repair: tail.repair,
        damages,
        index,
        index_damage,
        seen,
        stillborn: tail.stillborn,
        newest_segment: segments.last().map_or(0, |segment| segment.first),
        bounds,
        first_group,
        generation,
    })
}

/// All damaged parts of the journal.
fn damages(directory: &Path, segments: &[SegmentName], first: u64) -> Result<(Tail, Vec<Damage>), JournalError> {
    let mut damages: Vec<Damage> = Vec::new();
    let tail = walk(&journal(directory), first.saturating_sub(1), &mut |found| {
        if let Found::Damage(mut damage) = found {
            // The end of a segment that is followed by another is bounded by it, and reported once.
            let next = segments.iter().find(|segment| segment.path > damage.path).map(|segment| segment.first);
            damage.before = damage.before.or(next);
            let told = damages.last().is_some_and(|last| last.before == damage.before && damage.to == 0);
            if !told {
                damages.push(damage);
            }
        }
        Ok(())
    })?;
    Ok((tail, damages))
}

fn index_state(path: &Path, settings: &Settings) -> IndexState {
    let state = || {
        let index = Index::open(path, settings.cache_bytes)?;
        let state = match index.mark()? {
            None => IndexState::Unusable("it was unfinished".to_owned()),
            Some(mark) => IndexState::Readable { mark, adds_up: index.fingerprint()? == mark.fingerprint },
        };
        index.close()?;
        Ok(state)
    };
    state().unwrap_or_else(|fault: super::index::IndexFault| IndexState::Unusable(fault.0))
}
