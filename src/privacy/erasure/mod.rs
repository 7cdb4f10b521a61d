//! The rest of an erasure after its first step: every record family, the spool and the kept files, repeatedly until
//! nothing identifies the person any more.
//!
//! Data in use is not taken away: a delivery being sent, a mail waiting to be handled, or a notice being sent keep
//! the erasure open, each with a text that says so, and the next run continues. So a crash loses nothing of it. With
//! the last step the address itself is forgotten, and a mark with its keyed hash stays.

mod files;
mod mail;
mod marked;
mod records;
pub(crate) mod request;
mod rows;
mod storage_layers;

pub(crate) use marked::{ErasureMark, erase_marked, erasure_marks};
pub(crate) use rows::without_words;
pub use storage_layers::{StorageLayer, note_forgotten};

use std::collections::BTreeSet;

use crate::base::clock::Timestamp;
use crate::base::token::Key;
use crate::model::erasure::{Erasure, ErasureState, ErasureWork};
use crate::store::engine::{Batch, Commit, Value};
use crate::store::suppressions::AddressHash;
use crate::store::{Store, StoreError, erasures};

use super::personal_data::{Files, People, PersonalDataError, PersonalRecord};

/// Maximum number of erasures processed together: each record is read once for all of them.
const TOGETHER: usize = 500;

/// Carries out erasures.
#[derive(Clone)]
pub struct Eraser {
    /// The store.
    pub store: Store,
    /// The installation's key.
    pub key: Key,
    /// Where mail is stored. If `None`, an erasure stays open as long as mail or files are left.
    pub files: Option<Files>,
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    /// Number of erasures begun because of marks.
    pub begun: u64,
    /// Number of erasures completed.
    pub done: u64,
    /// Erasures that stay open, each with what prevents their completion.
    pub open: Vec<(AddressHash, BTreeSet<String>)>,
}

/// An erasure being processed.
struct Case {
    hash: AddressHash,
    stamp: Value,
    at: Timestamp,
    work: ErasureWork,
    /// What prevents its completion.
    holds: BTreeSet<String>,
}

/// The erasures being processed together.
struct Cases {
    list: Vec<Case>,
    people: People,
}

impl Cases {
    fn new(list: Vec<Case>) -> Self {
        let people: Vec<_> =
            list.iter().map(|case| (case.work.address.clone(), case.hash, case.work.subscriber)).collect();
        Self { people: People::new(&people), list }
    }

    /// The erasures that a record of time `since` belongs to. What people did after their erasure is not part of it;
    /// nor is what others wrote about them since, or an open erasure would destroy other people's mail.
    fn concerned<T>(&self, entry: &PersonalRecord<T>, since: Timestamp) -> BTreeSet<usize> {
        let old = |place: &&usize| self.list.get(**place).is_some_and(|case| since <= case.at);
        entry.who.iter().filter(old).copied().collect()
    }

    /// Keeps these open.
    fn hold(&mut self, who: &BTreeSet<usize>, why: &str) {
        for place in who {
            if let Some(case) = self.list.get_mut(*place) {
                case.holds.insert(why.to_owned());
            }
        }
    }

    /// Keeps all open because of unreadable records: they may refer to the person.
    fn hold_unreadable(&mut self, unreadable: &[(String, StoreError)]) {
        for (which, error) in unreadable {
            for case in &mut self.list {
                case.holds.insert(format!("{which} cannot be read: {error}"));
            }
        }
    }

    /// A text without the addresses.
    fn scrub(&self, text: &str) -> String {
        let addresses = self.list.iter().map(|case| case.work.address.as_str());
        addresses.fold(text.to_owned(), |text, address| records::without(&text, address))
    }
}

impl Case {
    fn put(&mut self, batch: &mut Batch) {
        let erasure = Erasure { at: self.at, state: ErasureState::Open(self.work.clone()) };
        self.stamp = erasures::put(batch, &self.hash, Some(self.stamp.clone()), &erasure);
    }
}

impl Eraser {
    /// Processes all open erasures.
    ///
    /// # Errors
    /// [`PersonalDataError`]: what was done stays done, and the next run continues.
    pub async fn work(&self, now: Timestamp) -> Result<Worked, PersonalDataError> {
        let mut worked = Worked::default();
        loop {
            let list: Vec<Case> = self.open().await?;
            if list.is_empty() {
                return Ok(Worked { open: Vec::new(), ..worked });
            }
            let many = list.len() == TOGETHER;
            let (done, open) = self.work_on(Cases::new(list), now).await?;
            worked.done += done;
            if done == 0 || !many {
                worked.open = open;
                return Ok(worked);
            }
        }
    }

    async fn open(&self) -> Result<Vec<Case>, PersonalDataError> {
        let open = self.store.open_erasures(TOGETHER).await?;
        let case = |(hash, read): (AddressHash, crate::store::Read<Erasure>)| {
            let work = read.value.work()?.clone();
            Some(Case { hash, stamp: read.stamp, at: read.value.at, work, holds: BTreeSet::new() })
        };
        Ok(open.into_iter().filter_map(case).collect())
    }

    async fn work_on(
        &self,
        mut cases: Cases,
        now: Timestamp,
    ) -> Result<(u64, Vec<(AddressHash, BTreeSet<String>)>), PersonalDataError> {
        rows::sweep(&self.store, &mut cases, now).await?;
        records::sweep(&self.store, &mut cases).await?;
        records::sweep_posts(&self.store, self.files.as_ref(), &mut cases).await?;
        mail::sweep(&self.store, self.files.as_ref(), &mut cases).await?;
        files::sweep(&self.store, self.files.as_ref(), &mut cases).await?;
        let (mut done, mut open) = (0, Vec::new());
        for mut case in cases.list {
            let mut batch = Batch::new();
            if case.holds.is_empty() {
                let state = ErasureState::Done { at: now, journal: None, index: None };
                let erasure = Erasure { at: case.at, state };
                erasures::put(&mut batch, &case.hash, Some(case.stamp), &erasure);
                // On a conflict it was begun again meanwhile: the next run sees it.
                done += u64::from(self.store.commit(batch).await? == Commit::Applied);
            } else {
                case.put(&mut batch);
                self.store.commit(batch).await?;
                open.push((case.hash, case.holds));
            }
        }
        Ok((done, open))
    }
}
