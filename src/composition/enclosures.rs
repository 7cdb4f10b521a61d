//! The parts of a release's message besides its texts: attachments and the calendar.

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::mail::calendar::{CalendarEvent, When};
use crate::mail::frame::{Attachment, CalendarPart, InlinePicture};
use crate::mail::headers::Mailbox;
use crate::model::release::attachment::Travel;
use crate::model::release::{Event, EventStatus, Moment, Release};
use crate::render::markdown::{self, Reading};
use crate::render::picture::ScaledPictures;

/// Media types by file extension.
const MEDIA_TYPES: [(&str, &str); 18] = [
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("gif", "image/gif"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("webp", "image/webp"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("zip", "application/zip"),
];

/// The media type of a file, by its name.
pub(crate) fn media_type_of(file_name: &str) -> &'static str {
    let ending = file_name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    MEDIA_TYPES.iter().find(|(known, _)| *known == ending).map_or("application/octet-stream", |(_, kind)| kind)
}

/// The files attached to the mail: attachments that `travel` so.
pub(crate) fn files_in_mail<'a>(release: &'a Release, travel: &[Travel]) -> Vec<&'a str> {
    let attachments = release.attachments.iter().zip(travel).filter(|(_, travel)| **travel == Travel::InMail);
    let mut files: Vec<&str> = attachments.map(|(attachment, _)| attachment.file.as_str()).collect();
    let mut seen = std::collections::BTreeSet::new();
    files.retain(|file| seen.insert(*file));
    files
}

/// The attachments of the message, from the contents of [`files_in_mail`] by name.
///
/// # Errors
/// A text that names the file without content.
pub(crate) fn attachments(
    release: &Release,
    travel: &[Travel],
    contents: &BTreeMap<String, Vec<u8>>,
) -> Result<Vec<Attachment>, String> {
    files_in_mail(release, travel)
        .into_iter()
        .map(|file| {
            let bytes =
                contents.get(file).ok_or_else(|| format!("the content of \u{201c}{file}\u{201d} is missing"))?;
            Ok(attachment(release, file, bytes.clone()))
        })
        .collect()
}

/// One file of a release as an attachment of the message.
pub(crate) fn attachment(release: &Release, file: &str, bytes: Vec<u8>) -> Attachment {
    let given = release.attachments.iter().find(|a| a.file == file).and_then(|a| a.media_type.clone());
    let file_name = file.rsplit('/').next().unwrap_or(file).to_owned();
    let media_type = given.unwrap_or_else(|| media_type_of(&file_name).to_owned());
    Attachment { file_name, media_type, bytes }
}

/// The pictures that the HTML part shows, each file once, of a release at whose images they are noted.
pub(crate) fn pictures(release: &Release, scaled: &ScaledPictures) -> Vec<InlinePicture> {
    let mut pictures: Vec<InlinePicture> = Vec::new();
    for image in &release.images {
        let (Some(shown), Some(file)) = (&image.picture, &image.file) else { continue };
        let Some(Ok(picture)) = scaled.get(file) else { continue };
        if pictures.iter().all(|known| known.content_id != shown.content_id) {
            pictures.push(InlinePicture {
                content_id: shown.content_id.clone(),
                file_name: picture.format.file_name(file.rsplit('/').next().unwrap_or(file)),
                media_type: picture.format.media_type(),
                bytes: picture.bytes.clone(),
            });
        }
    }
    pictures
}

/// How calendars identify an event (RFC 5545 §3.8.4.7, §3.8.7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventIdentity {
    /// The UID, the same in all updates.
    pub uid: String,
    /// The SEQUENCE: of two updates the one with the higher number counts.
    pub sequence: u32,
}

impl EventIdentity {
    /// Derived from one release alone, if the other releases of its event are unknown: in a preview.
    pub(crate) fn alone(event: &Event, id: ReleaseId, domain: &str) -> Self {
        let uid = event.uid.clone().unwrap_or_else(|| Self::made_uid(id, domain));
        Self { uid, sequence: event.sequence }
    }

    /// The UID of an event whose author gave none: derived from the release that first announced it.
    pub(crate) fn made_uid(first: ReleaseId, domain: &str) -> String {
        format!("event-{first}@{domain}")
    }
}

/// The calendar part of a release that has an event; `stamp` is when this version was made.
pub fn calendar(
    release: &Release,
    identity: EventIdentity,
    stamp: Timestamp,
    organiser: &Mailbox,
) -> Option<CalendarPart> {
    let event = release.event.as_ref()?;
    let description =
        release.lead.as_deref().map(|lead| markdown::text_of(&markdown::parse_inline(lead, &Reading::default())));
    let calendar = CalendarEvent {
        uid: identity.uid,
        sequence: identity.sequence,
        stamp,
        start: when(event, event.start),
        end: end(event),
        summary: event.title.clone().unwrap_or_else(|| release.headline.clone()),
        description,
        location: event.place(),
        // RFC 5546 §3.2.3: calendar programs reply to the organiser.
        organiser: Mailbox {
            name: organiser.name.clone(),
            address: event.rsvp.as_ref().map_or(&organiser.address, |rsvp| &rsvp.to).clone(),
        },
        url: event.stream.clone().or_else(|| event.map.clone()),
        cancelled: event.status == EventStatus::Cancelled,
    };
    Some(calendar.to_part("event.ics"))
}

/// The release that a release updates, corrects, replaces or withdraws, if given by its number.
pub(crate) fn first_release(release: &Release) -> Option<ReleaseId> {
    release.announced_in()
}

fn when(event: &Event, moment: Moment) -> When {
    match moment.time {
        Some(_) => When::Instant(moment.instant(event.zone)),
        None => When::Day(moment.date),
    }
}

/// RFC 5545 §3.6.1: DTEND is of the same kind as DTSTART, and after it; otherwise it is left out.
fn end(event: &Event) -> Option<When> {
    let end = event.end?;
    let end = match (event.start.time, end.time) {
        (Some(_), _) => event.end_instant().map(When::Instant)?,
        (None, _) => When::Day(end.date.succ_opt()?),
    };
    let later = match (when(event, event.start), end) {
        (When::Instant(start), When::Instant(end)) => end > start,
        (When::Day(start), When::Day(end)) => end > start,
        _ => false,
    };
    later.then_some(end)
}
