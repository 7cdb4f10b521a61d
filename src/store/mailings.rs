//! Mailings on disk.

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, ReleaseId};
use crate::model::mailing::{Mailing, Stage};

use super::engine::{Batch, Key, Value};
use super::pages::Query;
use super::record;
use super::{Change, Changeable, Read, Store, StoreError, keys};

mod form;

use form::{decode, encode};

const FAMILY: &str = "mailing";

/// The counter that mailing ids are allocated from.
pub const COUNTER: &str = "mailing";

impl Store {
    /// One mailing.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub async fn mailing(&self, id: MailingId) -> Result<Option<Read<Mailing>>, StoreError> {
        let Some(stamp) = self.engine.get(&keys::mailing(id)).await? else { return Ok(None) };
        Ok(Some(Read { value: decode(&stamp)?, stamp }))
    }

    /// Whether a mailing of this release has started to be sent.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "no".
    pub(crate) async fn is_sent(&self, release: ReleaseId) -> Result<bool, StoreError> {
        let mut mailings = self.pages(of_release(release));
        while let Some(Read { value: Mailing { stage, .. }, .. }) = mailings.next().await? {
            if matches!(stage, Stage::Sending(_) | Stage::Finished { .. } | Stage::Cancelled { frozen: Some(_), .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The end time of the mailing for which its server replies were deleted; `None` if they were not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn words_forgotten(&self, id: MailingId) -> Result<Option<Timestamp>, StoreError> {
        let found = self.engine.get(&keys::words_forgotten(id)).await?;
        let millis = found.map(|bytes| record::decode_counter(&bytes)).transpose()?;
        Ok(millis.map(|millis| record::instant(FAMILY, i64::try_from(millis).unwrap_or(i64::MAX))).transpose()?)
    }

    /// Stores that the server replies of a mailing that ended at `over` were deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn note_words_forgotten(&self, id: MailingId, over: Timestamp) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        let millis = u64::try_from(over.timestamp_millis()).unwrap_or(0);
        batch.put(keys::words_forgotten(id), millis.to_be_bytes().as_slice());
        self.commit(batch).await?;
        Ok(())
    }

    /// Reads a mailing, changes it by `change`, and commits it with the batch that `change` may fill; repeats if it was
    /// changed meanwhile. `None` if there is no such mailing.
    ///
    /// # Errors
    /// [`StoreError`], or the error of `change`.
    pub async fn update_mailing<E: From<StoreError>>(
        &self,
        id: MailingId,
        mut change: impl FnMut(&mut Mailing, &mut Batch) -> Result<(), E> + Send,
    ) -> Result<Option<Read<Mailing>>, E> {
        self.update(&id, |mailing: &mut Mailing, batch| change(mailing, batch).map(|()| Change::Save)).await
    }
}

/// Requires in `batch` that the mailing is unchanged since it was read.
pub(crate) fn expect(batch: &mut Batch, read: &Read<Mailing>) {
    batch.expect(keys::mailing(read.value.id), read.stamp.clone());
}

/// Writes a mailing over what was read (`None`: requires that it is new); returns its new stamp.
pub fn put_mailing(batch: &mut Batch, mailing: &Mailing, before: Option<Value>) -> Value {
    let key = keys::mailing(mailing.id);
    let stamp = encode(mailing);
    // What is overwritten was read before, so it can be read; if not, a check of the store reports the row left over.
    if let Some(Ok(old)) = before.as_ref().map(|before| decode(before)) {
        ended_row(&old).into_iter().for_each(|row| batch.delete(row));
        let replaced = old.content.release().filter(|_| old.content != mailing.content);
        replaced.into_iter().for_each(|release| batch.delete(keys::mailing_of(release, old.id)));
    }
    batch.expect_read(key.clone(), before);
    batch.put(key, stamp.clone());
    put_rows(batch, mailing);
    stamp
}

/// Writes a mailing's rows in the index tables.
pub(super) fn put_rows(batch: &mut Batch, mailing: &Mailing) {
    match is_open(mailing) {
        true => batch.put(keys::open_mailing(mailing.id), Vec::new()),
        false => batch.delete(keys::open_mailing(mailing.id)),
    }
    if let Some(release) = mailing.content.release() {
        batch.put(keys::mailing_of(release, mailing.id), Vec::new());
    }
    ended_row(mailing).into_iter().for_each(|row| batch.put(row, Vec::new()));
}

/// The index row of a mailing that ended and has a ledger.
pub(super) fn ended_row(mailing: &Mailing) -> Option<Key> {
    match &mailing.stage {
        Stage::Finished { at, .. } | Stage::Cancelled { frozen: Some(_), at, .. } => {
            Some(keys::ended_mailing(*at, mailing.id))
        }
        _ => None,
    }
}

/// Removes a cancelled mailing whose ledger is fully closed from the open ones, if it is unchanged since it was read.
pub(crate) fn put_closed(batch: &mut Batch, read: &Read<Mailing>) {
    expect(batch, read);
    batch.delete(keys::open_mailing(read.value.id));
}

/// Whether work may remain for a mailing; includes a cancelled one whose ledger is not closed yet.
pub(super) fn is_open(mailing: &Mailing) -> bool {
    matches!(
        mailing.stage,
        Stage::Scheduled | Stage::Freezing { .. } | Stage::Sending(_) | Stage::Cancelled { frozen: Some(_), .. }
    )
}

/// All mailings, oldest first.
pub fn all() -> Query<Read<Mailing>> {
    Query::new(keys::table(b'm'), read)
}

/// The mailings after this one, in order of id.
pub(super) fn after(id: u64) -> Query<Read<Mailing>> {
    Query::new(keys::table(b'm').after(&keys::mailing(MailingId(id))), read)
}

/// The mailings that are scheduled, being frozen or being sent, and cancelled ones whose ledger is not closed; oldest
/// first.
pub fn open() -> Query<Read<Mailing>> {
    Query::indexed(keys::open_mailings(), named, read)
}

/// The mailings with a ledger that finished or were cancelled at or after `since`, in order of their end.
pub(crate) fn ended_since(since: Timestamp) -> Query<Read<Mailing>> {
    Query::indexed(keys::ended_mailings(since), named, read)
}

/// The mailings of a release, oldest first.
pub fn of_release(release: ReleaseId) -> Query<Read<Mailing>> {
    Query::indexed(keys::mailings_of(release), named, read)
}

fn named(row: &Key) -> Option<Key> {
    keys::last_number(row).map(|id| keys::mailing(MailingId(id)))
}

fn read(_: &Key, stamp: Value) -> Result<Read<Mailing>, StoreError> {
    Ok(Read { value: decode(&stamp)?, stamp })
}

impl Changeable for Mailing {
    type Id = MailingId;

    async fn read(store: &Store, id: &MailingId) -> Result<Option<Read<Mailing>>, StoreError> {
        store.mailing(*id).await
    }

    fn put(batch: &mut Batch, before: &Read<Mailing>, after: &Mailing) -> Value {
        put_mailing(batch, after, Some(before.stamp.clone()))
    }
}
