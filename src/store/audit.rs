//! The audit log: entries by number, the head of their hash chain, and the anchor left by entries dropped by age.
//!
//! An entry is written with the head as precondition, so that each number is used once and each hash covers the entry
//! before, even with concurrent writers.

use serde::{Deserialize, Serialize};

use crate::model::audit::{AuditEntry, AuditOutcome, ChainLink};
use crate::model::present::Cutoff;

use super::engine::{Batch, Commit, Value};
use super::record::{self, RecordError};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "audit";
/// Entries dropped in one commit.
const AT_ONCE: usize = 500;

#[derive(Serialize, Deserialize)]
struct EntryV1 {
    at: i64,
    who: String,
    uid: Option<u32>,
    request: u64,
    what: String,
    about: String,
    outcome: String,
    detail: String,
    hash: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct LinkV1 {
    number: u64,
    hash: [u8; 32],
}

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEntry {
    /// The entry.
    pub entry: AuditEntry,
    /// Its hash, as stored.
    pub hash: [u8; 32],
}

/// The end of the chain; pass it back when writing an entry.
#[derive(Clone, Debug)]
pub struct AuditHead {
    /// The last entry; the default link if the log is empty.
    pub link: ChainLink,
    stamp: Option<Value>,
}

impl Store {
    /// The end of the chain.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        let read = self.link(keys::audit_head()).await?;
        let (link, stamp) = read.map_or((ChainLink::default(), None), |read| (read.value, Some(read.stamp)));
        Ok(AuditHead { link, stamp })
    }

    /// The last entry dropped by age; the default link if none was dropped.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_anchor(&self) -> Result<ChainLink, StoreError> {
        Ok(self.link(keys::audit_anchor()).await?.map(|read| read.value).unwrap_or_default())
    }

    async fn link(&self, key: super::engine::Key) -> Result<Option<Read<ChainLink>>, StoreError> {
        let Some(stamp) = self.engine.get(&key).await? else { return Ok(None) };
        let LinkV1 { number, hash } = match record::split(FAMILY, &stamp)? {
            (1, rest) => record::decode(FAMILY, rest)?,
            (version, _) => return Err(RecordError::Newer { family: FAMILY, version }.into()),
        };
        Ok(Some(Read { value: ChainLink { number, hash }, stamp }))
    }

    /// Up to `limit` entries after number `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_entries(&self, after: u64, limit: usize) -> Result<Vec<KeptEntry>, StoreError> {
        let found = self.engine.scan(keys::audit_entries_after(after), limit).await?;
        let read = found.iter().map(|(key, bytes)| {
            let damaged = || RecordError::Damaged { family: FAMILY, reason: "its key has no number".to_owned() };
            decode(keys::last_number(key).ok_or_else(damaged)?, bytes)
        });
        Ok(read.collect::<Result<_, _>>()?)
    }

    /// How many entries [`Store::drop_audit_before`] would drop.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn audit_entries_before(&self, old: Cutoff) -> Result<u64, StoreError> {
        let anchor = self.link(keys::audit_anchor()).await?;
        let (mut from, mut count) = (anchor.map_or(0, |read| read.value.number), 0);
        let last = self.audit_head().await?.link.number;
        loop {
            let found = self.audit_entries(from, AT_ONCE).await?;
            let old = found.iter().take_while(|kept| old.has(kept.entry.at) && kept.entry.number < last).count();
            count += old as u64;
            match found.last() {
                Some(newest) if old == found.len() => from = newest.entry.number,
                _ => return Ok(count),
            }
        }
    }

    /// Drops entries older than the cutoff from the start of the chain, and leaves an anchor for the rest. The last
    /// entry is never dropped. Returns how many were dropped.
    ///
    /// # Errors
    /// [`StoreError`]: earlier pages may already be dropped.
    pub async fn drop_audit_before(&self, cutoff: Cutoff) -> Result<u64, StoreError> {
        let mut dropped = 0;
        loop {
            let anchor = self.link(keys::audit_anchor()).await?;
            let (from, stamp) = anchor.map_or((0, None), |read| (read.value.number, Some(read.stamp)));
            let last = self.audit_head().await?.link.number;
            let found = self.audit_entries(from, AT_ONCE).await?;
            let old = |kept: &&KeptEntry| cutoff.has(kept.entry.at) && kept.entry.number < last;
            let old: Vec<&KeptEntry> = found.iter().take_while(old).collect();
            let Some(newest) = old.last() else { return Ok(dropped) };
            let mut batch = Batch::new();
            batch.expect_read(keys::audit_anchor(), stamp);
            let anchor = LinkV1 { number: newest.entry.number, hash: newest.hash };
            batch.put(keys::audit_anchor(), record::encode(1, &anchor));
            old.iter().for_each(|kept| batch.delete(keys::audit_entry(kept.entry.number)));
            if self.commit(batch).await? == Commit::Applied {
                dropped += old.len() as u64;
            }
        }
    }
}

/// Appends an entry to the chain. `entry.number` must be the one after `head`; the batch conflicts if another writer
/// appended meanwhile. One entry per batch.
pub(crate) fn put_entry(batch: &mut Batch, head: &AuditHead, entry: &AuditEntry) {
    let hash = entry.hash(&head.link.hash);
    let form = EntryV1 {
        at: entry.at.timestamp_millis(),
        who: entry.who.clone(),
        uid: entry.uid,
        request: entry.request,
        what: entry.what.clone(),
        about: entry.about.clone(),
        outcome: entry.outcome.word().to_owned(),
        detail: entry.detail.clone(),
        hash,
    };
    batch.expect_read(keys::audit_head(), head.stamp.clone());
    batch.put(keys::audit_head(), record::encode(1, &LinkV1 { number: entry.number, hash }));
    batch.expect_absent(keys::audit_entry(entry.number));
    batch.put(keys::audit_entry(entry.number), record::encode(1, &form));
}

fn decode(number: u64, bytes: &[u8]) -> Result<KeptEntry, RecordError> {
    let form: EntryV1 = match record::split(FAMILY, bytes)? {
        (1, rest) => record::decode(FAMILY, rest)?,
        (version, _) => return Err(RecordError::Newer { family: FAMILY, version }),
    };
    let unknown = || RecordError::Damaged { family: FAMILY, reason: format!("entry {number} has an unknown outcome") };
    let entry = AuditEntry {
        number,
        at: record::instant(FAMILY, form.at)?,
        who: form.who,
        uid: form.uid,
        request: form.request,
        what: form.what,
        about: form.about,
        outcome: AuditOutcome::from_word(&form.outcome).ok_or_else(unknown)?,
        detail: form.detail,
    };
    Ok(KeptEntry { entry, hash: form.hash })
}
