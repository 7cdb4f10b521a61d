//! Answers to invitations: which invitation a mail answers ([`find`]), what an answer counts as ([`answer`]), who
//! attends an event ([`overview`]).

use chrono::{Duration, NaiveDate};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::composition::enclosures::first_release;
use crate::composition::release::{LoadError, LoadedRelease, load, read_record};
use crate::model::mailing::Mailing;
use crate::model::release::{Event, Release};
use crate::store::engine::{Batch, Commit};
use crate::store::rsvps::Invitation;
use crate::store::{Store, StoreError, mailings};

pub mod answer;
pub mod export;
pub(crate) mod find;
pub mod overview;

/// Releases read per query.
const STEP: usize = 200;
/// Name of the upgrade that adds older invitations to the index.
const INDEXED: &str = "invitations";

/// Why an operation on an answer failed.
#[derive(Debug, thiserror::Error)]
pub enum RsvpError {
    /// No release has this id.
    #[error("there is no release {0}")]
    NoRelease(ReleaseId),
    /// The release announces no event.
    #[error("release {0} has no invitation: it has no [event]")]
    NoEvent(ReleaseId),
    /// The release's text can no longer be read, or the store failed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The invitation of a release; `None` if it has no event.
pub fn invitation(release: &Release) -> Option<Invitation> {
    let event = release.event.as_ref()?;
    let to = event.rsvp.as_ref().map(|rsvp| rsvp.to.clone());
    Some(Invitation { to, uid: event.uid.clone(), follows: first_release(release) })
}

/// The releases that ask for answers to this address. Mail to it is accepted.
///
/// # Errors
/// [`StoreError`], never to be treated as "none".
pub async fn is_rsvp_address(store: &Store, address: &Address) -> Result<Vec<ReleaseId>, StoreError> {
    store.invitations_at(address).await
}

/// Adds the invitations that were stored before the index existed, once. Run it before mail is accepted. A release that
/// can no longer be read is left out, since it cannot be answered.
///
/// # Errors
/// [`StoreError`]: run it again.
pub async fn index_invitations(store: &Store) -> Result<usize, StoreError> {
    if store.is_upgraded(INDEXED).await? {
        return Ok(0);
    }
    let (mut after, mut count) = (ReleaseId(0), 0);
    loop {
        let step = store.releases(after, STEP).await?;
        let Some(last) = step.last() else { break };
        after = last.id;
        for record in &step {
            // One commit each, in order of id, so that a release that follows another finds its event.
            let Some(invitation) = read_record(record).ok().as_ref().and_then(invitation) else { continue };
            let mut batch = Batch::new();
            store.put_invitation(&mut batch, record.id, &invitation).await?;
            if store.commit(batch).await? == Commit::Applied {
                count += 1;
            }
        }
    }
    store.note_upgraded(INDEXED).await?;
    Ok(count)
}

/// The event of a release, identified by the release that first announced it.
///
/// # Errors
/// [`RsvpError`].
pub(crate) async fn event_of(store: &Store, release: ReleaseId) -> Result<(ReleaseId, LoadedRelease), RsvpError> {
    let loaded = load(store, release).await?.ok_or(RsvpError::NoRelease(release))?;
    match store.event_of(release).await? {
        Some(event) => Ok((event, loaded)),
        None if loaded.release.event.is_some() => Ok((release, loaded)),
        None => Err(RsvpError::NoEvent(release)),
    }
}

/// The first instant that is too late for an answer; a deadline without a time includes the whole day.
pub(crate) fn deadline(event: &Event) -> Option<Timestamp> {
    let deadline = event.rsvp.as_ref()?.deadline?;
    Some(match deadline.time {
        // An answer at 12.00 meets a deadline of 12.00.
        Some(_) => deadline.instant(event.zone) + Duration::minutes(1),
        None => {
            let next = deadline.date.succ_opt().unwrap_or(NaiveDate::MAX);
            crate::model::release::Moment { date: next, time: None }.instant(event.zone)
        }
    })
}

/// When an event is over: at its end, or one day after its start if it has no end.
pub(crate) fn over_at(event: &Event) -> Timestamp {
    event.end_instant().unwrap_or_else(|| event.start_instant() + Duration::days(1))
}

/// The mailings of a release, the newest first.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn mailings_of(store: &Store, release: ReleaseId) -> Result<Vec<Mailing>, StoreError> {
    let (mut pages, mut of_release) = (store.pages(mailings::of_release(release).backward()), Vec::new());
    while let Some(read) = pages.next().await? {
        of_release.push(read.value);
    }
    Ok(of_release)
}
