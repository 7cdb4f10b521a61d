//! Which invitation a mail answers: the one whose Message-ID it references, the one whose UID its calendar part
//! contains, or the one that asks for answers to the address it came to. If several are possible, none is chosen.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, ReleaseId};
use crate::base::token::Key;
use crate::base::unicode;
use crate::composition::event;
use crate::composition::message_id;
use crate::composition::release::{LoadError, LoadedRelease, load};
use crate::composition::sample;
use crate::mail::incoming::Incoming;
use crate::model::release::{Event, EventStatus};
use crate::store::{Store, StoreError};

use super::over_at;

/// Maximum Message-IDs checked.
const MOST_IDS: usize = 30;

/// What connects a mail with the invitation that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A signed address in a mail with this invitation, or its signed Message-ID: the writer has that mail.
    Signed,
    /// The address that the mail came to.
    Address,
    /// Only a UID, which is in every copy of the invitation and may be guessed.
    Uid,
}

/// What a mail answers.
#[derive(Clone, Debug)]
pub enum Found {
    /// One release, which invites to this event.
    One {
        /// The release that first announced the event.
        event: ReleaseId,
        /// The release that is answered.
        release: ReleaseId,
        /// What identified it.
        way: Way,
    },
    /// One of these open invitations; which one is unknown.
    Several,
    /// No invitation.
    Nothing,
}

/// An event that answers may belong to.
struct Candidate {
    event: ReleaseId,
    /// The newest release that asks for answers to the address.
    loaded: LoadedRelease,
    /// The newest release about the event: it may cancel the event without asking for answers.
    newest: LoadedRelease,
}

impl Candidate {
    /// The event as the newest release describes it.
    fn last_told(&self) -> Option<&Event> {
        self.newest.release.event.as_ref()
    }
}

/// Where an answer came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CameTo<'a> {
    /// The address.
    pub address: Option<&'a Address>,
    /// The event that the address was signed for, by the release that first announced it, if it was.
    pub event: Option<ReleaseId>,
}

/// Finds the invitation that `message` answers, by where it came to and the UID of its calendar part.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn find(
    store: &Store,
    key: &Key,
    message: &Incoming,
    uid: Option<&str>,
    came_to: CameTo<'_>,
    now: Timestamp,
) -> Result<Found, StoreError> {
    // A test mail is no invitation, even of a release that has been sent.
    let is_of_test = message.answered_ids().into_iter().any(|id| sample::is_of_test(key, id));
    if is_of_test || uid.is_some_and(|uid| uid.starts_with(sample::TEST_UID)) {
        return Ok(Found::Nothing);
    }
    if let Some(event) = came_to.event
        && let Some(told) = event::announced(store, event).await?
    {
        return Ok(Found::One { event, release: told.newest.record.value.id, way: Way::Signed });
    }
    for release in answered_releases(store, key, message).await? {
        // An invitation that has not been sent cannot be answered.
        if !store.is_sent(release).await? {
            continue;
        }
        if let Some(event) = store.event_of(release).await? {
            return Ok(Found::One { event, release, way: Way::Signed });
        }
    }
    let here = match came_to.address {
        Some(address) => by_address(store, address, message, now).await?,
        None => Found::Nothing,
    };
    if let Some(uid) = uid
        && let Some(release) = release_of_uid(store, uid).await?
        && let Some(event) = store.event_of(release).await?
    {
        // If the address alone leads to the same event, the UID adds nothing.
        let same_event = matches!(here, Found::One { event: same, .. } if same == event);
        return Ok(Found::One { event, release, way: if same_event { Way::Address } else { Way::Uid } });
    }
    Ok(here)
}

/// The releases of our mailings whose signed Message-IDs a message references: `m7.<token>@…`.
async fn answered_releases(store: &Store, key: &Key, message: &Incoming) -> Result<Vec<ReleaseId>, StoreError> {
    let mut releases = Vec::new();
    for id in message.answered_ids().into_iter().take(MOST_IDS) {
        let Some(mailing) = mailing_of(key, id) else { continue };
        if let Some(mailing) = store.mailing(mailing).await? {
            releases.extend(mailing.value.content.release());
        }
    }
    Ok(releases)
}

/// The mailing of one of our signed Message-IDs; `None` if it is not ours.
pub(crate) fn mailing_of(key: &Key, message_id: &str) -> Option<MailingId> {
    message_id::named(key, message_id).map(|(mailing, _)| mailing)
}

/// The newest sent release with an event's UID: the author's own, or `event-r7@…` as made by
/// [`crate::composition::enclosures`].
async fn release_of_uid(store: &Store, uid: &str) -> Result<Option<ReleaseId>, StoreError> {
    for release in store.invitations_of(uid).await?.into_iter().rev() {
        if store.is_sent(release).await? {
            return Ok(Some(release));
        }
    }
    let made = uid.strip_prefix("event-").and_then(|rest| rest.split_once('@')).map(|(release, _)| release);
    let made: Option<ReleaseId> =
        made.filter(|release| release.starts_with('r')).and_then(|release| release.parse().ok());
    match made {
        Some(release) if store.is_sent(release).await? => Ok(Some(release)),
        _ => Ok(None),
    }
}

async fn by_address(store: &Store, address: &Address, message: &Incoming, now: Timestamp) -> Result<Found, StoreError> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for release in store.invitations_at(address).await? {
        if !store.is_sent(release).await? {
            continue;
        }
        let Some(event) = store.event_of(release).await? else { continue };
        let loaded = match load(store, release).await {
            Ok(Some(loaded)) => loaded,
            Err(LoadError::Store(error)) => return Err(error),
            // A release that cannot be read cannot be answered.
            Ok(None) | Err(LoadError::Unreadable { .. }) => continue,
        };
        // In order of id: a later release of the same event replaces an earlier one.
        candidates.retain(|candidate| candidate.event != event);
        candidates.push(Candidate { event, newest: loaded.clone(), loaded });
    }
    // One pass over the rows of all invitations, whatever the number of events.
    let events = candidates.iter().map(|candidate| candidate.event).collect();
    let mut releases = store.releases_about(&events).await?;
    for candidate in &mut candidates {
        let of_event = releases.remove(&candidate.event).unwrap_or_default();
        if let Some(told) = event::announced_by(store, of_event).await? {
            candidate.newest = told.newest;
        }
    }
    let now = store.present(now).await?.earliest();
    let open = |candidate: &&Candidate| {
        candidate.last_told().is_some_and(|event| event.status != EventStatus::Cancelled && over_at(event) >= now)
    };
    let mut left: Vec<&Candidate> = candidates.iter().filter(open).collect();
    if left.is_empty() {
        // Late answers belong to the event that began last.
        let begins = |candidate: &&Candidate| candidate.last_told().map(|event| event.start_instant());
        left = candidates.iter().max_by_key(begins).into_iter().collect();
    }
    if left.len() > 1 {
        left = named(left, message.subject());
    }
    Ok(match left.as_slice() {
        [] => Found::Nothing,
        [one] => Found::One { event: one.event, release: one.loaded.record.value.id, way: Way::Address },
        _ => Found::Several,
    })
}

/// The candidates whose subject occurs in the message's subject; all candidates if none does.
fn named<'a>(candidates: Vec<&'a Candidate>, subject: &str) -> Vec<&'a Candidate> {
    let subject = unicode::key(subject);
    let names = |candidate: &&Candidate| {
        let releases = [&candidate.loaded.release, &candidate.newest.release];
        let titles = releases.into_iter().flat_map(|release| [release.subject(), release.headline.as_str()]);
        titles.into_iter().any(|title| title.len() > 3 && subject.contains(&*unicode::key(title)))
    };
    let named: Vec<&Candidate> = candidates.iter().copied().filter(|candidate| names(candidate)).collect();
    if named.is_empty() { candidates } else { named }
}
