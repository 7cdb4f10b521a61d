//! Notices on disk: a small record that changes, the message bytes beside it, an index by due time, and counts of
//! automatic replies.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::NoticeId;
use crate::model::inbound::SpoolPlace;
use crate::model::notice::{Notice, NoticeBody, NoticeState};
use crate::model::release::Blob;
use crate::model::reply::Reply;

use super::delivery_form::{CauseV1, cause_from_disk, cause_to_disk};
use super::engine::{Batch, KeyRange, Value};
use super::pages::Query;
use super::record::{self, RecordError};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "notice";
/// Version 2 has the same form; its body may be of a kind that version 1 did not know.
const VERSION: u8 = 2;

/// The counter that notice ids are allocated from.
pub(crate) const COUNTER: &str = "notice";

/// The largest notice, in bytes: below the store's limit for a value.
pub(crate) const LONGEST: usize = 200 * 1024;

#[derive(Serialize, Deserialize)]
struct NoticeV1 {
    id: u64,
    sender: Option<String>,
    recipient: String,
    body: BodyV1,
    about: String,
    created: i64,
    opened: i64,
    attempts: u16,
    resent: u16,
    state: StateV1,
}

#[derive(Serialize, Deserialize)]
enum BodyV1 {
    Kept,
    Forwarded {
        header: Vec<u8>,
        segment: u64,
        offset: u64,
        length: u32,
    },
    /// Only in version 2.
    KeptWithEnd {
        sha256: [u8; 32],
        size: u64,
    },
}

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Waiting { due: i64, cause: Option<CauseV1> },
    InDoubt { since: i64 },
    Accepted { at: i64, code: u16, text: String },
    Failed { at: i64, cause: CauseV1 },
}

fn encode(notice: &Notice) -> Value {
    let millis = |at: &Timestamp| at.timestamp_millis();
    let form = NoticeV1 {
        id: notice.id.0,
        sender: notice.sender.as_ref().map(|sender| sender.as_str().to_owned()),
        recipient: notice.recipient.as_str().to_owned(),
        body: match &notice.body {
            NoticeBody::Kept => BodyV1::Kept,
            NoticeBody::KeptWithEnd(end) => BodyV1::KeptWithEnd { sha256: end.sha256, size: end.size },
            NoticeBody::Forwarded { header, place } => BodyV1::Forwarded {
                header: header.clone(),
                segment: place.segment,
                offset: place.offset,
                length: place.length,
            },
        },
        about: notice.about.clone(),
        created: millis(&notice.created),
        opened: millis(&notice.opened),
        attempts: notice.attempts,
        resent: notice.resent,
        state: match &notice.state {
            NoticeState::Waiting { due, cause } => {
                StateV1::Waiting { due: millis(due), cause: cause.as_ref().map(cause_to_disk) }
            }
            NoticeState::InDoubt { since } => StateV1::InDoubt { since: millis(since) },
            NoticeState::Accepted { at, reply } => {
                StateV1::Accepted { at: millis(at), code: reply.code, text: reply.text.clone() }
            }
            NoticeState::Failed { at, cause } => StateV1::Failed { at: millis(at), cause: cause_to_disk(cause) },
        },
    };
    let version = if matches!(form.body, BodyV1::KeptWithEnd { .. }) { VERSION } else { 1 };
    record::encode(version, &form)
}

fn decode(stamp: Value) -> Result<Read<Notice>, RecordError> {
    let (version, rest) = record::split(FAMILY, &stamp)?;
    if !(1..=VERSION).contains(&version) {
        return Err(RecordError::Newer { family: FAMILY, version });
    }
    let form: NoticeV1 = record::decode(FAMILY, rest)?;
    let at = |millis| record::instant(FAMILY, millis);
    let address = |text: String| {
        Address::from_stored(text).map_err(|e| RecordError::Damaged { family: FAMILY, reason: e.to_string() })
    };
    let value = Notice {
        id: NoticeId(form.id),
        sender: form.sender.map(address).transpose()?,
        recipient: address(form.recipient)?,
        body: match form.body {
            BodyV1::Kept => NoticeBody::Kept,
            BodyV1::KeptWithEnd { sha256, size } => NoticeBody::KeptWithEnd(Blob { sha256, size }),
            BodyV1::Forwarded { header, segment, offset, length } => {
                NoticeBody::Forwarded { header, place: SpoolPlace { segment, offset, length } }
            }
        },
        about: form.about,
        created: at(form.created)?,
        opened: at(form.opened)?,
        attempts: form.attempts,
        resent: form.resent,
        state: match form.state {
            StateV1::Waiting { due, cause } => {
                NoticeState::Waiting { due: at(due)?, cause: cause.map(cause_from_disk) }
            }
            StateV1::InDoubt { since } => NoticeState::InDoubt { since: at(since)? },
            StateV1::Accepted { at: when, code, text } => {
                NoticeState::Accepted { at: at(when)?, reply: Reply { code, text } }
            }
            StateV1::Failed { at: when, cause } => NoticeState::Failed { at: at(when)?, cause: cause_from_disk(cause) },
        },
    };
    Ok(Read { value, stamp })
}

/// Adds a new notice to `batch`; `bytes` is the complete message if it is kept with the notice.
pub fn put_new(batch: &mut Batch, notice: &Notice, bytes: Option<&[u8]>) {
    let key = keys::notice(notice.id);
    batch.expect_absent(key.clone());
    batch.put(key, encode(notice));
    if let Some(due) = notice.due() {
        batch.put(keys::notice_due(due, notice.id), [].as_slice());
    }
    if let Some(bytes) = bytes {
        batch.put(keys::notice_body(notice.id), bytes);
    }
}

/// Writes `after` over what was read, and moves it in the index; returns its new stamp. Once a notice is taken its
/// bytes are deleted, as they may hold tokens.
pub fn put_over(batch: &mut Batch, before: &Read<Notice>, after: &Notice) -> Value {
    let key = keys::notice(after.id);
    let stamp = encode(after);
    batch.expect(key.clone(), before.stamp.clone());
    batch.put(key, stamp.clone());
    if before.value.due() != after.due() {
        if let Some(due) = before.value.due() {
            batch.delete(keys::notice_due(due, after.id));
        }
        if let Some(due) = after.due() {
            batch.put(keys::notice_due(due, after.id), [].as_slice());
        }
    }
    let is_kept = matches!(after.body, NoticeBody::Kept | NoticeBody::KeptWithEnd(_));
    if matches!(after.state, NoticeState::Accepted { .. }) && is_kept {
        batch.delete(keys::notice_body(after.id));
    }
    stamp
}

/// Deletes a notice with its bytes and index row, if it is unchanged since it was read.
pub(crate) fn delete(batch: &mut Batch, read: &Read<Notice>) {
    let id = read.value.id;
    batch.expect(keys::notice(id), read.stamp.clone());
    batch.delete(keys::notice(id));
    batch.delete(keys::notice_body(id));
    if let Some(due) = read.value.due() {
        batch.delete(keys::notice_due(due, id));
    }
}

/// The notices due after `now`, earliest first, with their due times.
pub(crate) fn due_after(now: Timestamp) -> Query<(Timestamp, NoticeId)> {
    due_rows(keys::notices_due_after(now))
}

fn due_rows(range: KeyRange) -> Query<(Timestamp, NoticeId)> {
    Query::new(range, |key, _| {
        let damaged =
            || RecordError::Damaged { family: FAMILY, reason: "the key of its due time names no notice".to_owned() };
        Ok(keys::notice_of_due(key).ok_or_else(damaged)?)
    })
}

impl Store {
    /// One notice.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub async fn notice(&self, id: NoticeId) -> Result<Option<Read<Notice>>, StoreError> {
        let found = self.engine.get(&keys::notice(id)).await?;
        Ok(found.map(decode).transpose()?)
    }

    /// The bytes of a notice stored with its complete message; `None` once it was taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notice_bytes(&self, id: NoticeId) -> Result<Option<Value>, StoreError> {
        Ok(self.engine.get(&keys::notice_body(id)).await?)
    }

    /// Up to `limit` notices older than `before`, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notices(&self, before: Option<NoticeId>, limit: usize) -> Result<Vec<Read<Notice>>, StoreError> {
        let found = self.each_notice(before, limit).await?;
        found.into_iter().map(|(_, read)| Ok(read?)).collect()
    }

    /// As [`Store::notices`], but an unreadable record does not hide the others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn each_notice(
        &self,
        before: Option<NoticeId>,
        limit: usize,
    ) -> Result<Vec<(NoticeId, Result<Read<Notice>, RecordError>)>, StoreError> {
        let mut range = keys::table(b'n');
        if let Some(before) = before {
            range = range.after(&keys::notice(before));
        }
        let damaged = || RecordError::Damaged { family: FAMILY, reason: "its key names none".to_owned() };
        let found = self.engine.scan(range, limit).await?.into_iter().map(|(key, stamp)| {
            // Newest first: the keys count down.
            let id = keys::last_number(&key).map(|number| NoticeId(u64::MAX - number)).ok_or_else(damaged)?;
            Ok((id, decode(stamp)))
        });
        found.collect()
    }

    /// Up to `limit` notices due at or before `until`, in order of due time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn notices_due(&self, until: Timestamp, limit: usize) -> Result<Vec<NoticeId>, StoreError> {
        let found = self.engine.scan(keys::notices_due_until(until), limit).await?;
        Ok(found.iter().filter_map(|(key, _)| keys::notice_of_due(key)).map(|(_, id)| id).collect())
    }

    /// Up to `limit` notices due after `now`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn notices_later(&self, now: Timestamp, limit: usize) -> Result<Vec<NoticeId>, StoreError> {
        let found = self.engine.scan(keys::notices_due_after(now), limit).await?;
        Ok(found.iter().filter_map(|(key, _)| keys::notice_of_due(key)).map(|(_, id)| id).collect())
    }

    /// The earliest due time after `now` of a notice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn next_notice_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let found = self.engine.scan(keys::notices_due_after(now), 1).await?;
        Ok(found.first().and_then(|(key, _)| keys::notice_of_due(key)).map(|(at, _)| at))
    }

    /// The earliest due time of a notice, past or future.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn first_notice_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let found = self.engine.scan(keys::table(b'N'), 1).await?;
        Ok(found.first().and_then(|(key, _)| keys::notice_of_due(key)).map(|(at, _)| at))
    }

    /// Number of notices still to be sent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notices_open(&self) -> Result<u64, StoreError> {
        self.count_rows(keys::table(b'N')).await
    }

    /// The spool segments that unsent notices need.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "none".
    pub(crate) async fn segments_of_notices(&self) -> Result<BTreeSet<u64>, StoreError> {
        let (mut open, mut segments) = (self.pages(due_rows(keys::table(b'N'))), BTreeSet::new());
        while let Some((_, id)) = open.next().await? {
            if let Some(read) = self.notice(id).await?
                && let NoticeBody::Forwarded { place, .. } = read.value.body
            {
                segments.insert(place.segment);
            }
        }
        Ok(segments)
    }

    /// Counts the action that `hash` stands for once more on `day`, in `batch`; `false`, and nothing is counted, if it
    /// was done `most` times. The batch conflicts if the count changes meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not yet".
    pub(crate) async fn count_reply(
        &self,
        batch: &mut Batch,
        day: u32,
        hash: &[u8; 32],
        most: u32,
    ) -> Result<bool, StoreError> {
        let key = keys::reply_count(day, hash);
        let before = self.engine.get(&key).await?;
        let count: u32 = match before.as_ref().map(|bytes| record::split("reply count", bytes)).transpose()? {
            None => 0,
            Some((1, rest)) => record::decode("reply count", rest)?,
            Some((version, _)) => return Err(RecordError::Newer { family: "reply count", version }.into()),
        };
        if count >= most {
            return Ok(false);
        }
        batch.expect_read(key.clone(), before);
        batch.put(key, record::encode(1, &(count + 1)));
        Ok(true)
    }

    /// Deletes the counts of days before `day`, a page at a time; returns how many.
    ///
    /// # Errors
    /// [`StoreError`]: earlier pages are already deleted.
    pub async fn forget_replies(&self, day: u32) -> Result<u64, StoreError> {
        const PAGE: usize = 1000;
        let (mut forgotten, mut range) = (0, keys::reply_counts_before(day));
        loop {
            let found = self.engine.scan(range.clone(), PAGE).await?;
            let Some((last, _)) = found.last() else { return Ok(forgotten) };
            range = range.after(last);
            forgotten += found.len() as u64;
            let mut batch = Batch::new();
            found.into_iter().for_each(|(key, _)| batch.delete(key));
            self.commit(batch).await?;
        }
    }
}
