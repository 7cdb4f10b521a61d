//! Letters on disk: a small record that changes, the octets beside it, an index by the time at which they are due, and
//! how often automatic replies went out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::LetterId;
use crate::model::inbound::SpoolPlace;
use crate::model::letter::{Letter, LetterBody, LetterState};
use crate::model::reply::Reply;

use super::delivery_form::{CauseV1, cause_from_disk, cause_to_disk};
use super::engine::{Batch, KeyRange, Value};
use super::pages::Query;
use super::record::{self, RecordError};
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "letter";
const VERSION: u8 = 1;

/// The name of the counter that letters' ids come from.
pub const COUNTER: &str = "letter";

/// The most octets that a letter of our own may have: a value of the store, with room to spare.
pub const LONGEST: usize = 200 * 1024;

#[derive(Serialize, Deserialize)]
struct LetterV1 {
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
    PassedOn { header: Vec<u8>, segment: u64, offset: u64, length: u32 },
}

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Waiting { due: i64, cause: Option<CauseV1> },
    InDoubt { since: i64 },
    Accepted { at: i64, code: u16, text: String },
    Failed { at: i64, cause: CauseV1 },
}

fn encode(letter: &Letter) -> Value {
    let millis = |at: &Timestamp| at.timestamp_millis();
    let form = LetterV1 {
        id: letter.id.0,
        sender: letter.sender.as_ref().map(|sender| sender.as_str().to_owned()),
        recipient: letter.recipient.as_str().to_owned(),
        body: match &letter.body {
            LetterBody::Kept => BodyV1::Kept,
            LetterBody::PassedOn { header, place } => BodyV1::PassedOn {
                header: header.clone(),
                segment: place.segment,
                offset: place.offset,
                length: place.length,
            },
        },
        about: letter.about.clone(),
        created: millis(&letter.created),
        opened: millis(&letter.opened),
        attempts: letter.attempts,
        resent: letter.resent,
        state: match &letter.state {
            LetterState::Waiting { due, cause } => {
                StateV1::Waiting { due: millis(due), cause: cause.as_ref().map(cause_to_disk) }
            }
            LetterState::InDoubt { since } => StateV1::InDoubt { since: millis(since) },
            LetterState::Accepted { at, reply } => {
                StateV1::Accepted { at: millis(at), code: reply.code, text: reply.text.clone() }
            }
            LetterState::Failed { at, cause } => StateV1::Failed { at: millis(at), cause: cause_to_disk(cause) },
        },
    };
    record::encode(VERSION, &form)
}

fn decode(stamp: Value) -> Result<Read<Letter>, RecordError> {
    let (version, rest) = record::split(FAMILY, &stamp)?;
    if version != VERSION {
        return Err(RecordError::Newer { family: FAMILY, version });
    }
    let form: LetterV1 = record::decode(FAMILY, rest)?;
    let at = |millis| record::instant(FAMILY, millis);
    let address = |text: String| {
        Address::from_stored(text).map_err(|e| RecordError::Damaged { family: FAMILY, reason: e.to_string() })
    };
    let value = Letter {
        id: LetterId(form.id),
        sender: form.sender.map(address).transpose()?,
        recipient: address(form.recipient)?,
        body: match form.body {
            BodyV1::Kept => LetterBody::Kept,
            BodyV1::PassedOn { header, segment, offset, length } => {
                LetterBody::PassedOn { header, place: SpoolPlace { segment, offset, length } }
            }
        },
        about: form.about,
        created: at(form.created)?,
        opened: at(form.opened)?,
        attempts: form.attempts,
        resent: form.resent,
        state: match form.state {
            StateV1::Waiting { due, cause } => {
                LetterState::Waiting { due: at(due)?, cause: cause.map(cause_from_disk) }
            }
            StateV1::InDoubt { since } => LetterState::InDoubt { since: at(since)? },
            StateV1::Accepted { at: when, code, text } => {
                LetterState::Accepted { at: at(when)?, reply: Reply { code, text } }
            }
            StateV1::Failed { at: when, cause } => LetterState::Failed { at: at(when)?, cause: cause_from_disk(cause) },
        },
    };
    Ok(Read { value, stamp })
}

/// Puts a new letter into `batch`; `octets` are the whole message where it is kept with the letter.
pub fn put_new(batch: &mut Batch, letter: &Letter, octets: Option<&[u8]>) {
    let key = keys::letter(letter.id);
    batch.expect_absent(key.clone());
    batch.put(key, encode(letter));
    if let Some(due) = letter.due() {
        batch.put(keys::letter_due(due, letter.id), [].as_slice());
    }
    if let Some(octets) = octets {
        batch.put(keys::letter_body(letter.id), octets);
    }
}

/// Puts `after` over what was read, and moves it in the index; gives its new stamp. What was taken needs its octets no
/// more: they may hold tokens.
pub fn put_over(batch: &mut Batch, before: &Read<Letter>, after: &Letter) -> Value {
    let key = keys::letter(after.id);
    let stamp = encode(after);
    batch.expect(key.clone(), before.stamp.clone());
    batch.put(key, stamp.clone());
    if before.value.due() != after.due() {
        if let Some(due) = before.value.due() {
            batch.delete(keys::letter_due(due, after.id));
        }
        if let Some(due) = after.due() {
            batch.put(keys::letter_due(due, after.id), [].as_slice());
        }
    }
    if matches!(after.state, LetterState::Accepted { .. }) && after.body == LetterBody::Kept {
        batch.delete(keys::letter_body(after.id));
    }
    stamp
}

/// Removes a letter with all that belongs to it, provided it is still as read.
pub fn delete(batch: &mut Batch, read: &Read<Letter>) {
    let id = read.value.id;
    batch.expect(keys::letter(id), read.stamp.clone());
    batch.delete(keys::letter(id));
    batch.delete(keys::letter_body(id));
    if let Some(due) = read.value.due() {
        batch.delete(keys::letter_due(due, id));
    }
}

/// The letters to be sent that are due later than `now`, the earliest first, with when.
pub fn due_after(now: Timestamp) -> Query<(Timestamp, LetterId)> {
    due_rows(keys::letters_due_after(now))
}

fn due_rows(range: KeyRange) -> Query<(Timestamp, LetterId)> {
    Query::new(range, |key, _| {
        let damaged =
            || RecordError::Damaged { family: FAMILY, reason: "the key of its due time names none".to_owned() };
        Ok(keys::letter_of_due(key).ok_or_else(damaged)?)
    })
}

impl Store {
    /// One letter.
    ///
    /// # Errors
    /// [`StoreError`]: not to be read as "there is none".
    pub async fn letter(&self, id: LetterId) -> Result<Option<Read<Letter>>, StoreError> {
        let found = self.engine.get(&keys::letter(id)).await?;
        Ok(found.map(decode).transpose()?)
    }

    /// The octets of a letter that is kept whole; `None` once it was taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn letter_octets(&self, id: LetterId) -> Result<Option<Value>, StoreError> {
        Ok(self.engine.get(&keys::letter_body(id)).await?)
    }

    /// Letters, the newest first: `limit` of those older than `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn letters(&self, before: Option<LetterId>, limit: usize) -> Result<Vec<Read<Letter>>, StoreError> {
        let found = self.each_letter(before, limit).await?;
        found.into_iter().map(|(_, read)| Ok(read?)).collect()
    }

    /// As [`Store::letters`], but a record that cannot be read does not hide the others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn each_letter(
        &self,
        before: Option<LetterId>,
        limit: usize,
    ) -> Result<Vec<(LetterId, Result<Read<Letter>, RecordError>)>, StoreError> {
        let mut range = keys::table(b'n');
        if let Some(before) = before {
            range = range.after(&keys::letter(before));
        }
        let damaged = || RecordError::Damaged { family: FAMILY, reason: "its key names none".to_owned() };
        let found = self.engine.scan(range, limit).await?.into_iter().map(|(key, stamp)| {
            // The newest are first: their keys count down.
            let id = keys::last_number(&key).map(|number| LetterId(u64::MAX - number)).ok_or_else(damaged)?;
            Ok((id, decode(stamp)))
        });
        found.collect()
    }

    /// The letters to be sent at `until` or before, in order of when they are due: `limit` of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn letters_due(&self, until: Timestamp, limit: usize) -> Result<Vec<LetterId>, StoreError> {
        let found = self.engine.scan(keys::letters_due_until(until), limit).await?;
        Ok(found.iter().filter_map(|(key, _)| keys::letter_of_due(key)).map(|(_, id)| id).collect())
    }

    /// Letters to be sent that are due later than `now`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn letters_later(&self, now: Timestamp, limit: usize) -> Result<Vec<LetterId>, StoreError> {
        let found = self.engine.scan(keys::letters_due_after(now), limit).await?;
        Ok(found.iter().filter_map(|(key, _)| keys::letter_of_due(key)).map(|(_, id)| id).collect())
    }

    /// When the first letter after `now` is due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_letter_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let found = self.engine.scan(keys::letters_due_after(now), 1).await?;
        Ok(found.first().and_then(|(key, _)| keys::letter_of_due(key)).map(|(at, _)| at))
    }

    /// When the letter is or was due that is due first of all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_letter_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let found = self.engine.scan(keys::table(b'N'), 1).await?;
        Ok(found.first().and_then(|(key, _)| keys::letter_of_due(key)).map(|(at, _)| at))
    }

    /// How many letters are still to be sent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn letters_open(&self) -> Result<u64, StoreError> {
        self.count_rows(keys::table(b'N')).await
    }

    /// The segments of the spool that letters still to be sent need.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "none".
    pub async fn segments_of_letters(&self) -> Result<BTreeSet<u64>, StoreError> {
        let (mut open, mut segments) = (self.pages(due_rows(keys::table(b'N'))), BTreeSet::new());
        while let Some((_, id)) = open.next().await? {
            if let Some(read) = self.letter(id).await?
                && let LetterBody::PassedOn { place, .. } = read.value.body
            {
                segments.insert(place.segment);
            }
        }
        Ok(segments)
    }

    /// How often what `hash` stands for was done on `day` (days since 1970), with what was read.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "not yet".
    pub async fn replies_on(&self, day: u32, hash: &[u8; 32]) -> Result<(u32, Option<Value>), StoreError> {
        let stamp = self.engine.get(&keys::reply_count(day, hash)).await?;
        let Some(octets) = &stamp else { return Ok((0, None)) };
        let count = match record::split("reply count", octets)? {
            (1, rest) => record::decode("reply count", rest)?,
            (version, _) => return Err(RecordError::Newer { family: "reply count", version }.into()),
        };
        Ok((count, stamp))
    }

    /// Forgets the counts of days before `day`, a page at a time; gives how many.
    ///
    /// # Errors
    /// [`StoreError`]: what was forgotten before stays so.
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

/// Sets in `batch` how often what `hash` stands for was done on `day`, provided it is as read.
pub fn put_replies(batch: &mut Batch, day: u32, hash: &[u8; 32], before: Option<Value>, count: u32) {
    let key = keys::reply_count(day, hash);
    batch.expect_read(key.clone(), before);
    batch.put(key, record::encode(1, &count));
}
