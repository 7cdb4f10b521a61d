//! Received messages, one record for each recipient, and a marker for each that is waiting to be handled. The messages
//! themselves are in the [`super::spool`].

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::base::clock::Timestamp;
use crate::base::id::InboundId;
use crate::model::inbound::{Arrival, Inbound, InboundKind, InboundState, SpoolPlace, Via};

use super::engine::{Batch, Key, KeyRange, Value};
use super::record::{self, RecordError, stored_enum};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "inbound";
const VERSION: u8 = 1;
const COUNTER: &str = "inbound";
/// Ids allocated at once: one extra commit per this number of messages.
const BLOCK: u64 = 256;
/// Bytes kept of a note or an error text, so that the record stays below the store's limit.
const TEXT_BYTES: usize = 4000;

#[derive(Serialize, Deserialize)]
struct InboundV1 {
    at: i64,
    via: ViaV1,
    peer: Option<IpAddr>,
    helo: String,
    encrypted: bool,
    sender: Option<String>,
    recipient: String,
    segment: u64,
    offset: u64,
    length: u32,
    state: StateV1,
}

stored_enum!(ViaV1 is Via { Smtp, Lmtp, File });

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Waiting,
    Handled { at: i64, kind: KindV1, note: String },
    Stuck { at: i64, what: String },
}

stored_enum!(KindV1 is InboundKind { Command, Bounce, Complaint, AutoReply, Notice, Post, Decision, Rsvp, Forwarded, Loop });

fn encode(inbound: &Inbound) -> Value {
    let Inbound { arrival, place, .. } = inbound;
    record::encode(
        VERSION,
        &InboundV1 {
            at: arrival.at.timestamp_millis(),
            via: arrival.via.into(),
            peer: arrival.peer,
            helo: arrival.helo.clone(),
            encrypted: arrival.encrypted,
            sender: arrival.sender.clone(),
            recipient: inbound.recipient.clone(),
            segment: place.segment,
            offset: place.offset,
            length: place.length,
            state: match &inbound.state {
                InboundState::Waiting => StateV1::Waiting,
                InboundState::Handled { at, kind, note } => {
                    StateV1::Handled { at: at.timestamp_millis(), kind: (*kind).into(), note: note.clone() }
                }
                InboundState::Stuck { at, what } => StateV1::Stuck { at: at.timestamp_millis(), what: what.clone() },
            },
        },
    )
}

fn decode(id: InboundId, bytes: &Value) -> Result<Read<Inbound>, StoreError> {
    let (version, rest) = record::split(FAMILY, bytes)?;
    if version != VERSION {
        return Err(RecordError::Newer { family: FAMILY, version }.into());
    }
    let form: InboundV1 = record::decode(FAMILY, rest)?;
    let state = match form.state {
        StateV1::Waiting => InboundState::Waiting,
        StateV1::Handled { at, kind, note } => {
            InboundState::Handled { at: record::instant(FAMILY, at)?, kind: kind.into(), note }
        }
        StateV1::Stuck { at, what } => InboundState::Stuck { at: record::instant(FAMILY, at)?, what },
    };
    let arrival = Arrival {
        at: record::instant(FAMILY, form.at)?,
        via: form.via.into(),
        peer: form.peer,
        helo: form.helo,
        encrypted: form.encrypted,
        sender: form.sender,
    };
    let place = SpoolPlace { segment: form.segment, offset: form.offset, length: form.length };
    let value = Inbound { id, arrival, recipient: form.recipient, place, state };
    Ok(Read { value, stamp: bytes.clone() })
}

fn decode_entry((key, bytes): &(Key, Value)) -> Result<Read<Inbound>, StoreError> {
    decode(id_of(key)?, bytes)
}

fn id_of(key: &Key) -> Result<InboundId, RecordError> {
    let damaged = |_| RecordError::Damaged { family: FAMILY, reason: "its key holds no id".to_owned() };
    key.0.get(1..).unwrap_or_default().try_into().map(|bytes| InboundId(u64::from_be_bytes(bytes))).map_err(damaged)
}

fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES)].to_owned()
}

/// Adds a received message to `batch`, to be handled; conflicts if the id is taken.
pub fn put_new(batch: &mut Batch, inbound: &Inbound) {
    let key = keys::inbound(inbound.id);
    batch.expect_absent(key.clone());
    batch.put(key, encode(inbound));
    if inbound.state == InboundState::Waiting {
        batch.put(keys::inbound_waiting(inbound.id), Vec::new());
    }
}

/// Marks the message as handled in `batch`, if its record is unchanged since it was read. The effects of handling
/// belong in the same batch: then they happen exactly once, despite crashes and concurrent handlers. A long note is
/// cut.
pub fn put_handled(batch: &mut Batch, read: &Read<Inbound>, at: Timestamp, kind: InboundKind, note: &str) {
    put_state(batch, read, InboundState::Handled { at, kind, note: bounded(note) });
}

/// Marks the message in `batch` as stuck until an operator acts, if its record is unchanged since it was read. A long
/// text is cut.
pub fn put_stuck(batch: &mut Batch, read: &Read<Inbound>, at: Timestamp, what: &str) {
    put_state(batch, read, InboundState::Stuck { at, what: bounded(what) });
}

/// Marks the message as waiting to be handled (again) in `batch`, if its record is unchanged since it was read.
pub fn put_waiting(batch: &mut Batch, read: &Read<Inbound>) {
    put_state(batch, read, InboundState::Waiting);
}

/// Stores in `batch` the number of daemon starts that found the message waiting, if it is unchanged since it was read.
pub fn put_tries(batch: &mut Batch, read: &Read<Inbound>, tries: u8) {
    batch.expect(keys::inbound(read.value.id), read.stamp.clone());
    batch.put(keys::inbound_waiting(read.value.id), vec![tries]);
}

fn put_state(batch: &mut Batch, read: &Read<Inbound>, state: InboundState) {
    let key = keys::inbound(read.value.id);
    batch.expect(key.clone(), read.stamp.clone());
    let marker = keys::inbound_waiting(read.value.id);
    match state {
        InboundState::Waiting => batch.put(marker, Vec::new()),
        InboundState::Handled { .. } | InboundState::Stuck { .. } => batch.delete(marker),
    }
    batch.put(key, encode(&Inbound { state, ..read.value.clone() }));
}

/// Whether the conflict is on this message's record.
pub(crate) fn is_record_of(conflict: &Key, id: InboundId) -> bool {
    *conflict == keys::inbound(id)
}

/// Deletes a message in `batch`, if its record is unchanged since it was read.
pub fn delete(batch: &mut Batch, read: &Read<Inbound>) {
    let key = keys::inbound(read.value.id);
    batch.expect(key.clone(), read.stamp.clone());
    batch.delete(key);
    batch.delete(keys::inbound_waiting(read.value.id));
}

impl Store {
    /// The record of a received message.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub async fn inbound(&self, id: InboundId) -> Result<Option<Read<Inbound>>, StoreError> {
        self.engine.get(&keys::inbound(id)).await?.map(|bytes| decode(id, &bytes)).transpose()
    }

    /// Up to `limit` messages after `after` that wait to be handled, oldest first; `None`: from the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting_inbound(&self, after: Option<InboundId>, limit: usize) -> Result<Vec<InboundId>, StoreError> {
        let mut range: KeyRange = keys::table(b'w');
        if let Some(after) = after {
            range = range.after(&keys::inbound_waiting(after));
        }
        let found = self.engine.scan(range, limit).await?;
        found.iter().map(|(key, _)| Ok(id_of(key)?)).collect()
    }

    /// Number of messages waiting to be handled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn count_waiting_inbound(&self) -> Result<u64, StoreError> {
        self.count_rows(keys::table(b'w')).await
    }

    /// Number of daemon starts that found the message waiting.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn inbound_tries(&self, id: InboundId) -> Result<u8, StoreError> {
        let marker = self.engine.get(&keys::inbound_waiting(id)).await?;
        Ok(marker.and_then(|bytes| bytes.first().copied()).unwrap_or(0))
    }

    /// Up to `limit` messages after `after`, in order of id, which is roughly the order of arrival; `None`: from the
    /// first.
    ///
    /// # Errors
    /// [`StoreError`], also if a single record is damaged.
    pub async fn scan_inbound(&self, after: Option<InboundId>, limit: usize) -> Result<Vec<Read<Inbound>>, StoreError> {
        let found = self.each_inbound(after, limit).await?;
        found.into_iter().map(|(_, read)| read).collect()
    }

    /// As [`Store::scan_inbound`], but an unreadable record does not hide the others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn each_inbound(
        &self,
        after: Option<InboundId>,
        limit: usize,
    ) -> Result<Vec<(InboundId, Result<Read<Inbound>, StoreError>)>, StoreError> {
        let mut range: KeyRange = keys::table(b'y');
        if let Some(after) = after {
            range = range.after(&keys::inbound(after));
        }
        let found = self.engine.scan(range, limit).await?;
        found.iter().map(|entry| Ok((id_of(&entry.0)?, decode_entry(entry)))).collect()
    }

    /// The `limit` messages with the highest ids below `before`, newest first; `None`: the newest of all.
    ///
    /// # Errors
    /// [`StoreError`], also if a single record is damaged.
    pub async fn newest_inbound(
        &self,
        before: Option<InboundId>,
        limit: usize,
    ) -> Result<Vec<Read<Inbound>>, StoreError> {
        let mut range = keys::table(b'y').backward();
        if let Some(before) = before {
            range = range.after(&keys::inbound(before));
        }
        let found = self.engine.scan(range, limit).await?;
        found.iter().map(decode_entry).collect()
    }
}

/// Allocates ids for received messages in blocks, so that a message needs no commit just for its id. The unused rest of
/// a block is lost at shutdown.
pub struct InboundIds {
    store: Store,
    /// The next id, and the end (exclusive) of our block.
    block: Mutex<(u64, u64)>,
}

impl InboundIds {
    /// An allocator without a block yet.
    pub fn new(store: Store) -> Self {
        Self { store, block: Mutex::new((0, 0)) }
    }

    /// Returns `count` consecutive ids that no other caller gets.
    ///
    /// # Errors
    /// [`StoreError`]: ids may be skipped; none is allocated twice.
    pub async fn take(&self, count: u64) -> Result<impl Iterator<Item = InboundId> + use<>, StoreError> {
        let mut block = self.block.lock().await;
        if block.1.saturating_sub(block.0) < count {
            let size = count.max(BLOCK);
            let first = self.store.allocate(COUNTER, size).await?;
            *block = (first, first + size);
        }
        let first = block.0;
        block.0 += count;
        Ok((first..first + count).map(InboundId))
    }
}
