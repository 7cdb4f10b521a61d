//! A release: the content of a mailing, as its author wrote it.
//!
//! Plain records, read by the rooms that render. What the author *printed* always wins in output; machine values
//! (instants, E.164 numbers) are for calendars and checks. A [`Release`] is complete: contacts and boilerplate that
//! its file refers to have been looked up (`render::source::Draft::resolve`).

use chrono_tz::Tz;

use crate::base::language::Language;

use super::contact::{Boilerplate, ReleaseContact};

pub mod attachment;
pub(crate) mod block;
pub(crate) mod event;
pub(crate) mod kind;
pub(crate) mod moment;
pub mod names;
pub(crate) mod person;
pub(crate) mod presence;
pub(crate) mod programme;
pub(crate) mod quote;
pub(crate) mod record;
pub(crate) mod relation;

pub use attachment::{Attachment, Blob, Image, Link, LinkGroup, MailPicture, Video};
pub use event::{Event, EventStatus, Invite, Rsvp};
pub(crate) use kind::Kind;
pub(crate) use moment::{Moment, Period, Span};
pub(crate) use person::{Issuer, Person};
pub(crate) use programme::{ItemForm, Presentation, ProgrammeItem, SeriesDate, SeriesRow, Slot};
pub use quote::{AttributionPlace, Quote, Speaker};
pub(crate) use record::{ReleaseRecord, ReleaseSummary};
pub(crate) use relation::{Archive, Corrected, Embargo, Relation, RelationKind, Translation};

/// One release. Texts are NFC; U+00A0 is kept; an absent text is `None`, never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// Which templates render it and which fields it needs.
    pub kind: Kind,
    /// The language it is written in; labels, dates and generated words follow it.
    pub language: Language,
    /// The zone of every local time in it that has no zone of its own.
    pub zone: Tz,
    /// The headline: the only h1.
    pub headline: String,
    /// The mail's subject, if it differs from the headline.
    pub subject: Option<String>,
    /// A short line above the headline.
    pub kicker: Option<String>,
    /// The lead paragraph, with inline Markdown only.
    pub lead: Option<String>,
    /// The same release in other languages.
    pub translations: Vec<Translation>,
    /// The issuing organisations; the first one is the sender. Never empty in a checked release.
    pub issuers: Vec<Issuer>,
    /// The authors.
    pub bylines: Vec<Person>,
    /// One category, in the organisation's own words.
    pub category: Option<String>,
    /// Tags, in the author's order.
    pub tags: Vec<String>,
    /// Beats (subjects) that it concerns.
    pub beats: Vec<String>,
    /// Regions that it concerns.
    pub regions: Vec<String>,
    /// Labelled facts, in the author's order.
    pub facts: Vec<Fact>,
    /// The event that it announces or reports on.
    pub event: Option<Event>,
    /// The programme, in the author's order.
    pub programme: Vec<Slot>,
    /// Numbered presentations of a documentation release; the number is the position in the list, from 1.
    pub presentations: Vec<Presentation>,
    /// Stops of a series, in the author's order.
    pub series: Vec<SeriesRow>,
    /// The body, in Markdown. Block quotes whose last line is `— Name, title` are quotations (see
    /// [`quote::split_attribution`]).
    pub body: String,
    /// Quotations given as fields, in addition to those in the body.
    pub quotes: Vec<Quote>,
    /// The one quotation that is shown large.
    pub pull_quote: Option<Quote>,
    /// Attached files.
    pub attachments: Vec<Attachment>,
    /// Images.
    pub images: Vec<Image>,
    /// Videos.
    pub videos: Vec<Video>,
    /// Links, in groups.
    pub links: Vec<LinkGroup>,
    /// Contacts: for the press, and experts on the subject. Looked up and stored as a snapshot.
    pub contacts: Vec<ReleaseContact>,
    /// "About us" texts, in order of the issuers. Looked up and stored as a snapshot.
    pub boilerplates: Vec<Boilerplate>,
    /// When it is or was published.
    pub published: Option<Moment>,
    /// When it was last changed.
    pub updated: Option<Moment>,
    /// When its content ceases to be valid.
    pub expires: Option<Moment>,
    /// Not for publication before this.
    pub embargo: Option<Embargo>,
    /// How long it is kept, and notes for the archive.
    pub archive: Option<Archive>,
    /// What it corrects, follows or documents.
    pub relations: Vec<Relation>,
    /// What changed and why, for a correction or an update.
    pub change: Option<String>,
    /// The words that were wrong, with the right ones.
    pub corrected: Vec<Corrected>,
    /// A line that welcomes media, where no RSVP is needed.
    pub media_welcome: Option<String>,
    /// Terms of use for its material.
    pub usage_terms: Option<String>,
    /// A note to editors.
    pub editor_note: Option<String>,
    /// Headings of blocks, where they differ from the kind's.
    pub(crate) headings: block::Headings,
    /// The responsible publisher (Swedish law: ansvarig utgivare).
    pub responsible_publisher: Option<String>,
}

/// A labelled fact: "Tid: torsdag 26 november 2026, kl. 9.30–16.00".
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// The label, as printed.
    pub label: String,
    /// The text as printed by the author; always wins in output.
    pub printed: String,
    /// The machine value of a time, for calendars and checks.
    pub time: Option<Span>,
    /// The machine value of a time of which only the month, the season or the year is known.
    pub period: Option<Period>,
    /// The machine value of a place: an address that a map can find.
    pub place: Option<String>,
}

impl Release {
    /// The mail's subject: its own, or the headline.
    pub(crate) fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or(&self.headline)
    }

    /// The contacts for the press, in order.
    pub fn press_contacts(&self) -> impl Iterator<Item = &ReleaseContact> {
        self.contacts.iter().filter(|c| c.role == super::contact::ContactRole::Press)
    }
}
