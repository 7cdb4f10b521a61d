//! What was found and done when a store was opened, and whether acknowledged groups may be missing.

use std::path::PathBuf;

use super::bounds::Bounds;

/// What was found and done when a store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// A new, empty store was created.
    pub created: bool,
    /// The last stop was orderly.
    pub clean: bool,
    /// The index was compared with the journal, record by record.
    pub verified: bool,
    /// Groups of commits that the index lacked.
    pub replayed: u64,
    /// Bytes of an unacknowledged write that were cut off the journal's end.
    pub torn: u64,
    /// The number of the journal's last group, if one wrong bit in it was repaired.
    pub repaired: Option<u64>,
    /// Where the part cut off is kept, if it may have been a damaged acknowledged group.
    pub doubtful: Option<PathBuf>,
    /// The reason for which the index was rebuilt, if it was.
    pub rebuilt: Option<String>,
    /// Checkpoints that could not be used, and why.
    pub unusable_checkpoints: Vec<String>,
    /// Number of records in the store.
    pub records: u64,
    /// What was known beforehand about how far the journal reached.
    pub bounds: Bounds,
    /// The last group of the journal.
    pub last_group: u64,
}

impl OpenReport {
    /// A message on whether acknowledged groups may be missing: "none" only if that is known.
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

    /// A warning for the operator if acknowledged groups may be missing.
    pub(crate) fn doubt(&self) -> Option<String> {
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
                    "the index was rebuilt from the journal, because {reason}; {records} records; {completeness}"
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
