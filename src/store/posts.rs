//! Posts on disk, the held ones also by expiry time, and the Message-IDs by which a second copy is recognised.

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, PostId};
use crate::base::token::content_hash;
use crate::model::authentication::{Authentication, Check, DomainPolicy};
use crate::model::post::{Hold, HoldReason, Post, PostState};
use crate::model::present::Cutoff;
use crate::model::release::Blob;

use super::engine::{Batch, Key, Value};
use super::record::{self, RecordError, stored_enum};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "post";

/// The counter that post ids are allocated from.
pub(crate) const COUNTER: &str = "post";

#[derive(Serialize, Deserialize)]
struct PostV1 {
    id: u64,
    list: ListName,
    author: String,
    author_name: Option<String>,
    subject: String,
    message_id: Option<String>,
    sha256: [u8; 32],
    size: u64,
    received: i64,
    author_check: CheckV1,
    spf: CheckV1,
    dkim: CheckV1,
    policy: PolicyV1,
    state: StateV1,
}

stored_enum!(CheckV1 is Check { Pass, Fail, None, Unknown });

stored_enum!(PolicyV1 is DomainPolicy { None, Quarantine, Reject, Unknown });

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Held { reason: ReasonV1, round: u32, since: i64, until: i64, asked: Vec<String> },
    Approved { at: i64, by: Option<String>, mailing: u64 },
    Refused { at: i64, by: String, why: String },
    Expired { at: i64 },
}

stored_enum!(ReasonV1 is HoldReason { Confirmation, Moderation, Approval });

/// A copy of a message that arrived at a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The post it became.
    pub post: PostId,
    /// When it arrived.
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct SeenV1 {
    post: u64,
    at: i64,
}

impl From<&Post> for PostV1 {
    fn from(post: &Post) -> Self {
        Self {
            id: post.id.0,
            list: post.list.clone(),
            author: post.author.as_str().to_owned(),
            author_name: post.author_name.clone(),
            subject: post.subject.clone(),
            message_id: post.message_id.clone(),
            sha256: post.blob.sha256,
            size: post.blob.size,
            received: post.received.timestamp_millis(),
            author_check: post.authentication.author.into(),
            spf: post.authentication.spf.into(),
            dkim: post.authentication.dkim.into(),
            policy: post.authentication.policy.into(),
            state: state_to_disk(&post.state),
        }
    }
}

fn state_to_disk(state: &PostState) -> StateV1 {
    match state {
        PostState::Held(hold) => StateV1::Held {
            reason: hold.reason.into(),
            round: hold.round,
            since: hold.since.timestamp_millis(),
            until: hold.until.timestamp_millis(),
            asked: hold.asked.iter().map(Address::to_string).collect(),
        },
        PostState::Approved { at, by, mailing } => {
            StateV1::Approved { at: at.timestamp_millis(), by: by.clone(), mailing: mailing.0 }
        }
        PostState::Refused { at, by, why } => {
            StateV1::Refused { at: at.timestamp_millis(), by: by.clone(), why: why.clone() }
        }
        PostState::Expired { at } => StateV1::Expired { at: at.timestamp_millis() },
    }
}

fn state_from_disk(state: StateV1) -> Result<PostState, RecordError> {
    let instant = |millis| record::instant(FAMILY, millis);
    Ok(match state {
        StateV1::Held { reason, round, since, until, asked } => PostState::Held(Hold {
            reason: reason.into(),
            round,
            since: instant(since)?,
            until: instant(until)?,
            asked: asked.into_iter().map(read_address).collect::<Result<_, _>>()?,
        }),
        StateV1::Approved { at, by, mailing } => {
            PostState::Approved { at: instant(at)?, by, mailing: MailingId(mailing) }
        }
        StateV1::Refused { at, by, why } => PostState::Refused { at: instant(at)?, by, why },
        StateV1::Expired { at } => PostState::Expired { at: instant(at)? },
    })
}

fn read_address(text: String) -> Result<Address, RecordError> {
    Address::from_stored(text).map_err(|e| RecordError::Damaged { family: FAMILY, reason: e.to_string() })
}

fn decode(bytes: &[u8]) -> Result<Post, RecordError> {
    let form: PostV1 = match record::split(FAMILY, bytes)? {
        (1, rest) => record::decode(FAMILY, rest)?,
        (version, _) => return Err(RecordError::Newer { family: FAMILY, version }),
    };
    Ok(Post {
        id: PostId(form.id),
        list: form.list,
        author: read_address(form.author)?,
        author_name: form.author_name,
        subject: form.subject,
        message_id: form.message_id,
        blob: Blob { sha256: form.sha256, size: form.size },
        received: record::instant(FAMILY, form.received)?,
        authentication: Authentication {
            author: form.author_check.into(),
            spf: form.spf.into(),
            dkim: form.dkim.into(),
            policy: form.policy.into(),
        },
        state: state_from_disk(form.state)?,
    })
}

/// Writes a post over what was read (`None`: requires that it is new), and its row among the held ones. Its bytes must
/// be durable before (see [`super::blobs::Blobs::put`]).
pub fn put_post(batch: &mut Batch, post: &Post, before: Option<&Read<Post>>) {
    let key = keys::post(post.id);
    batch.expect_read(key.clone(), before.map(|read| read.stamp.clone()));
    batch.put(key, record::encode(1, &PostV1::from(post)));
    let held = |post: &Post| post.hold().map(|hold| keys::held_post(hold.until, post.id));
    let (was, is) = (before.and_then(|read| held(&read.value)), held(post));
    if was == is {
        return;
    }
    if let Some(was) = was {
        batch.delete(was);
    }
    if let Some(is) = is {
        batch.put(is, Value::from(&[][..]));
    }
}

/// Deletes a post, if it is unchanged since it was read. Its bytes are removed once nothing names them.
pub(crate) fn delete(batch: &mut Batch, read: &Read<Post>) {
    let key = keys::post(read.value.id);
    batch.expect(key.clone(), read.stamp.clone());
    batch.delete(key);
    if let Some(hold) = read.value.hold() {
        batch.delete(keys::held_post(hold.until, read.value.id));
    }
}

/// Stores in `batch` that a message arrived at a list; conflicts if another copy arrived since `before` was read.
pub(crate) fn put_seen(batch: &mut Batch, list: &ListName, mark: &[u8], seen: &Seen, before: Option<Value>) {
    let key = keys::seen_message(list, &content_hash(mark));
    batch.expect_read(key.clone(), before);
    batch.put(key, record::encode(1, &SeenV1 { post: seen.post.0, at: seen.at.timestamp_millis() }));
}

fn decode_seen(bytes: &[u8]) -> Result<Seen, RecordError> {
    const FAMILY: &str = "seen message";
    let form: SeenV1 = match record::split(FAMILY, bytes)? {
        (1, rest) => record::decode(FAMILY, rest)?,
        (version, _) => return Err(RecordError::Newer { family: FAMILY, version }),
    };
    Ok(Seen { post: PostId(form.post), at: record::instant(FAMILY, form.at)? })
}

impl Store {
    /// One post.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub async fn post(&self, id: PostId) -> Result<Option<Read<Post>>, StoreError> {
        let Some(stamp) = self.engine.get(&keys::post(id)).await? else { return Ok(None) };
        Ok(Some(Read { value: decode(&stamp)?, stamp }))
    }

    /// Up to `limit` posts after `after`, in order of id; `PostId(0)`: from the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn posts(&self, after: PostId, limit: usize) -> Result<Vec<Read<Post>>, StoreError> {
        let found = self.each_post(after, limit).await?;
        found.into_iter().map(|(_, read)| Ok(read?)).collect()
    }

    /// As [`Store::posts`], but an unreadable record does not hide the others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn each_post(
        &self,
        after: PostId,
        limit: usize,
    ) -> Result<Vec<(PostId, Result<Read<Post>, RecordError>)>, StoreError> {
        let range = keys::table(b'p').after(&keys::post(after));
        let damaged = || RecordError::Damaged { family: FAMILY, reason: "its key names none".to_owned() };
        let found = self.engine.scan(range, limit).await?.into_iter().map(|(key, stamp)| {
            let id = keys::last_number(&key).map(PostId).ok_or_else(damaged)?;
            Ok((id, decode(&stamp).map(|value| Read { value, stamp })))
        });
        found.collect()
    }

    /// Up to `limit` held posts, earliest expiry first; only those that expire at or before `until`, if given.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn held_posts(&self, until: Option<Timestamp>, limit: usize) -> Result<Vec<PostId>, StoreError> {
        let found = self.engine.scan(keys::held_posts(until), limit).await?;
        let id = |(key, _): &(Key, Value)| keys::last_number(key).map(PostId);
        let damaged = || RecordError::Damaged { family: FAMILY, reason: "a held post's key names no post".to_owned() };
        found.iter().map(|one| id(one).ok_or_else(|| damaged().into())).collect()
    }

    /// Up to `limit` held posts that expire after `now`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn held_posts_after(&self, now: Timestamp, limit: usize) -> Result<Vec<PostId>, StoreError> {
        let found = self.engine.scan(keys::held_posts_after(now), limit).await?;
        Ok(found.iter().filter_map(|(key, _)| keys::last_number(key).map(PostId)).collect())
    }

    /// The earlier copy of a message to a list, recognised by `mark`, e.g. its Message-ID.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub(crate) async fn seen_message(&self, list: &ListName, mark: &[u8]) -> Result<Option<Read<Seen>>, StoreError> {
        let key = keys::seen_message(list, &content_hash(mark));
        let Some(stamp) = self.engine.get(&key).await? else { return Ok(None) };
        Ok(Some(Read { value: decode_seen(&stamp)?, stamp }))
    }

    /// Forgets messages that came before the cutoff. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`]: what was forgotten before stays forgotten.
    pub(crate) async fn forget_seen(&self, old: Cutoff) -> Result<u64, StoreError> {
        self.forget(keys::table(b'D'), |bytes| Ok(old.has(decode_seen(bytes)?.at))).await
    }
}
