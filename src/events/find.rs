//! Which invitation a mail answers: the one whose Message-ID it names, the one whose UID its calendar part names, or the
//! one that asks for answers to the address that it came to. Where that leaves several, nothing is guessed.

use std::collections::BTreeSet;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, ReleaseId};
use crate::base::token::Key;
use crate::base::unicode;
use crate::composition::event;
use crate::composition::message_id;
use crate::composition::release::{LoadError, LoadedRelease, load};
use crate::mail::incoming::Incoming;
use crate::model::mailing::Stage;
use crate::model::release::{Event, EventStatus};
use crate::store::{Store, StoreError, mailings};

use super::over_at;

/// Ids in References that are looked at.
const MOST_IDS: usize = 30;

/// What leads from a mail to the invitation that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A signed Message-ID of a mail with this invitation: its writer has that mail.
    Signed,
    /// The address that it came to.
    Address,
    /// A UID alone, which is in every copy of the invitation and may be guessed.
    Uid,
}

/// What a mail answers.
#[derive(Clone, Debug)]
pub enum Found {
    /// This release, which invites to this event.
    One {
        /// The release that first announced the event.
        event: ReleaseId,
        /// The release that is answered.
        release: ReleaseId,
        /// What led to it.
        way: Way,
    },
    /// One of several open ones; these.
    Several(Vec<ReleaseId>),
    /// None.
    Nothing,
}

/// One event that answers may belong to.
struct Candidate {
    event: ReleaseId,
    /// The newest release that invites to answer to the address.
    loaded: LoadedRelease,
    /// The newest release that tells of the event: it may cancel it without asking for answers.
    newest: LoadedRelease,
}

impl Candidate {
    /// The event as it was told last.
    fn last_told(&self) -> Option<&Event> {
        self.newest.release.event.as_ref()
    }
}

/// Which invitation `message` answers, which came to `address`, with the UID of its calendar part.
///
/// # Errors
/// [`StoreError`].
pub async fn find(
    store: &Store,
    key: &Key,
    message: &Incoming,
    uid: Option<&str>,
    address: Option<&Address>,
    now: Timestamp,
) -> Result<Found, StoreError> {
    // Nobody learns of an invitation that has not gone out.
    let begun = begun(store).await?;
    for release in answered_releases(store, key, message).await?.into_iter().filter(|one| begun.contains(one)) {
        if let Some(event) = store.event_of(release).await? {
            return Ok(Found::One { event, release, way: Way::Signed });
        }
    }
    let here = match address {
        Some(address) => by_address(store, address, message, now, &begun).await?,
        None => Found::Nothing,
    };
    if let Some(uid) = uid
        && let Some(release) = release_of_uid(store, uid, &begun).await?
        && let Some(event) = store.event_of(release).await?
    {
        // Where the address alone leads to the same event, the UID adds nothing.
        let same_event = matches!(here, Found::One { event: same, .. } if same == event);
        return Ok(Found::One { event, release, way: if same_event { Way::Address } else { Way::Uid } });
    }
    Ok(here)
}

/// The releases of which a mailing has begun to go out.
///
/// # Errors
/// [`StoreError`].
pub async fn begun(store: &Store) -> Result<BTreeSet<ReleaseId>, StoreError> {
    let has_begun = |stage: &Stage| {
        matches!(stage, Stage::Sending(_) | Stage::Finished { .. } | Stage::Cancelled { frozen: Some(_), .. })
    };
    let (mut mailings, mut releases) = (store.pages(mailings::all()), BTreeSet::new());
    while let Some(read) = mailings.next().await? {
        releases.extend(read.value.content.release().filter(|_| has_begun(&read.value.stage)));
    }
    Ok(releases)
}

/// The releases of the mailings whose Message-IDs a message names, which only we can have made: `m7.<token>@…`.
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

/// The mailing of one of our own Message-IDs.
pub fn mailing_of(key: &Key, message_id: &str) -> Option<MailingId> {
    message_id::named(key, message_id).map(|(mailing, _)| mailing)
}

/// The newest release that went out of an event's UID: the author's own, or `event-r7@…` as [`crate::composition::enclosures`] makes it.
async fn release_of_uid(
    store: &Store,
    uid: &str,
    begun: &BTreeSet<ReleaseId>,
) -> Result<Option<ReleaseId>, StoreError> {
    let invitations = store.invitations_of(uid).await?;
    if let Some(release) = invitations.into_iter().rev().find(|release| begun.contains(release)) {
        return Ok(Some(release));
    }
    let made = uid.strip_prefix("event-").and_then(|rest| rest.split_once('@')).map(|(release, _)| release);
    let made: Option<ReleaseId> =
        made.filter(|release| release.starts_with('r')).and_then(|release| release.parse().ok());
    Ok(made.filter(|release| begun.contains(release)))
}

async fn by_address(
    store: &Store,
    address: &Address,
    message: &Incoming,
    now: Timestamp,
    begun: &BTreeSet<ReleaseId>,
) -> Result<Found, StoreError> {
    let events = store.events().await?;
    let mut candidates: Vec<Candidate> = Vec::new();
    for release in store.invitations_at(address).await?.into_iter().filter(|release| begun.contains(release)) {
        let Some(event) = store.event_of(release).await? else { continue };
        let loaded = match load(store, release).await {
            Ok(Some(loaded)) => loaded,
            Err(LoadError::Store(error)) => return Err(error),
            // Nobody can answer what cannot be read.
            Ok(None) | Err(LoadError::Unreadable { .. }) => continue,
        };
        // In order of id: a later release of the same event takes the place of an earlier one.
        candidates.retain(|candidate| candidate.event != event);
        candidates.push(Candidate { event, newest: loaded.clone(), loaded });
    }
    for candidate in &mut candidates {
        let releases = events.get(&candidate.event).map(Vec::as_slice).unwrap_or_default();
        if let Some(told) = event::told_by(store, releases, begun).await? {
            candidate.newest = told.newest;
        }
    }
    let now = store.present(now).await?.earliest();
    let open = |candidate: &&Candidate| {
        candidate.last_told().is_some_and(|event| event.status != EventStatus::Cancelled && over_at(event) >= now)
    };
    let mut left: Vec<&Candidate> = candidates.iter().filter(open).collect();
    if left.is_empty() {
        // Late answers belong to what was last.
        let begins = |candidate: &&Candidate| candidate.last_told().map(|event| event.start_instant());
        left = candidates.iter().max_by_key(begins).into_iter().collect();
    }
    if left.len() > 1 {
        left = named(left, message.subject());
    }
    Ok(match left.as_slice() {
        [] => Found::Nothing,
        [one] => Found::One { event: one.event, release: one.loaded.record.value.id, way: Way::Address },
        several => Found::Several(several.iter().map(|one| one.loaded.record.value.id).collect()),
    })
}

/// Those whose subject stands in the message's subject; all where none does.
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
