//! What is known, apart from the journal itself, about how far it reached: the mark of an orderly stop, the mark of the
//! last backup, the names of checkpoints and segments, and `journal-head`. A journal that ends before that is short.

use std::path::Path;

use crate::store::checkpoint;
use crate::store::fingerprint::Mark;
use crate::store::journal::head::{self, Head};
use crate::store::journal::segment;
use crate::store::journal::walk::Tail;

use super::layout::{checkpoints, journal};
use super::notes::{self, BACKED_UP, CLEAN};
use super::open_error::OpenError;
use super::shortfall::Shortfall;

/// How far the journal is known to have reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// All groups up to this number were acknowledged.
    pub least: u64,
    /// No group after this number was acknowledged; `None` if unknown, as after a power failure.
    pub most: Option<u64>,
    /// A segment that begins with this group or a later one existed.
    pub segment: u64,
    /// The index's mark at the last orderly stop, if nothing was changed since.
    pub clean: Option<Mark>,
    /// A note or a checkpoint exists, intact or not: the store was in use.
    pub is_known: bool,
}

impl Bounds {
    /// Reads everything known about the store in `directory`. Damaged files are ignored.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub(super) fn read(directory: &Path) -> Result<Self, OpenError> {
        let path = head::path(directory);
        let found = head::read(directory).map_err(OpenError::io(&path, "read"))?;
        let least = found.least.unwrap_or_default();
        let read_note = |name| notes::read(directory, name).map_err(OpenError::io(&directory.join(name), "read"));
        let (clean, backed_up) = (read_note(CLEAN)?, read_note(BACKED_UP)?);
        let kept = checkpoint::list(&checkpoints(directory))?;
        let segments = segments_of(directory)?;
        let mut bounds = Self {
            least: least.group.max(least.segment.saturating_sub(1)),
            most: clean.whole.map(|mark| mark.sequence).or(found.last),
            segment: least.segment,
            clean: clean.whole,
            is_known: clean.exists || backed_up.exists || !kept.is_empty() || found.damaged || found.least.is_some(),
        };
        let marks = [clean.whole, backed_up.whole].into_iter().flatten().map(|mark| mark.sequence);
        let names = kept.iter().map(|name| name.since).chain(segments.iter().map(|name| name.first.saturating_sub(1)));
        bounds.raise(marks.chain(names).max().unwrap_or(0));
        Ok(bounds)
    }

    /// Records that `group` was acknowledged.
    pub(super) fn raise(&mut self, group: u64) {
        self.least = self.least.max(group);
        // An upper bound below the known minimum proves nothing.
        self.most = self.most.filter(|most| *most >= self.least);
    }

    /// What is missing if the journal, with any other copies, reaches up to group `reached`, and its newest segment
    /// begins with group `newest`; 0 if it has no segment.
    pub(crate) fn shortfall(&self, reached: u64, newest: u64) -> Shortfall {
        let missing = (reached < self.least).then_some((reached.saturating_add(1), self.least));
        let known = reached.max(self.least);
        let is_open = newest == 0 || newest < self.segment;
        let is_proven = self.most.is_some_and(|most| most <= known);
        Shortfall { missing, unknown_after: (is_open && !is_proven).then_some(known) }
    }

    /// Whether nothing after `group` was acknowledged.
    pub(crate) fn proves_end(&self, group: u64) -> bool {
        self.most.is_some_and(|most| most <= group)
    }

    /// A message on whether acknowledged groups may be missing in a store that reaches up to `group` and is not short.
    pub(crate) fn completeness(&self, group: u64) -> String {
        match (self.proves_end(group), self.least) {
            (true, _) => "nothing that was acknowledged is missing".to_owned(),
            (false, 0) => format!(
                "that nothing is missing after group {group}, the last of the journal, cannot be proven: no note says how far \
                 it reached"
            ),
            (false, least) => format!(
                "that nothing is missing after group {group}, the last of the journal, cannot be proven after a power failure; \
                 at least the groups up to {least} were acknowledged, and they are there"
            ),
        }
    }

    /// Returns an error for a journal that ends too early.
    pub(super) fn demand(&self, directory: &Path, tail: &Tail) -> Result<(), OpenError> {
        let newest = segments_of(directory)?.last().map_or(0, |segment| segment.first);
        self.demand_reached(directory, tail.mark.sequence, newest)
    }

    /// As [`Self::demand`], for a journal that reaches up to group `reached`.
    pub(super) fn demand_reached(&self, directory: &Path, reached: u64, newest: u64) -> Result<(), OpenError> {
        let shortfall = self.shortfall(reached, newest);
        if shortfall.is_nothing() {
            return Ok(());
        }
        let seen = reached.max(self.least);
        Err(OpenError::JournalShort { directory: journal(directory), journal: reached, seen, shortfall })
    }

    /// Removes the mark of the last orderly stop, durably, once its content is in `journal-head`: a start that fails
    /// before it changes anything loses no information.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub(super) fn take_clean(&self, directory: &Path) -> Result<(), OpenError> {
        let path = head::path(directory);
        let head = Head { segment: self.segment, group: self.most.unwrap_or(self.least).max(self.least) };
        head::begin(directory, head, self.most.is_some()).map_err(OpenError::io(&path, "written"))?;
        notes::take_clean(directory)
    }
}

fn segments_of(directory: &Path) -> Result<Vec<segment::SegmentName>, OpenError> {
    let path = journal(directory);
    segment::list(&path).map_err(OpenError::io(&path, "read"))
}
