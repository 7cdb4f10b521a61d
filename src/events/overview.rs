//! Who attends an event: all answers, counted.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::composition::event;
use crate::model::rsvp::{Rsvp, RsvpAnswer};
use crate::store::Store;

use super::{RsvpError, deadline, event_of};

/// Maximum answers to one event that are shown.
pub(crate) const MOST: usize = 10_000;

/// An event with the answers to it.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The release that was requested.
    pub release: ReleaseId,
    /// The release that first announced the event.
    pub event: ReleaseId,
    /// The release's headline.
    pub headline: String,
    /// The start, by the newest sent release about the event.
    pub start: Option<Timestamp>,
    /// The zone of its times.
    pub zone: Option<Tz>,
    /// The first instant that is too late for an answer.
    pub deadline: Option<Timestamp>,
    /// The maximum number of guests.
    pub capacity: Option<u32>,
    /// The answers: acceptances first, in the order in which they came.
    pub answers: Vec<Answered>,
    /// Whether answers beyond [`MOST`] are left out.
    pub cut: bool,
}

/// One answer, and whether there is a place for it.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The recorded answer.
    pub rsvp: Rsvp,
    /// Whether this acceptance and the earlier ones exceed the capacity.
    pub over_capacity: bool,
}

impl Overview {
    /// The answers to the event of a release.
    ///
    /// # Errors
    /// [`RsvpError`].
    pub async fn of(store: &Store, release: ReleaseId) -> Result<Self, RsvpError> {
        let (event, loaded) = event_of(store, release).await?;
        let mut rsvps = store.rsvps(event, MOST + 1).await?;
        let cut = rsvps.len() > MOST;
        rsvps.truncate(MOST);
        rsvps.sort_by_key(|rsvp| (rsvp.answer(), rsvp.since(), rsvp.address.key()));
        // The newest sent release states when the event is; if it asks for no answers, this one still states the
        // capacity.
        let newest = event::announced(store, release).await?.map(|told| told.newest);
        let newest = newest.filter(|newest| newest.record.value.id > release);
        let of_event = newest.as_ref().unwrap_or(&loaded).release.event.as_ref();
        let asks = [of_event, loaded.release.event.as_ref()];
        let capacity = asks.into_iter().flatten().find_map(|event| event.rsvp.as_ref()).and_then(|rsvp| rsvp.capacity);
        let mut heads = 0_u32;
        let answers = rsvps.into_iter().map(|rsvp| {
            heads = heads.saturating_add(rsvp.heads());
            let full = capacity.is_some_and(|capacity| heads > capacity);
            Answered { over_capacity: full && rsvp.answer() == RsvpAnswer::Yes, rsvp }
        });
        Ok(Self {
            release,
            event,
            headline: loaded.release.headline.clone(),
            start: of_event.map(|event| event.start_instant()),
            zone: of_event.map(|event| event.zone),
            deadline: of_event.and_then(deadline),
            capacity,
            answers: answers.collect(),
            cut,
        })
    }

    /// The number of answers of each kind.
    pub(crate) fn counts(&self) -> BTreeMap<RsvpAnswer, usize> {
        let all = [RsvpAnswer::Yes, RsvpAnswer::No, RsvpAnswer::Maybe, RsvpAnswer::Unclear];
        let mut counts: BTreeMap<RsvpAnswer, usize> = all.into_iter().map(|answer| (answer, 0)).collect();
        for answered in &self.answers {
            *counts.entry(answered.rsvp.answer()).or_default() += 1;
        }
        counts
    }

    /// The number of guests.
    pub fn heads(&self) -> u32 {
        self.answers.iter().map(|answered| answered.rsvp.heads()).fold(0, u32::saturating_add)
    }

    /// The number of mails that a person must check.
    pub fn to_be_seen(&self) -> usize {
        self.answers.iter().filter(|answered| answered.rsvp.to_be_seen()).count()
    }
}
