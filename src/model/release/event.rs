//! The event that a release announces, moves, cancels or documents.

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::moment::Moment;
use crate::base::address::Address;
use crate::base::clock::Timestamp;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name, if it differs from the headline.
    pub title: Option<String>,
    /// Its start.
    pub start: Moment,
    /// Its end, if known.
    pub end: Option<Moment>,
    /// The zone of its times.
    pub zone: Tz,
    /// The venue.
    pub venue: Option<String>,
    /// Street and number.
    pub street: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// A link to a map.
    pub map: Option<String>,
    /// A link to a live stream.
    pub stream: Option<String>,
    /// The organisers.
    pub organisers: Vec<String>,
    /// Whether it takes place as announced.
    pub status: EventStatus,
    /// The original start of a moved event.
    pub previous_start: Option<Moment>,
    /// How to register.
    pub rsvp: Option<Rsvp>,
    /// The identifier for the calendar's UID, the same in all updates; derived from the event's first release if
    /// absent.
    pub uid: Option<String>,
    /// The minimum SEQUENCE for the calendar (RFC 5545 §3.8.7.4): it is raised above that of earlier releases of the
    /// event.
    pub sequence: u32,
}

/// Whether an event takes place as announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventStatus {
    /// As announced.
    #[default]
    Planned,
    /// At a new time or place.
    Moved,
    /// Cancelled.
    Cancelled,
}

/// How to register for an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Rsvp {
    /// The address for answers.
    pub to: Address,
    /// The deadline, in the event's zone.
    pub deadline: Option<Moment>,
    /// Details to give: name, newsroom, function, press card.
    pub fields: Vec<String>,
    /// Maximum number of participants.
    pub capacity: Option<u32>,
    /// When media are admitted.
    pub entrance_time: Option<NaiveTime>,
}

impl Event {
    /// The instant of its start.
    pub fn start_instant(&self) -> Timestamp {
        self.start.instant(self.zone)
    }

    /// The instant of its end, if known. A whole-day event ends with that day.
    pub(crate) fn end_instant(&self) -> Option<Timestamp> {
        self.end.map(|end| match end.time {
            Some(_) => end.instant(self.zone),
            None => next_day(end).instant(self.zone),
        })
    }

    /// The address for answers; `None` if none are wanted, as to a cancelled event.
    pub(crate) fn answers_to(&self) -> Option<&Address> {
        self.rsvp.as_ref().filter(|_| self.status != EventStatus::Cancelled).map(|rsvp| &rsvp.to)
    }

    /// Venue, street and city in one line, as far as given.
    pub(crate) fn place(&self) -> Option<String> {
        let parts: Vec<&str> =
            [&self.venue, &self.street, &self.city].into_iter().flatten().map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn next_day(day: Moment) -> Moment {
    Moment { date: day.date.succ_opt().unwrap_or(day.date), time: None }
}

impl EventStatus {
    /// The word in release files.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Moved => "moved",
            Self::Cancelled => "cancelled",
        }
    }

    /// All of them, for messages.
    pub(crate) const ALL: [Self; 3] = [Self::Planned, Self::Moved, Self::Cancelled];
}
