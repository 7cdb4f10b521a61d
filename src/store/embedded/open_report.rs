//! What opening a store took, and what can be said of the groups that were acknowledged.

use std::path::PathBuf;

use super::bounds::Bounds;

/// What opening a store took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// A new, empty store was begun.
    pub created: bool,
    /// The last stop was in order.
    pub clean: bool,
    /// The index was checked against the journal, record by record.
    pub verified: bool,
    /// Groups of commits that the index had not seen.
    pub replayed: u64,
    /// Bytes of an unacknowledged write, cut off the journal's end.
    pub torn: u64,
    /// One bit of the journal's last group, of this number, was wrong and was put right.
    pub repaired: Option<u64>,
    /// What was cut off may have been a group that was acknowledged and is damaged; here it is kept.
    pub doubtful: Option<PathBuf>,
    /// The index was built again, for this reason.
    pub rebuilt: Option<String>,
    /// Checkpoints that could not be used, and why.
    pub unusable_checkpoints: Vec<String>,
    /// How many records the store holds.
    pub records: u64,
    /// What was known beforehand of how far the journal reached.
    pub bounds: Bounds,
    /// The last group of the journal.
    pub last_group: u64,
}

impl OpenReport {
    /// What can be said of acknowledged groups: that none is missing, only where that is known.
    pub fn completeness(&self) -> String {
        match &self.doubtful {
            None => self.bounds.completeness(self.last_group),
            Some(path) => format!(
                "the last group, {}, may be damaged: {} bytes of it were cut off the journal as a write that was never \
                 acknowledged, and are kept in {}",
                self.last_group.saturating_add(1),
                self.torn,
                path.display()
            ),
        }
    }

    /// What a person should know of the start, where acknowledged groups may be missing.
    pub fn doubt(&self) -> Option<String> {
        let is_doubtful = self.rebuilt.is_some() && !self.bounds.proves_end(self.last_group);
        (self.doubtful.is_some() || is_doubtful)
            .then(|| format!("the store was opened after a failure: {}", self.completeness()))
    }
}

impl std::fmt::Display for OpenReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let records = self.records;
        match (self.created, &self.rebuilt, self.clean) {
            (true, ..) => write!(f, "an empty store was begun")?,
            (_, Some(reason), _) => {
                let completeness = self.completeness();
                write!(
                    f,
                    "the index was built anew from the journal, because {reason}; {records} records; {completeness}"
                )?;
            }
            (.., true) => write!(f, "{records} records")?,
            (.., false) => write!(f, "{records} records, checked against the journal after an unclean stop")?,
        }
        if self.torn > 0 && self.doubtful.is_none() {
            write!(f, "; {} bytes of a write that was never acknowledged were cut off", self.torn)?;
        }
        self.unusable_checkpoints.iter().try_for_each(|reason| write!(f, "; a checkpoint could not be used: {reason}"))
    }
}
