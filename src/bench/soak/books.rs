//! What the daemon acknowledged, as recorded by its users: compared with its records at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::clock::Timestamp;

/// When a person left, and which mailings had been queued by then: no later ones may reach them.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    /// When it was acknowledged.
    pub at: Timestamp,
    /// Number of mailings requested by then.
    pub mailings: usize,
}

/// The records.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// Mailings whose queueing was acknowledged, in order, with the position of each among the requests.
    pub mailings: Vec<(String, usize)>,
    /// Number of mailings requested.
    pub asked: usize,
    /// Mailings whose cancellation was acknowledged.
    pub cancelled: BTreeSet<String>,
    /// Senders of messages answered with 250; each sends one.
    pub mails: BTreeSet<String>,
    /// Addresses in completed imports.
    pub imported: BTreeSet<String>,
    /// People who were unsubscribed.
    pub left: BTreeMap<String, Left>,
    /// People who wrote to a message's unsubscribe address and got 250; also in `left` once it took effect.
    pub left_by_mail: BTreeSet<String>,
    /// People with an acknowledged bounce.
    pub bounced: BTreeSet<String>,
    /// The seconds by which the daemon's clock was moved each time.
    pub clock_jumps: Vec<i64>,
    /// Number of scheduled mailings watched until they were due.
    pub embargoes: u64,
    /// Number of acknowledged backups.
    pub backups: u64,
    /// Number of verifications of the newest one.
    pub verified: u64,
    /// What had been acknowledged when the newest backup was requested, and must be in it.
    pub backed_up: Option<Box<Entries>>,
    /// Damage done to the index.
    pub damages: Vec<String>,
    /// Suppressed addresses.
    pub suppressed: BTreeMap<String, Left>,
    /// Number of kills.
    pub kills: u64,
    /// Number of orderly stops.
    pub stops: u64,
    /// Number of deliveries left in doubt by the relay itself.
    pub doubts: u64,
    /// Events that must never happen.
    pub faults: Vec<String>,
}

impl Entries {
    /// What a backup made from now on must contain.
    pub(crate) fn for_backup(&self) -> Self {
        Self {
            mailings: self.mailings.clone(),
            imported: self.imported.clone(),
            left: self.left.clone(),
            suppressed: self.suppressed.clone(),
            ..Self::default()
        }
    }
}

/// The books, shared by all actors.
#[derive(Debug, Default)]
pub(crate) struct Books(Mutex<Entries>);

impl Books {
    /// Opens them to read or add something.
    pub(crate) fn open(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event that must never happen.
    pub(crate) fn fault(&self, what: String) {
        let mut entries = self.open();
        if entries.faults.len() < 50 {
            entries.faults.push(what);
        }
    }
}
