//! The ledger on disk: chunks of the frozen audience, deliveries, tallies of settled chunks, and the index of what is
//! due. [`lease`] says which node works on a chunk.
//!
//! A chunk's audience is written once. A delivery has a record only once something has happened to it. When all of a
//! chunk is settled, its [`Tally`] is written, so that a report need not read a million deliveries; reopening one of
//! them removes the tally in the same commit ([`reopen`]). While a chunk is leased, only the lease holder settles it,
//! and no deliveries in it are reopened.

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, SubscriberId};
use crate::model::ledger::{Delivery, DeliveryState, Sequence, Tally};
use crate::model::mailing::{Frozen, Mailing};

use super::delivery_form;
use super::engine::{Batch, Key, Value};
use super::pages::Query;
use super::record::{self, RecordError};
use super::{Store, StoreError, keys};

mod lease;

pub use lease::{LONGEST_LEASE, Lease, put_lease};
pub(crate) use lease::{expect_lease, is_lease_of};

/// Deliveries in a chunk; only the last chunk of a mailing may have fewer.
pub const CHUNK_SIZE: u32 = 256;

/// The chunk that holds a delivery.
pub(crate) fn chunk_of(sequence: Sequence) -> u32 {
    sequence.0 / CHUNK_SIZE
}

/// The first delivery of a chunk.
pub(crate) fn first_of(chunk: u32) -> Sequence {
    Sequence(chunk.saturating_mul(CHUNK_SIZE))
}

/// A delivery with its position and its subscriber.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its position in the frozen audience.
    pub sequence: Sequence,
    /// The recipient.
    pub subscriber: SubscriberId,
    /// Its state, regardless of whether the mailing is cancelled (see [`Mailing::settle`]).
    pub delivery: Delivery,
    /// Its stored bytes; `None` if it has no record yet.
    pub stamp: Option<Value>,
}

/// The tallies of a mailing's settled chunks, by chunk, in order.
pub(crate) fn tallies(mailing: MailingId) -> Query<(u32, Tally)> {
    Query::new(keys::tallies(mailing), |key, bytes| Ok((last_number(key)?, decode_tally(&bytes)?)))
}

/// The deferred deliveries of a mailing due after `now`, earliest first, with their due times.
pub(crate) fn due_after(mailing: MailingId, now: Timestamp) -> Query<(Timestamp, Sequence)> {
    Query::new(keys::due_after(mailing, now), |key, _| Ok(due_parts(key)?))
}

impl Store {
    /// A person's delivery in one mailing. The audience is sorted by subscriber number, so a binary search finds its
    /// chunk with a dozen reads among a million deliveries.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn row_of(&self, mailing: &Mailing, subscriber: SubscriberId) -> Result<Option<Row>, StoreError> {
        let Some(frozen) = mailing.frozen() else { return Ok(None) };
        let (mut low, mut high) = (0, frozen.chunks);
        while low < high {
            let middle = low + (high - low) / 2;
            let chunk = self.chunk(mailing.id, middle).await?;
            match (chunk.first(), chunk.last()) {
                (Some(first), _) if subscriber < *first => high = middle,
                (_, Some(last)) if subscriber > *last => low = middle + 1,
                _ => {
                    let rows = self.chunk_rows(mailing.id, middle).await?;
                    return Ok(rows.into_iter().find(|row| row.subscriber == subscriber));
                }
            }
        }
        Ok(None)
    }

    /// The subscribers of one chunk, in order of sequence.
    ///
    /// # Errors
    /// [`StoreError`]; a missing chunk counts as damage.
    pub async fn chunk(&self, mailing: MailingId, chunk: u32) -> Result<Vec<SubscriberId>, StoreError> {
        match self.engine.get(&keys::chunk(mailing, chunk)).await? {
            Some(bytes) => Ok(decode_chunk(&bytes)?),
            None => Err(damaged("chunk", format!("chunk {chunk} of mailing {mailing} is missing")).into()),
        }
    }

    /// The deliveries of one chunk with their states.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chunk_rows(&self, mailing: MailingId, chunk: u32) -> Result<Vec<Row>, StoreError> {
        let subscribers = self.chunk(mailing, chunk).await?;
        let (from, to) = (first_of(chunk), first_of(chunk + 1));
        let found = self.engine.scan(keys::deliveries(mailing, from, to), CHUNK_SIZE as usize).await?;
        let mut records: BTreeMap<Sequence, Value> =
            found.into_iter().filter_map(|(key, value)| Some((keys::sequence_of(&key)?, value))).collect();
        let row = |(index, subscriber): (usize, SubscriberId)| {
            let sequence = Sequence(from.0 + index as u32);
            let stamp = records.remove(&sequence);
            let delivery = stamp.as_deref().map(delivery_form::decode).transpose()?.unwrap_or(Delivery::WAITING);
            Ok(Row { sequence, subscriber, delivery, stamp })
        };
        subscribers.into_iter().enumerate().map(row).collect()
    }

    /// The subscribers whom a mailing reached, or may have reached: accepted, uncertain or in doubt. Sorted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn reached_by(&self, mailing: &Mailing) -> Result<Vec<SubscriberId>, StoreError> {
        let mut reached = Vec::new();
        for chunk in 0..mailing.frozen().map_or(0, |frozen| frozen.chunks) {
            for row in self.chunk_rows(mailing.id, chunk).await? {
                use DeliveryState::{Accepted, InDoubt, Uncertain};
                if matches!(row.delivery.state, Accepted { .. } | Uncertain { .. } | InDoubt { .. }) {
                    reached.push(row.subscriber);
                }
            }
        }
        reached.sort_unstable();
        Ok(reached)
    }

    /// One delivery and its stored bytes; waiting if it has no record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delivery(
        &self,
        mailing: MailingId,
        sequence: Sequence,
    ) -> Result<(Delivery, Option<Value>), StoreError> {
        match self.engine.get(&keys::delivery(mailing, sequence)).await? {
            Some(bytes) => Ok((delivery_form::decode(&bytes)?, Some(bytes))),
            None => Ok((Delivery::WAITING, None)),
        }
    }

    /// The bytes of a chunk's tally, if the chunk is settled: see [`put_tally_again`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn tally_stamp(&self, mailing: MailingId, chunk: u32) -> Result<Option<Value>, StoreError> {
        Ok(self.engine.get(&keys::tally(mailing, chunk)).await?)
    }

    /// The tallies of a mailing's settled chunks, by chunk.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settled_chunks(&self, mailing: MailingId) -> Result<BTreeMap<u32, Tally>, StoreError> {
        let (mut pages, mut settled) = (self.pages(tallies(mailing)), BTreeMap::new());
        while let Some((chunk, tally)) = pages.next().await? {
            settled.insert(chunk, tally);
        }
        Ok(settled)
    }

    /// The counts of a mailing: they always add up to its frozen audience (invariant 2). All zero for a mailing that is
    /// not frozen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tally(&self, mailing: &Mailing) -> Result<Tally, StoreError> {
        let Some(frozen) = mailing.frozen() else { return Ok(Tally::default()) };
        let settled = self.settled_chunks(mailing.id).await?;
        let mut total = Tally::default();
        settled.values().for_each(|tally| total.merge(tally));
        let mut chunk = 0;
        while chunk < frozen.chunks {
            if settled.contains_key(&chunk) {
                chunk += 1;
                continue;
            }
            // A run of open chunks is read in one scan: most of their deliveries have no record yet.
            let end = settled.range(chunk..).next().map_or(frozen.chunks, |(next, _)| *next);
            total.merge(&self.tally_open(mailing, frozen, chunk, end).await?);
            chunk = end;
        }
        Ok(total)
    }

    async fn tally_open(&self, mailing: &Mailing, frozen: Frozen, from: u32, to: u32) -> Result<Tally, StoreError> {
        let last = first_of(to).0.min(frozen.audience);
        let mut tally = Tally::default();
        let mut range = keys::deliveries(mailing.id, first_of(from), Sequence(last));
        let mut seen = 0;
        loop {
            let found = self.engine.scan(range.clone(), SCAN_STEP).await?;
            for (_, bytes) in &found {
                tally.add(&mailing.settle(delivery_form::decode(bytes)?));
            }
            seen += found.len() as u64;
            match found.last() {
                Some((key, _)) if found.len() == SCAN_STEP => range = range.after(key),
                _ => break,
            }
            // The index answers without waiting, so a million rows would block other tasks on this thread.
            tokio::task::yield_now().await;
        }
        // A delivery without a record is waiting, or cancelled with its mailing.
        let untouched = u64::from(last - first_of(from).0) - seen;
        match mailing.settle(Delivery::WAITING).state {
            DeliveryState::Cancelled { .. } => tally.cancelled += untouched,
            _ => tally.waiting += untouched,
        }
        Ok(tally)
    }

    /// Deferred deliveries due at or before `until` (`None`: all), earliest first, with their due times.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn due(
        &self,
        mailing: MailingId,
        until: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Sequence)>, StoreError> {
        let found = self.engine.scan(keys::due_until(mailing, until), limit).await?;
        found.into_iter().map(|(key, _)| Ok(due_parts(&key)?)).collect()
    }
}

impl Store {
    /// Up to `limit` deferred deliveries due after `after`, earliest first, with their due times.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn due_later(
        &self,
        mailing: MailingId,
        after: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Sequence)>, StoreError> {
        let found = self.engine.scan(keys::due_after(mailing, after), limit).await?;
        found.into_iter().map(|(key, _)| Ok(due_parts(&key)?)).collect()
    }

    /// The earliest due time after `now` of a deferred delivery.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn next_due(&self, mailing: MailingId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.due_later(mailing, now, 1).await?.first().map(|(at, _)| *at))
    }
}

const SCAN_STEP: usize = 4096;

/// Writes one chunk of the frozen audience.
pub fn put_chunk(batch: &mut Batch, mailing: MailingId, chunk: u32, subscribers: &[SubscriberId]) {
    // Differences of ascending ids are small, so postcard encodes them in a byte or two.
    let mut last = 0;
    let steps: Vec<u64> = subscribers.iter().map(|id| id.0.wrapping_sub(std::mem::replace(&mut last, id.0))).collect();
    let key = keys::chunk(mailing, chunk);
    batch.expect_absent(key.clone());
    batch.put(key, record::encode(1, &steps));
}

/// The bytes that [`put_delivery`] writes.
pub(crate) fn stamp_of(delivery: &Delivery) -> Value {
    delivery_form::encode(delivery)
}

/// Writes a delivery's new state over what was read, and updates the index of due deliveries; returns the new stamp.
pub fn put_delivery(batch: &mut Batch, mailing: MailingId, row: &Row, now: &Delivery) -> Value {
    let key = keys::delivery(mailing, row.sequence);
    let stamp = delivery_form::encode(now);
    batch.expect_read(key.clone(), row.stamp.clone());
    batch.put(key, stamp.clone());
    if let DeliveryState::Deferred { until, .. } = row.delivery.state {
        batch.delete(keys::due(mailing, until, row.sequence));
    }
    if let DeliveryState::Deferred { until, .. } = now.state {
        batch.put(keys::due(mailing, until, row.sequence), Vec::new());
    }
    stamp
}

/// Makes a settled delivery due again when a user retries it: valid only while its chunk is not leased.
pub(crate) fn reopen(batch: &mut Batch, mailing: MailingId, row: &Row, now: &Delivery) {
    let chunk = chunk_of(row.sequence);
    batch.expect_absent(keys::lease(mailing, chunk));
    batch.delete(keys::tally(mailing, chunk));
    put_delivery(batch, mailing, row, now);
}

/// Whether the conflict is on this delivery.
pub(crate) fn is_delivery_of(conflict: &Key, mailing: MailingId, sequence: Sequence) -> bool {
    *conflict == keys::delivery(mailing, sequence)
}

/// Writes the counts of a chunk whose deliveries are all settled.
pub fn put_tally(batch: &mut Batch, mailing: MailingId, chunk: u32, tally: &Tally) {
    let t = tally;
    let counts =
        [t.waiting, t.in_doubt, t.accepted, t.deferred, t.failed, t.suppressed, t.cancelled, t.uncertain, t.resent];
    batch.put(keys::tally(mailing, chunk), record::encode(1, &counts));
}

/// Corrects the counts of a settled chunk (`before` is `Some`), if they are unchanged since they were read; `None`:
/// requires that there are none.
pub(crate) fn put_tally_again(batch: &mut Batch, mailing: MailingId, chunk: u32, before: Option<Value>, tally: &Tally) {
    let has_tally = before.is_some();
    batch.expect_read(keys::tally(mailing, chunk), before);
    if has_tally {
        put_tally(batch, mailing, chunk, tally);
    }
}

fn decode_chunk(bytes: &[u8]) -> Result<Vec<SubscriberId>, RecordError> {
    let steps: Vec<u64> = versioned("chunk", bytes)?;
    let mut last = 0u64;
    Ok(steps
        .into_iter()
        .map(|step| {
            last = last.wrapping_add(step);
            SubscriberId(last)
        })
        .collect())
}

fn decode_tally(bytes: &[u8]) -> Result<Tally, RecordError> {
    let [waiting, in_doubt, accepted, deferred, failed, suppressed, cancelled, uncertain, resent] =
        versioned("tally", bytes)?;
    Ok(Tally { waiting, in_doubt, accepted, deferred, failed, suppressed, cancelled, uncertain, resent })
}

fn versioned<T: serde::de::DeserializeOwned>(family: &'static str, bytes: &[u8]) -> Result<T, RecordError> {
    match record::split(family, bytes)? {
        (1, rest) => record::decode(family, rest),
        (version, _) => Err(RecordError::Newer { family, version }),
    }
}

fn damaged(family: &'static str, reason: String) -> RecordError {
    RecordError::Damaged { family, reason }
}

fn last_number(key: &Key) -> Result<u32, RecordError> {
    let last = key.0.last_chunk::<4>().ok_or_else(|| damaged("tally", format!("the key {key:?} is too short")))?;
    Ok(u32::from_be_bytes(*last))
}

/// Key fields: `u`, mailing (8 bytes), due time in milliseconds (8), sequence (4).
fn due_parts(key: &Key) -> Result<(Timestamp, Sequence), RecordError> {
    let short = || damaged("due", format!("the key {key:?} does not have 21 bytes"));
    let at = key.0.get(9..17).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
    let sequence = key.0.get(17..21).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
    let at = super::record::instant("due", i64::from_be_bytes(at))?;
    Ok((at, Sequence(u32::from_be_bytes(sequence))))
}
