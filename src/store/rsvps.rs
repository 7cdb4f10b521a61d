//! Answers to invitations on disk, one record for each event and address, and the index rows by which a mail finds the
//! invitation that it answers: by the address that it was sent to, or by the event's UID.
//!
//! Table `j` holds, for each invitation, its RSVP address, its UID's hash and its event, each under its own key,
//! written in the commit that adds the release; `J` holds the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::id::{InboundId, ReleaseId, SubscriberId};
use crate::base::peer::Network;
use crate::base::token::content_hash;
use crate::model::rsvp::{Detail, Rsvp, RsvpAnswer, RsvpChange, RsvpPerson, RsvpSource};

use super::engine::{Batch, Key, Value};
use super::pages::Query;
use super::record::{self, RecordError, stored_enum};
use super::suppressions::AddressHash;
use super::{Read, Store, StoreError, keys};

const FAMILY: &str = "rsvp";
/// Version 2 only adds sources, so one form reads both versions.
const VERSION: u8 = 2;
/// Invitations read for one address or UID: far more than any press office has open.
const MOST_INVITATIONS: usize = 1000;
/// Answers read at once.
const STEP: usize = 500;

/// The invitation in a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The address that answers go to.
    pub to: Option<Address>,
    /// The UID that the author gave the event.
    pub uid: Option<String>,
    /// The release that it updates, corrects, replaces or withdraws.
    pub follows: Option<ReleaseId>,
}

#[derive(Serialize, Deserialize)]
struct RsvpV1 {
    address: String,
    subscriber: Option<u64>,
    name: Option<(String, bool)>,
    newsroom: Option<(String, bool)>,
    function: Option<(String, bool)>,
    press_card: Option<(String, bool)>,
    people: Option<u32>,
    changes: Vec<ChangeV1>,
}

#[derive(Serialize, Deserialize)]
struct ChangeV1 {
    at: i64,
    answer: AnswerV1,
    source: SourceV1,
    release: u64,
    comment: String,
    why: String,
    late: bool,
}

stored_enum!(AnswerV1 is RsvpAnswer { Yes, No, Maybe, Unclear });

#[derive(Serialize, Deserialize)]
enum SourceV1 {
    Calendar(u64),
    Words(u64),
    Operator(String),
    /// Since version 2: the first address of its network.
    Web(IpAddr),
    /// Since version 2.
    Api(String),
}

fn encode(rsvp: &Rsvp) -> Value {
    let detail = |detail: &Option<Detail>| detail.as_ref().map(|detail| (detail.text.clone(), detail.given));
    let person = &rsvp.person;
    let form = RsvpV1 {
        address: rsvp.address.as_str().to_owned(),
        subscriber: rsvp.subscriber.map(|id| id.0),
        name: detail(&person.name),
        newsroom: detail(&person.newsroom),
        function: detail(&person.function),
        press_card: detail(&person.press_card),
        people: person.people,
        changes: rsvp.changes.iter().map(change_form).collect(),
    };
    record::encode(VERSION, &form)
}

fn change_form(change: &RsvpChange) -> ChangeV1 {
    ChangeV1 {
        at: change.at.timestamp_millis(),
        answer: change.answer.into(),
        source: match &change.source {
            RsvpSource::Calendar { inbound } => SourceV1::Calendar(inbound.0),
            RsvpSource::Words { inbound } => SourceV1::Words(inbound.0),
            RsvpSource::Operator { who } => SourceV1::Operator(who.clone()),
            RsvpSource::Web { network } => SourceV1::Web(network.first()),
            RsvpSource::Api { client } => SourceV1::Api(client.clone()),
        },
        release: change.release.0,
        comment: change.comment.clone(),
        why: change.why.clone(),
        late: change.late,
    }
}

fn damaged(reason: impl ToString) -> RecordError {
    RecordError::Damaged { family: FAMILY, reason: reason.to_string() }
}

fn decode(event: ReleaseId, bytes: &Value) -> Result<Read<Rsvp>, StoreError> {
    let (version, rest) = record::split(FAMILY, bytes)?;
    if !(1..=VERSION).contains(&version) {
        return Err(RecordError::Newer { family: FAMILY, version }.into());
    }
    let form: RsvpV1 = record::decode(FAMILY, rest)?;
    let detail = |detail: Option<(String, bool)>| detail.map(|(text, given)| Detail { text, given });
    let person = RsvpPerson {
        name: detail(form.name),
        newsroom: detail(form.newsroom),
        function: detail(form.function),
        press_card: detail(form.press_card),
        people: form.people,
    };
    let changes = form.changes.into_iter().map(|change| {
        Ok(RsvpChange {
            at: record::instant(FAMILY, change.at)?,
            answer: change.answer.into(),
            source: match change.source {
                SourceV1::Calendar(id) => RsvpSource::Calendar { inbound: InboundId(id) },
                SourceV1::Words(id) => RsvpSource::Words { inbound: InboundId(id) },
                SourceV1::Operator(who) => RsvpSource::Operator { who },
                SourceV1::Web(network) => RsvpSource::Web { network: Network::of(network) },
                SourceV1::Api(client) => RsvpSource::Api { client },
            },
            release: ReleaseId(change.release),
            comment: change.comment,
            why: change.why,
            late: change.late,
        })
    });
    let rsvp = Rsvp {
        event,
        address: Address::from_stored(form.address).map_err(damaged)?,
        subscriber: form.subscriber.map(SubscriberId),
        person,
        changes: changes.collect::<Result<_, RecordError>>()?,
    };
    Ok(Read { value: rsvp, stamp: bytes.clone() })
}

/// Writes an answer under the keyed hash of its address, if the stored value still equals `before`.
pub fn put(batch: &mut Batch, hash: &AddressHash, before: Option<Value>, rsvp: &Rsvp) {
    let key = keys::rsvp(rsvp.event, hash);
    batch.expect_read(key.clone(), before);
    batch.put(key, encode(rsvp));
}

/// Deletes an answer, if it is unchanged since it was read.
pub(crate) fn delete(batch: &mut Batch, hash: &AddressHash, rsvp: &Read<Rsvp>) {
    let key = keys::rsvp(rsvp.value.event, hash);
    batch.expect(key.clone(), rsvp.stamp.clone());
    batch.delete(key);
}

/// Writes the index rows of an invitation to `event`.
fn put_invitation(batch: &mut Batch, release: ReleaseId, event: ReleaseId, invitation: &Invitation) {
    if let Some(to) = &invitation.to {
        batch.put(keys::invitation_at(to, release), Vec::new());
    }
    if let Some(uid) = &invitation.uid {
        batch.put(keys::invitation_of(&content_hash(uid.as_bytes()), release), Vec::new());
    }
    batch.put(keys::event_of(release), event.0.to_be_bytes().to_vec());
}

fn last_id(key: &Key) -> Result<ReleaseId, RecordError> {
    let last = key.0.len().checked_sub(8).and_then(|from| key.0.get(from..));
    let id: [u8; 8] = last.unwrap_or_default().try_into().map_err(|_| damaged("its key names no release"))?;
    Ok(ReleaseId(u64::from_be_bytes(id)))
}

impl Store {
    /// Adds the index rows of an invitation to `batch`. Its event is that of the release it follows, otherwise of the
    /// first release with its UID, otherwise a new one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn put_invitation(
        &self,
        batch: &mut Batch,
        release: ReleaseId,
        invitation: &Invitation,
    ) -> Result<(), StoreError> {
        let same_uid = match &invitation.uid {
            Some(uid) => self.invitations_of(uid).await?.into_iter().find(|other| *other < release),
            None => None,
        };
        let before = same_uid.or(invitation.follows.filter(|before| *before < release));
        let event = match before {
            Some(before) => self.event_of(before).await?.unwrap_or(before),
            None => release,
        };
        put_invitation(batch, release, event, invitation);
        Ok(())
    }

    /// The releases whose RSVP address this is, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "none".
    pub(crate) async fn invitations_at(&self, address: &Address) -> Result<Vec<ReleaseId>, StoreError> {
        let found = self.engine.scan(keys::invitations_at(address), MOST_INVITATIONS).await?;
        found.iter().map(|(key, _)| Ok(last_id(key)?)).collect()
    }

    /// The releases whose author gave the event this UID, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn invitations_of(&self, uid: &str) -> Result<Vec<ReleaseId>, StoreError> {
        let range = keys::invitations_of(&content_hash(uid.as_bytes()));
        let found = self.engine.scan(range, MOST_INVITATIONS).await?;
        found.iter().map(|(key, _)| Ok(last_id(key)?)).collect()
    }

    /// The release that first announced the event of this one; `None` if it has no event.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn event_of(&self, release: ReleaseId) -> Result<Option<ReleaseId>, StoreError> {
        let found = self.engine.get(&keys::event_of(release)).await?;
        Ok(found.map(|bytes| record::decode_counter(&bytes)).transpose()?.map(ReleaseId))
    }

    /// The releases about each of these events, oldest first. Goes once through the rows of all invitations, in pages: 17
    /// bytes each.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "none".
    pub(crate) async fn releases_about(
        &self,
        events: &BTreeSet<ReleaseId>,
    ) -> Result<BTreeMap<ReleaseId, Vec<ReleaseId>>, StoreError> {
        let mut rows = self.pages(Query::new(keys::events(), |key, bytes| {
            Ok((ReleaseId(record::decode_counter(&bytes)?), last_id(key)?))
        }));
        let mut releases = BTreeMap::<ReleaseId, Vec<ReleaseId>>::new();
        while let Some((of, release)) = rows.next().await? {
            if events.contains(&of) {
                releases.entry(of).or_default().push(release);
            }
        }
        Ok(releases)
    }

    /// The answer to an event from the address with this keyed hash.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "nothing".
    pub(crate) async fn rsvp(&self, event: ReleaseId, hash: &AddressHash) -> Result<Option<Read<Rsvp>>, StoreError> {
        let found = self.engine.get(&keys::rsvp(event, hash)).await?;
        found.map(|bytes| decode(event, &bytes)).transpose()
    }

    /// Up to `most` answers to an event, in no particular order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn rsvps(&self, event: ReleaseId, most: usize) -> Result<Vec<Rsvp>, StoreError> {
        let found = self.engine.scan(keys::rsvps(event), most).await?;
        found.iter().map(|(_, bytes)| Ok(decode(event, bytes)?.value)).collect()
    }

    /// Up to `limit` answers to any event after `cursor`, each with the keyed hash of its address; and where to
    /// continue.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn scan_rsvps(
        &self,
        cursor: Option<Key>,
        limit: usize,
    ) -> Result<(Vec<(AddressHash, Read<Rsvp>)>, Option<Key>), StoreError> {
        let mut range = keys::table(b'J');
        if let Some(cursor) = &cursor {
            range = range.after(cursor);
        }
        let found = self.engine.scan(range, limit).await?;
        let next = found.last().filter(|_| found.len() == limit).map(|(key, _)| key.clone());
        let read = |(key, bytes): &(Key, Value)| {
            let (event, of) = keys::rsvp_fields(key).ok_or_else(|| damaged("its key names no answer"))?;
            Ok((of, decode(event, bytes)?))
        };
        Ok((found.iter().map(read).collect::<Result<_, StoreError>>()?, next))
    }

    /// All answers of one person to any event, by the keyed hash of their address or their number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn rsvps_of(
        &self,
        hash: &AddressHash,
        subscriber: Option<SubscriberId>,
    ) -> Result<Vec<(AddressHash, Read<Rsvp>)>, StoreError> {
        let (mut range, mut own) = (keys::table(b'J'), Vec::new());
        loop {
            let step = self.engine.scan(range.clone(), STEP).await?;
            for (key, bytes) in &step {
                let (event, of) = keys::rsvp_fields(key).ok_or_else(|| damaged("its key names no answer"))?;
                let rsvp = decode(event, bytes)?;
                if of == *hash || (subscriber.is_some() && rsvp.value.subscriber == subscriber) {
                    own.push((of, rsvp));
                }
            }
            match step.last() {
                Some((last, _)) if step.len() == STEP => range = range.after(last),
                _ => return Ok(own),
            }
        }
    }
}
