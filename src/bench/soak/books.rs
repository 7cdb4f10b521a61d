//! What the daemon acknowledged, as its users noted it: it is held to this at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::clock::Timestamp;

/// When somebody left, and which mailings had been queued by then: none of those queued later may reach them.
#[derive(Clone, Debug)]
pub struct Left {
    /// When it was acknowledged.
    pub at: Timestamp,
    /// How many mailings had been asked for by then.
    pub mailings: usize,
}

/// The entries.
#[derive(Debug, Default)]
pub struct Entries {
    /// Mailings whose queueing was acknowledged, in order, with the place of each among those asked for.
    pub mailings: Vec<(String, usize)>,
    /// How many mailings were asked for.
    pub asked: usize,
    /// Mailings whose cancelling was acknowledged.
    pub cancelled: BTreeSet<String>,
    /// Senders of messages of which 250 was said; each sends one.
    pub mails: BTreeSet<String>,
    /// Addresses in imports that were done.
    pub imported: BTreeSet<String>,
    /// Who was unsubscribed.
    pub left: BTreeMap<String, Left>,
    /// Who wrote to the address for leaving in a message, and got 250 for it; in `left` too once it took effect.
    pub left_by_mail: BTreeSet<String>,
    /// About whom a bounce was acknowledged.
    pub bounced: BTreeSet<String>,
    /// By how many seconds the daemon's clock was moved, each time.
    pub clock_jumps: Vec<i64>,
    /// Mailings that were watched until their time had come.
    pub embargoes: u64,
    /// Backups that were acknowledged.
    pub backups: u64,
    /// How often the newest was read.
    pub verified: u64,
    /// What had been acknowledged when the newest of them was asked for, and must be in it.
    pub backed_up: Option<Box<Entries>>,
    /// What was damaged in the index.
    pub damages: Vec<String>,
    /// Whose address was suppressed.
    pub suppressed: BTreeMap<String, Left>,
    /// How often the daemon was killed.
    pub kills: u64,
    /// How often it was asked to stop.
    pub stops: u64,
    /// Deliveries that the relay itself left in doubt.
    pub doubts: u64,
    /// What happened that never may.
    pub faults: Vec<String>,
}

impl Entries {
    /// What a backup that is made from now on must hold.
    pub fn for_backup(&self) -> Self {
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
pub struct Books(Mutex<Entries>);

impl Books {
    /// To read or to enter something.
    pub fn open(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters what never may happen.
    pub fn fault(&self, what: String) {
        let mut entries = self.open();
        if entries.faults.len() < 50 {
            entries.faults.push(what);
        }
    }
}
