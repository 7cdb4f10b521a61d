//! Bounces on disk, one record for each delivery that bounced, and the bounce score of each subscriber.
//!
//! A bounce is found by its mailing and, through an index, by its subscriber. It is kept as long as its ledger; the
//! mail that carried it lies in the spool and is dropped when the spool's retention ends. The score sums up a
//! subscriber's bounces; a new address resets it in the commit that changes the address (see [`super::subscribers`]).

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{InboundId, MailingId, NoticeId, SubscriberId};
use crate::model::bounce::{Bounce, BounceEffect, BounceSource, Hit, Probe, Score, Suspension, Verdict};
use crate::model::classify::Class;

use super::engine::{Batch, Key, KeyRange, Value};
use super::pages::Query;
use super::record::{self, RecordError, stored_enum};
use super::{Read, Store, StoreError, keys};

const BOUNCE: &str = "bounce";
const SCORE: &str = "score";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct BounceV1 {
    at: i64,
    verdict: VerdictV1,
    class: ClassV1,
    status: Option<String>,
    evidence: String,
    /// The mail that carried it; `None` for a refusal in the SMTP session.
    inbound: Option<u64>,
    effect: EffectV1,
    reports: u32,
}

stored_enum!(VerdictV1 is Verdict { None, Temporary, Permanent, Complaint, Delayed });

stored_enum!(ClassV1 is Class { Address, Mailbox, Content, Policy, Network, Other, Complaint, AutoReply, Notice });

stored_enum!(EffectV1 is BounceEffect { Nothing, Scored, Suspended, FormerAddress, Ended });

#[derive(Serialize, Deserialize)]
struct ScoreV1 {
    address_since: Option<i64>,
    hits: Vec<(u64, i64)>,
    weighed: Option<i64>,
    suspension: Option<SuspensionV1>,
}

#[derive(Serialize, Deserialize)]
struct SuspensionV1 {
    at: i64,
    evidence: String,
    reported: bool,
    probes: u32,
    probe: Option<ProbeV1>,
}

#[derive(Serialize, Deserialize)]
struct ProbeV1 {
    notice: u64,
    at: i64,
    failed: bool,
}

/// Writes the bounce of a delivery, if the stored value still equals `before`.
pub fn put_bounce(batch: &mut Batch, before: Option<Value>, bounce: &Bounce) {
    let key = keys::bounce(bounce.mailing, bounce.subscriber);
    if before.is_none() {
        batch.put(keys::bounce_of(bounce.subscriber, bounce.mailing), Vec::new());
    }
    batch.expect_read(key.clone(), before);
    batch.put(key, encode_bounce(bounce));
}

/// Removes the index row from a subscriber to a bounce when the subscriber is erased. The bounce itself stays with its
/// mailing's ledger, under a number that no longer identifies a person.
pub(crate) fn delete_way(batch: &mut Batch, subscriber: SubscriberId, mailing: MailingId) {
    batch.delete(keys::bounce_of(subscriber, mailing));
}

/// Writes a subscriber's score, if it still equals `before`.
pub fn put_score(batch: &mut Batch, subscriber: SubscriberId, before: Option<Value>, score: &Score) {
    let key = keys::score(subscriber);
    batch.expect_read(key.clone(), before);
    match *score == Score::default() {
        true => batch.delete(key),
        false => batch.put(key, encode_score(score)),
    }
}

/// Resets the score in the commit that gives a subscriber another address. Any other writer that has read the score
/// then conflicts.
pub(super) fn put_new_address(batch: &mut Batch, subscriber: SubscriberId, at: Timestamp) {
    batch.put(keys::score(subscriber), encode_score(&Score::of_new_address(at)));
}

/// Requires in `batch` that a subscriber's score is unchanged since it was read; `None`: that there is no score.
pub(crate) fn expect_score(batch: &mut Batch, subscriber: SubscriberId, stamp: Option<Value>) {
    batch.expect_read(keys::score(subscriber), stamp);
}

/// Removes a subscriber's score together with the subscriber.
pub(super) fn delete_score(batch: &mut Batch, subscriber: SubscriberId) {
    batch.delete(keys::score(subscriber));
}

impl Store {
    /// The bounce of one delivery.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "nothing".
    pub async fn bounce(
        &self,
        mailing: MailingId,
        subscriber: SubscriberId,
    ) -> Result<Option<Read<Bounce>>, StoreError> {
        let Some(stamp) = self.engine.get(&keys::bounce(mailing, subscriber)).await? else { return Ok(None) };
        Ok(Some(Read { value: decode_bounce(mailing, subscriber, &stamp)?, stamp }))
    }

    /// Up to `limit` bounces of a mailing for subscribers after `after` (`SubscriberId(0)`: from the first), in order
    /// of subscriber.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bounces_of_mailing(
        &self,
        mailing: MailingId,
        after: SubscriberId,
        limit: usize,
    ) -> Result<Vec<Bounce>, StoreError> {
        let range = keys::bounces(mailing).after(&keys::bounce(mailing, after));
        let found = self.engine.scan(range, limit).await?;
        found.iter().map(|(key, stamp)| Ok(decode_bounce(mailing, SubscriberId(last_id(key)?), stamp)?)).collect()
    }

    /// The bounces of a mailing for subscribers `first` to `last`, in order of subscriber.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bounces_between(
        &self,
        mailing: MailingId,
        first: SubscriberId,
        last: SubscriberId,
    ) -> Result<Vec<Bounce>, StoreError> {
        let after = SubscriberId(last.0.saturating_add(1));
        let range = KeyRange::new(keys::bounce(mailing, first), Some(keys::bounce(mailing, after)));
        let mut pages = self.pages(Query::new(range, |key, stamp| {
            let mailing = key.0.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
            let mailing = mailing.ok_or_else(|| too_short(key))?;
            Ok(decode_bounce(MailingId(mailing), SubscriberId(last_id(key)?), &stamp)?)
        }));
        let mut bounces = Vec::new();
        while let Some(bounce) = pages.next().await? {
            bounces.push(bounce);
        }
        Ok(bounces)
    }

    /// All bounces of a subscriber, oldest mailing first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bounces_of(&self, subscriber: SubscriberId) -> Result<Vec<Read<Bounce>>, StoreError> {
        let mut bounces = Vec::new();
        let mut mailings = self.pages(Query::new(keys::bounces_of(subscriber), |key, _| Ok(MailingId(last_id(key)?))));
        while let Some(mailing) = mailings.next().await? {
            bounces.extend(self.bounce(mailing, subscriber).await?);
        }
        Ok(bounces)
    }

    /// A subscriber's bounce score; `None` if nothing ever bounced.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "nothing".
    pub async fn score(&self, subscriber: SubscriberId) -> Result<Option<Read<Score>>, StoreError> {
        let Some(stamp) = self.engine.get(&keys::score(subscriber)).await? else { return Ok(None) };
        Ok(Some(Read { value: decode_score(&stamp)?, stamp }))
    }

    /// Up to `limit` scores of subscribers after `after` (`SubscriberId(0)`: from the first), in order of subscriber.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn scan_scores(
        &self,
        after: SubscriberId,
        limit: usize,
    ) -> Result<Vec<(SubscriberId, Read<Score>)>, StoreError> {
        let range = keys::table(b'v').after(&keys::score(after));
        let found = self.engine.scan(range, limit).await?;
        let read = |(key, stamp): (Key, Value)| {
            let score = Read { value: decode_score(&stamp)?, stamp };
            Ok((SubscriberId(last_id(&key)?), score))
        };
        found.into_iter().map(read).collect()
    }
}

fn last_id(key: &Key) -> Result<u64, RecordError> {
    key.0.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(|| too_short(key))
}

fn too_short(key: &Key) -> RecordError {
    RecordError::Damaged { family: BOUNCE, reason: format!("the key {key:?} is too short") }
}

fn encode_bounce(bounce: &Bounce) -> Value {
    let form = BounceV1 {
        at: bounce.at.timestamp_millis(),
        verdict: bounce.verdict.into(),
        class: bounce.class.into(),
        status: bounce.status.clone(),
        evidence: bounce.evidence.clone(),
        inbound: match bounce.source {
            BounceSource::Session => None,
            BounceSource::Mail(id) => Some(id.0),
        },
        effect: bounce.effect.into(),
        reports: bounce.reports,
    };
    record::encode(VERSION, &form)
}

fn decode_bounce(mailing: MailingId, subscriber: SubscriberId, bytes: &[u8]) -> Result<Bounce, RecordError> {
    let form: BounceV1 = versioned(BOUNCE, bytes)?;
    Ok(Bounce {
        mailing,
        subscriber,
        at: record::instant(BOUNCE, form.at)?,
        verdict: form.verdict.into(),
        class: form.class.into(),
        status: form.status,
        evidence: form.evidence,
        source: form.inbound.map_or(BounceSource::Session, |id| BounceSource::Mail(InboundId(id))),
        effect: form.effect.into(),
        reports: form.reports,
    })
}

fn encode_score(score: &Score) -> Value {
    let form = ScoreV1 {
        address_since: score.address_since.map(|at| at.timestamp_millis()),
        hits: score.hits.iter().map(|hit| (hit.mailing.0, hit.at.timestamp_millis())).collect(),
        weighed: score.weighed.map(|at| at.timestamp_millis()),
        suspension: score.suspension.as_ref().map(|suspension| SuspensionV1 {
            at: suspension.at.timestamp_millis(),
            evidence: suspension.evidence.clone(),
            reported: suspension.reported,
            probes: suspension.probes,
            probe: suspension.probe.map(|probe| ProbeV1 {
                notice: probe.notice.0,
                at: probe.at.timestamp_millis(),
                failed: probe.failed,
            }),
        }),
    };
    record::encode(VERSION, &form)
}

fn decode_score(bytes: &[u8]) -> Result<Score, RecordError> {
    let form: ScoreV1 = versioned(SCORE, bytes)?;
    let instant = |millis: i64| record::instant(SCORE, millis);
    let hit = |(mailing, at): (u64, i64)| Ok(Hit { mailing: MailingId(mailing), at: instant(at)? });
    let probe = |probe: ProbeV1| {
        Ok::<_, RecordError>(Probe { notice: NoticeId(probe.notice), at: instant(probe.at)?, failed: probe.failed })
    };
    let suspension = |form: SuspensionV1| {
        Ok::<_, RecordError>(Suspension {
            at: instant(form.at)?,
            evidence: form.evidence,
            reported: form.reported,
            probes: form.probes,
            probe: form.probe.map(probe).transpose()?,
        })
    };
    Ok(Score {
        address_since: form.address_since.map(instant).transpose()?,
        hits: form.hits.into_iter().map(hit).collect::<Result<_, RecordError>>()?,
        weighed: form.weighed.map(instant).transpose()?,
        suspension: form.suspension.map(suspension).transpose()?,
    })
}

fn versioned<T: serde::de::DeserializeOwned>(family: &'static str, bytes: &[u8]) -> Result<T, RecordError> {
    match record::split(family, bytes)? {
        (VERSION, rest) => record::decode(family, rest),
        (version, _) => Err(RecordError::Newer { family, version }),
    }
}
