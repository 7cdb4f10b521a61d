//! One event across all its releases: which is the newest, and the UID and SEQUENCE by which calendars identify it.
//! An update with another UID, or without a higher SEQUENCE, changes nothing in a reader's calendar (RFC 5546
//! §2.1.5).

use std::collections::BTreeSet;

use crate::base::address::Address;
use crate::base::id::ReleaseId;
use crate::model::release::{Event, EventStatus};
use crate::store::{Store, StoreError};

use super::enclosures::EventIdentity;
use super::release::{LoadError, LoadedRelease, load};

/// The releases of the same event as `release`, oldest first. Empty if it has no event.
async fn releases_of(store: &Store, release: ReleaseId) -> Result<Vec<ReleaseId>, StoreError> {
    let Some(event) = store.event_of(release).await? else { return Ok(Vec::new()) };
    Ok(store.releases_about(&BTreeSet::from([event])).await?.remove(&event).unwrap_or_default())
}

/// Those of these releases that have an event and can be read.
async fn readable(store: &Store, ids: impl IntoIterator<Item = ReleaseId>) -> Result<Vec<LoadedRelease>, StoreError> {
    let mut releases = Vec::new();
    for id in ids {
        match load(store, id).await {
            Ok(Some(loaded)) if loaded.release.event.is_some() => releases.push(loaded),
            Ok(_) | Err(LoadError::Unreadable { .. }) => {}
            Err(LoadError::Store(error)) => return Err(error),
        }
    }
    Ok(releases)
}

/// What has been sent about an event.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The release that first announced it.
    pub first: LoadedRelease,
    /// The newest release: it determines when and whether the event takes place.
    pub newest: LoadedRelease,
}

/// The first and the newest of the sent releases that concern the same event as `release`. `None` if none of them can
/// be read.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn announced(store: &Store, release: ReleaseId) -> Result<Option<Announced>, StoreError> {
    announced_by(store, releases_of(store, release).await?).await
}

/// As [`announced`], by all releases of one event, oldest first.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn announced_by(store: &Store, releases: Vec<ReleaseId>) -> Result<Option<Announced>, StoreError> {
    let mut sent = Vec::new();
    for one in releases {
        if store.is_sent(one).await? {
            sent.push(one);
        }
    }
    let mut releases = readable(store, sent).await?;
    let (first, newest) = (releases.first().cloned(), releases.pop());
    Ok(first.zip(newest).map(|(first, newest)| Announced { first, newest }))
}

/// The UID and SEQUENCE of a release's event at a list's domain. The UID is that of the first release of the event,
/// as given or derived. The SEQUENCE is what the release gives, but always higher than that of any earlier release of
/// the event with another time, place or status (RFC 5545 §3.8.7.4). `None` if the event is not in the store.
///
/// # Errors
/// [`StoreError`].
pub async fn identity(store: &Store, release: ReleaseId, domain: &str) -> Result<Option<EventIdentity>, StoreError> {
    let Some(root) = store.event_of(release).await? else { return Ok(None) };
    let until = releases_of(store, release).await?.into_iter().filter(|id| *id <= release);
    let releases = readable(store, until).await?;
    let mut events = releases.iter().filter_map(|loaded| loaded.release.event.as_ref());
    let asks_each_reader = events.clone().any(Event::asks_each_reader);
    let Some(first) = events.next() else { return Ok(None) };
    let uid = first.uid.clone().unwrap_or_else(|| EventIdentity::made_uid(root, domain));
    let (mut before, mut sequence) = (first, first.sequence);
    for event in events {
        let least = if is_same_meeting(before, event) { sequence } else { sequence.saturating_add(1) };
        sequence = event.sequence.max(least);
        before = event;
    }
    Ok(Some(EventIdentity { uid, sequence, asks_each_reader }))
}

/// The event of a release, by the release that first announced it, and the newest address for answers to it.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn answers_to(store: &Store, own: &LoadedRelease) -> Result<Option<(ReleaseId, Address)>, StoreError> {
    let id = own.record.value.id;
    let until = releases_of(store, id).await?.into_iter().filter(|one| *one < id);
    let earlier = readable(store, until).await?;
    let releases = std::iter::once(own).chain(earlier.iter().rev());
    let address =
        releases.filter_map(|loaded| loaded.release.event.as_ref()?.rsvp.as_ref()).map(|rsvp| rsvp.to.clone()).next();
    let Some(address) = address else { return Ok(None) };
    Ok(Some((store.event_of(id).await?.unwrap_or(id), address)))
}

/// Warnings before a release is sent: it changes an event that no earlier release announced, or a newer release
/// contradicts it. For people.
///
/// # Errors
/// [`StoreError`].
pub async fn warnings(store: &Store, release: ReleaseId) -> Result<Vec<String>, StoreError> {
    let releases = readable(store, releases_of(store, release).await?).await?;
    let place = releases.iter().position(|loaded| loaded.record.value.id == release);
    let Some((earlier, [own, later @ ..])) = place.map(|place| releases.split_at(place)) else { return Ok(Vec::new()) };
    let Some(event) = own.release.event.as_ref() else { return Ok(Vec::new()) };
    let mut warnings = Vec::new();
    if event.status != EventStatus::Planned && earlier.is_empty() {
        warnings.push(format!(
            "the event is {}, but no earlier release announces it, so the entry in readers' calendars stays as it is; give the \
             release the same [event] uid as the invitation, or a [[relations]] to it",
            event.status.word()
        ));
    }
    let newer = later.iter().rev().find_map(|newer| Some((newer.record.value.id, newer.release.event.as_ref()?)));
    if let Some((id, newer)) = newer.filter(|(_, newer)| !is_same_meeting(event, newer)) {
        warnings.push(match newer.status {
            EventStatus::Cancelled => format!("release {id} is newer and says that the event is cancelled"),
            _ => format!("release {id} is newer and says another time or place of the event"),
        });
    }
    Ok(warnings)
}

/// Whether two releases agree on an event's time, place and status.
fn is_same_meeting(one: &Event, other: &Event) -> bool {
    let time = |event: &Event| (event.start_instant(), event.end_instant());
    time(one) == time(other) && one.place() == other.place() && one.status == other.status
}
