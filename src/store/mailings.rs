//! Mailings on disk.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, PostId, ReleaseId, SubscriberId};
use crate::base::language::Language;
use crate::model::mailing::{
    Approval, AudienceQuery, Frozen, Mailing, MailingContent, MissedPolicy, Pause, PauseReason, Schedule, Stage,
    UncertainPolicy,
};

use super::engine::{Batch, Key, Value};
use super::pages::Query;
use super::record::{self, RecordError, stored_enum};
use super::{Change, Changeable, Read, Store, StoreError, keys};

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
        Ok(millis.map(|millis| instant(FAMILY, i64::try_from(millis).unwrap_or(i64::MAX))).transpose()?)
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
    let stamp = record::encode(3, &MailingV3::from(mailing));
    // What is overwritten was read before, so it can be read; if not, a check of the store reports the row left over.
    if let Some(Ok(old)) = before.as_ref().map(|before| decode(before)) {
        ended_row(&old).into_iter().for_each(|row| batch.delete(row));
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

fn decode(bytes: &[u8]) -> Result<Mailing, RecordError> {
    match record::split(FAMILY, bytes)? {
        (1, rest) => record::decode::<MailingV1>(FAMILY, rest)?.try_into(),
        (2, rest) => record::decode::<MailingV2>(FAMILY, rest)?.try_into(),
        (3, rest) => record::decode::<MailingV3>(FAMILY, rest)?.try_into(),
        (version, _) => Err(RecordError::Newer { family: FAMILY, version }),
    }
}

/// Version 3 added the number of the user who queued it.
#[derive(Serialize, Deserialize)]
struct MailingV3 {
    created_uid: Option<u32>,
    mailing: MailingV2,
}

impl From<&Mailing> for MailingV3 {
    fn from(mailing: &Mailing) -> Self {
        Self { created_uid: mailing.created_uid, mailing: MailingV2::from(mailing) }
    }
}

impl TryFrom<MailingV3> for Mailing {
    type Error = RecordError;

    fn try_from(form: MailingV3) -> Result<Self, RecordError> {
        Ok(Self { created_uid: form.created_uid, ..Self::try_from(form.mailing)? })
    }
}

/// Version 2: a mailing may send a post instead of a release; `mailing.release` is 0 then.
#[derive(Serialize, Deserialize)]
struct MailingV2 {
    post: Option<u64>,
    mailing: MailingV1,
}

impl From<&Mailing> for MailingV2 {
    fn from(mailing: &Mailing) -> Self {
        Self { post: mailing.content.post().map(|id| id.0), mailing: MailingV1::from(mailing) }
    }
}

impl TryFrom<MailingV2> for Mailing {
    type Error = RecordError;

    fn try_from(form: MailingV2) -> Result<Self, RecordError> {
        let mailing = Self::try_from(form.mailing)?;
        let content = form.post.map_or(mailing.content, |id| MailingContent::Post(PostId(id)));
        Ok(Self { content, ..mailing })
    }
}

#[derive(Serialize, Deserialize)]
struct MailingV1 {
    id: u64,
    release: u64,
    lists: BTreeSet<ListName>,
    beats: BTreeSet<String>,
    regions: BTreeSet<String>,
    languages: BTreeSet<Language>,
    reached_by: Option<u64>,
    at: i64,
    zone: String,
    missed: MissedV1,
    grace_seconds: u32,
    uncertain: UncertainV1,
    stage: StageV1,
    pause: Option<(i64, PauseV1)>,
    approval_required: bool,
    approval: Option<(String, i64, String)>,
    content_hash: String,
    reopened: u32,
    created: i64,
    created_by: String,
}

stored_enum!(MissedV1 is MissedPolicy { Send, Ask, Expire });

stored_enum!(UncertainV1 is UncertainPolicy { Resend, Hold });

#[derive(Serialize, Deserialize)]
enum StageV1 {
    Scheduled,
    Freezing { cursor: u64, chunks: u32, audience: u32, since: i64 },
    Sending(FrozenV1),
    Finished { frozen: FrozenV1, at: i64 },
    Cancelled { frozen: Option<FrozenV1>, at: i64, by: String },
    Expired { at: i64 },
}

#[derive(Serialize, Deserialize)]
struct FrozenV1 {
    at: i64,
    chunks: u32,
    audience: u32,
}

#[derive(Serialize, Deserialize)]
enum PauseV1 {
    Person { by: String },
    Breaker { evidence: String },
    Missed,
    Broken { what: String },
}

impl From<&Mailing> for MailingV1 {
    fn from(m: &Mailing) -> Self {
        Self {
            id: m.id.0,
            release: m.content.release().map_or(0, |id| id.0),
            lists: m.audience.lists.clone(),
            beats: m.audience.beats.clone(),
            regions: m.audience.regions.clone(),
            languages: m.audience.languages.clone(),
            reached_by: m.audience.reached_by.map(|id| id.0),
            at: m.schedule.at.timestamp_millis(),
            zone: m.schedule.zone.clone(),
            missed: m.schedule.missed.into(),
            grace_seconds: m.schedule.grace_seconds,
            uncertain: m.uncertain.into(),
            stage: stage_to_disk(&m.stage),
            pause: m.pause.as_ref().map(|p| (p.since.timestamp_millis(), pause_to_disk(&p.reason))),
            approval_required: m.approval_required,
            approval: m.approval.as_ref().map(|a| (a.by.clone(), a.at.timestamp_millis(), a.content_hash.clone())),
            content_hash: m.content_hash.clone(),
            reopened: m.reopened,
            created: m.created.timestamp_millis(),
            created_by: m.created_by.clone(),
        }
    }
}

fn pause_to_disk(reason: &PauseReason) -> PauseV1 {
    match reason.clone() {
        PauseReason::Person { by } => PauseV1::Person { by },
        PauseReason::Breaker { evidence } => PauseV1::Breaker { evidence },
        PauseReason::Missed => PauseV1::Missed,
        PauseReason::Broken { what } => PauseV1::Broken { what },
    }
}

fn stage_to_disk(stage: &Stage) -> StageV1 {
    let frozen = |f: &Frozen| FrozenV1 { at: f.at.timestamp_millis(), chunks: f.chunks, audience: f.audience };
    match stage {
        Stage::Scheduled => StageV1::Scheduled,
        Stage::Freezing { cursor, chunks, audience, since } => StageV1::Freezing {
            cursor: cursor.0,
            chunks: *chunks,
            audience: *audience,
            since: since.timestamp_millis(),
        },
        Stage::Sending(f) => StageV1::Sending(frozen(f)),
        Stage::Finished { frozen: f, at } => StageV1::Finished { frozen: frozen(f), at: at.timestamp_millis() },
        Stage::Cancelled { frozen: f, at, by } => {
            StageV1::Cancelled { frozen: f.as_ref().map(frozen), at: at.timestamp_millis(), by: by.clone() }
        }
        Stage::Expired { at } => StageV1::Expired { at: at.timestamp_millis() },
    }
}

/// An instant from its milliseconds on disk.
pub(super) fn instant(family: &'static str, millis: i64) -> Result<Timestamp, RecordError> {
    let reason = || format!("{millis} ms is not an instant");
    DateTime::<Utc>::from_timestamp_millis(millis).ok_or_else(|| RecordError::Damaged { family, reason: reason() })
}

impl TryFrom<MailingV1> for Mailing {
    type Error = RecordError;

    fn try_from(m: MailingV1) -> Result<Self, RecordError> {
        let pause = m.pause.map(|(since, reason)| {
            let reason = match reason {
                PauseV1::Person { by } => PauseReason::Person { by },
                PauseV1::Breaker { evidence } => PauseReason::Breaker { evidence },
                PauseV1::Missed => PauseReason::Missed,
                PauseV1::Broken { what } => PauseReason::Broken { what },
            };
            instant(FAMILY, since).map(|since| Pause { since, reason })
        });
        let approval =
            m.approval.map(|(by, at, content_hash)| instant(FAMILY, at).map(|at| Approval { by, at, content_hash }));
        Ok(Self {
            id: MailingId(m.id),
            content: MailingContent::Release(ReleaseId(m.release)),
            audience: AudienceQuery {
                lists: m.lists,
                beats: m.beats,
                regions: m.regions,
                languages: m.languages,
                reached_by: m.reached_by.map(MailingId),
            },
            schedule: Schedule {
                at: instant(FAMILY, m.at)?,
                zone: m.zone,
                missed: m.missed.into(),
                grace_seconds: m.grace_seconds,
            },
            uncertain: m.uncertain.into(),
            stage: stage_from_disk(m.stage)?,
            pause: pause.transpose()?,
            approval_required: m.approval_required,
            approval: approval.transpose()?,
            content_hash: m.content_hash,
            reopened: m.reopened,
            created: instant(FAMILY, m.created)?,
            created_by: m.created_by,
            created_uid: None,
        })
    }
}

fn stage_from_disk(stage: StageV1) -> Result<Stage, RecordError> {
    let frozen = |f: FrozenV1| -> Result<Frozen, RecordError> {
        Ok(Frozen { at: instant(FAMILY, f.at)?, chunks: f.chunks, audience: f.audience })
    };
    Ok(match stage {
        StageV1::Scheduled => Stage::Scheduled,
        StageV1::Freezing { cursor, chunks, audience, since } => {
            Stage::Freezing { cursor: SubscriberId(cursor), chunks, audience, since: instant(FAMILY, since)? }
        }
        StageV1::Sending(f) => Stage::Sending(frozen(f)?),
        StageV1::Finished { frozen: f, at } => Stage::Finished { frozen: frozen(f)?, at: instant(FAMILY, at)? },
        StageV1::Cancelled { frozen: f, at, by } => {
            Stage::Cancelled { frozen: f.map(frozen).transpose()?, at: instant(FAMILY, at)?, by }
        }
        StageV1::Expired { at } => Stage::Expired { at: instant(FAMILY, at)? },
    })
}
