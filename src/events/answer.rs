//! An answer to an invitation: the single rule for what it counts as, whatever the channel. The caller provides the
//! respondent, the answer and its proof; it gets back the record.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ReleaseId, SubscriberId};
use crate::base::token::Key;
use crate::composition::event::{Announced, announced};
use crate::composition::release::LoadedRelease;
use crate::model::rsvp::{Detail, Rsvp, RsvpAnswer, RsvpChange, RsvpPerson, RsvpSource};
use crate::store::decided::Decided;
use crate::store::engine::Batch;
use crate::store::rsvps;
use crate::store::{Read, Store, StoreError};

use super::{RsvpError, deadline, event_of};

/// What proves that the answer comes from the stated address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The person's own channel: a signed token, or a mail from their own address.
    Own,
    /// The person's own channel, but only the event's UID identifies the event. A UID may be guessed.
    OwnByUid,
    /// Entered by an operator on the person's behalf.
    Stated,
    /// No proof.
    Unproven,
}

/// An answer to record.
#[derive(Clone, Debug)]
pub struct Answering {
    /// The release that is answered.
    pub release: ReleaseId,
    /// The respondent.
    pub address: Address,
    /// The proof of the sender.
    pub proof: Proof,
    /// Who reported the answer, and by which channel.
    pub by: RsvpSource,
    /// The answer itself.
    pub answer: RsvpAnswer,
    /// The details that they state about themselves.
    pub person: RsvpPerson,
    /// The person's comment.
    pub comment: String,
    /// Why the answer is unclear; empty if it is clear.
    pub why: String,
    /// When the answer came.
    pub at: Timestamp,
}

/// A recorded answer.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// All answers of the address to the event, as written.
    pub rsvp: Rsvp,
    /// The release that was answered.
    pub loaded: LoadedRelease,
    /// The first and the newest release about the event.
    pub told: Announced,
    /// Why it does not count until the press contact has checked it; `None` if it counts. Its sender may be forged.
    pub doubted: Option<&'static str>,
}

/// Records an answer. An answer that may be forged counts as unclear, so that the press contact decides.
///
/// # Errors
/// [`RsvpError`].
pub async fn answer_invitation(
    store: &Store,
    key: &Key,
    answering: &Answering,
) -> Result<Decided<Recorded>, RsvpError> {
    let (event, loaded) = event_of(store, answering.release).await?;
    // The newest release decides whether and when the event takes place, whichever one was answered.
    let told = announced(store, answering.release).await?;
    let told = told.unwrap_or_else(|| Announced { first: loaded.clone(), newest: loaded.clone() });
    let doubted = match answering.proof {
        Proof::Own | Proof::Stated => None,
        Proof::OwnByUid if is_known(store, key, event, &answering.address).await? => None,
        Proof::OwnByUid => Some("only its calendar part says which event, and its sender is not known"),
        Proof::Unproven => Some("it was sent by another address than it says it is from"),
    };
    let mut person = answering.person.clone();
    if answering.proof == Proof::Unproven {
        // Details in a possibly forged answer must not replace those the person gave.
        person = without_given(person);
    }
    let deadline = told.newest.release.event.as_ref().and_then(deadline);
    // A clock that may be ahead must not make an answer late.
    let earliest = store.present(answering.at).await?.earliest();
    let change = RsvpChange {
        at: answering.at,
        answer: if doubted.is_some() { RsvpAnswer::Unclear } else { answering.answer },
        source: answering.by.clone(),
        release: answering.release,
        comment: answering.comment.clone(),
        why: doubted.map_or_else(|| answering.why.clone(), str::to_owned),
        late: deadline.is_some_and(|deadline| earliest >= deadline),
    };
    let mut batch = Batch::new();
    let rsvp = put(store, key, &mut batch, event, &answering.address, (person, change)).await?;
    Ok(Decided { outcome: Recorded { rsvp, loaded, told, doubted }, batch })
}

/// Records an answer that an operator enters.
///
/// # Errors
/// [`RsvpError`]: nothing was changed.
pub async fn set(
    store: &Store,
    key: &Key,
    release: ReleaseId,
    address: &Address,
    answer: RsvpAnswer,
    (at, who, comment): (Timestamp, &str, &str),
) -> Result<Rsvp, RsvpError> {
    let answering = Answering {
        release,
        address: address.clone(),
        proof: Proof::Stated,
        by: RsvpSource::Operator { who: who.to_owned() },
        answer,
        person: RsvpPerson::default(),
        comment: comment.trim().to_owned(),
        why: String::new(),
        at,
    };
    let answered = store.carry_out(|| answer_invitation(store, key, &answering));
    answered.await.map(|answered: Recorded| answered.rsvp)
}

/// Whether an address belongs to a subscriber, or has answered to the event before.
async fn is_known(store: &Store, key: &Key, event: ReleaseId, address: &Address) -> Result<bool, StoreError> {
    let answered = store.rsvp(event, &key.hash_address(address)).await?;
    let has_answered = answered.is_some_and(|read| read.value.answer() != RsvpAnswer::Unclear);
    Ok(has_answered || store.subscriber_by_address(address).await?.is_some())
}

fn without_given(person: RsvpPerson) -> RsvpPerson {
    let known = |detail: Option<Detail>| detail.filter(|detail| !detail.given);
    RsvpPerson {
        name: known(person.name),
        newsroom: known(person.newsroom),
        function: known(person.function),
        press_card: known(person.press_card),
        people: None,
    }
}

/// Writes the answer into `batch`, with the records read as its precondition, and returns the resulting record. Details
/// that a subscriber did not give are filled in from their record.
async fn put(
    store: &Store,
    key: &Key,
    batch: &mut Batch,
    event: ReleaseId,
    address: &Address,
    (mut person, change): (RsvpPerson, RsvpChange),
) -> Result<Rsvp, StoreError> {
    let hash = key.hash_address(address);
    let subscriber = store.subscriber_by_address(address).await?.map(|read| read.value);
    let known = |text: &Option<String>| text.clone().map(|text| Detail { text, given: false });
    if let Some(subscriber) = &subscriber {
        let weaker = |now: Option<Detail>, known: Option<Detail>| match now {
            Some(now) if now.given => Some(now),
            now => known.or(now),
        };
        person.name = weaker(person.name, known(&subscriber.name));
        person.newsroom = weaker(person.newsroom, known(&subscriber.organisation));
    }
    let subscriber: Option<SubscriberId> = subscriber.map(|subscriber| subscriber.id);
    let before: Option<Read<Rsvp>> = store.rsvp(event, &hash).await?;
    let (stamp, rsvp) = match before {
        None => (None, Rsvp::new(event, address.clone(), subscriber, person, change)),
        Some(Read { mut value, stamp }) => {
            value.add(subscriber, person, change);
            (Some(stamp), value)
        }
    };
    rsvps::put(batch, &hash, stamp, &rsvp);
    Ok(rsvp)
}
