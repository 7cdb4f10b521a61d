//! The event that a release invites to, moves, cancels or documents.

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::moment::Moment;
use crate::base::address::Address;
use crate::base::clock::Timestamp;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name, where it is not the headline.
    pub title: Option<String>,
    /// The beginning.
    pub start: Moment,
    /// The end, where it is set.
    pub end: Option<Moment>,
    /// The zone of its times.
    pub zone: Tz,
    /// The house or room.
    pub venue: Option<String>,
    /// Street and number.
    pub street: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// A link to a map.
    pub map: Option<String>,
    /// A link to the live stream.
    pub stream: Option<String>,
    /// Who arranges it.
    pub organisers: Vec<String>,
    /// Whether it stands.
    pub status: EventStatus,
    /// When it was to begin before it was moved.
    pub previous_start: Option<Moment>,
    /// How to say that one comes.
    pub rsvp: Option<Rsvp>,
    /// The name that stays through updates, for the calendar's UID; made from the event's first release when absent.
    pub uid: Option<String>,
    /// The least SEQUENCE for the calendar (RFC 5545 §3.8.7.4): it is raised over that of earlier releases of the event.
    pub sequence: u32,
}

/// Whether an event stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventStatus {
    /// It takes place as said.
    #[default]
    Planned,
    /// It has a new time or place.
    Moved,
    /// It does not take place.
    Cancelled,
}

/// How to say that one comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rsvp {
    /// Where to answer.
    pub to: Address,
    /// Until when, in the event's zone.
    pub deadline: Option<Moment>,
    /// What to tell: name, newsroom, function, press card.
    pub fields: Vec<String>,
    /// How many may come.
    pub capacity: Option<u32>,
    /// From when media are let in.
    pub entrance_time: Option<NaiveTime>,
}

impl Event {
    /// The instant of its beginning.
    pub fn start_instant(&self) -> Timestamp {
        self.start.instant(self.zone)
    }

    /// The instant of its end, where it is set. A whole day ends with that day.
    pub fn end_instant(&self) -> Option<Timestamp> {
        self.end.map(|end| match end.time {
            Some(_) => end.instant(self.zone),
            None => next_day(end).instant(self.zone),
        })
    }

    /// Venue, street and city in one line, what there is of them.
    pub fn place(&self) -> Option<String> {
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
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Moved => "moved",
            Self::Cancelled => "cancelled",
        }
    }

    /// All of them, for messages.
    pub const ALL: [Self; 3] = [Self::Planned, Self::Moved, Self::Cancelled];
}
