//! The lease of a chunk: which node works on it, and until when. It keeps nodes from doing the same work; the ledger's
//! safety rests on each delivery's own bytes.

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::store::engine::{Batch, Key, Value};
use crate::store::record::instant;
use crate::store::record::{self, RecordError};
use crate::store::{Read, Store, StoreError, keys};

use super::versioned;

/// The node that works on a chunk, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The node's name.
    pub node: String,
    /// After this instant another node may take it.
    pub until: Timestamp,
    /// Increases each time a node starts; a lease of the same node with a smaller number is from before a restart.
    pub fence: u64,
}

/// The longest configurable lease, in seconds: a lease that ends later was written while the clock was ahead.
pub const LONGEST_LEASE: u32 = 86_400;

impl Lease {
    /// Whether a node other than `node` works on the chunk at `now`.
    pub fn is_of_other(&self, node: &str, now: Timestamp) -> bool {
        let left = (self.until - now).num_seconds();
        self.node != node && self.until > now && left <= i64::from(LONGEST_LEASE)
    }
}

impl Store {
    /// The lease of a chunk, if it is leased.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lease(&self, mailing: MailingId, chunk: u32) -> Result<Option<Read<Lease>>, StoreError> {
        let Some(stamp) = self.engine.get(&keys::lease(mailing, chunk)).await? else { return Ok(None) };
        Ok(Some(Read { value: decode_lease(&stamp)?, stamp }))
    }
}

/// Requires in `batch` that the lease of a chunk is unchanged since it was read; `None`: that the chunk is not leased.
pub(crate) fn expect_lease(batch: &mut Batch, mailing: MailingId, chunk: u32, stamp: Option<Value>) {
    batch.expect_read(keys::lease(mailing, chunk), stamp);
}

/// Whether the conflict is on the lease of this chunk.
pub(crate) fn is_lease_of(conflict: &Key, mailing: MailingId, chunk: u32) -> bool {
    *conflict == keys::lease(mailing, chunk)
}

/// Takes, renews or releases (`None`) the lease of a chunk; returns its new stamp.
pub fn put_lease(
    batch: &mut Batch,
    mailing: MailingId,
    chunk: u32,
    before: Option<Value>,
    now: Option<&Lease>,
) -> Option<Value> {
    let key = keys::lease(mailing, chunk);
    batch.expect_read(key.clone(), before);
    let stamp = now.map(|lease| {
        let form = LeaseV1 { node: lease.node.clone(), until: lease.until.timestamp_millis(), fence: lease.fence };
        record::encode(1, &form)
    });
    batch.writes.push((key, stamp.clone()));
    stamp
}

#[derive(Serialize, Deserialize)]
struct LeaseV1 {
    node: String,
    until: i64,
    fence: u64,
}

fn decode_lease(bytes: &[u8]) -> Result<Lease, RecordError> {
    let form: LeaseV1 = versioned("lease", bytes)?;
    Ok(Lease { node: form.node, until: instant("lease", form.until)?, fence: form.fence })
}
