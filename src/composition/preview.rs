//! Previews of a release, without a store: for its author before it is queued.

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::base::language::Language;
use crate::mail::compose::{Individual, ListFields, Sender, compose};
use crate::mail::frame::{Attachment, Frame, InlinePicture, Parts};
use crate::mail::headers::Mailbox;
use crate::mail::verify::{Expected, verify};
use crate::model::release::Release;
use crate::model::release::attachment::Travel;
use crate::render::picture::{self, ScaledPictures};
use crate::render::prepare::{Personal, PreparedRelease, Recipient};

use super::content::Content;
use super::enclosures::{self, EventIdentity};
use super::release_messages::reply_mailbox;

const READER: &str = "kim@example.com";
const UNSUBSCRIBE_HTTPS: &str = "https://press.example.org/u/example";
const UNSUBSCRIBE_ADDRESS: &str = "media-unsubscribe+example@lists.example.org";

/// The recipient of a preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleReader {
    /// Their name.
    pub name: Option<String>,
    /// Their newsroom.
    pub organisation: Option<String>,
    /// The language of the words around the release; the release's own if `None`.
    pub language: Option<Language>,
    /// Attributes that templates use.
    pub attributes: BTreeMap<String, String>,
}

impl Default for SampleReader {
    fn default() -> Self {
        Self {
            name: Some("Kim Exempel".to_owned()),
            organisation: Some("Exempelbladet".to_owned()),
            language: None,
            attributes: BTreeMap::new(),
        }
    }
}

/// A release as its recipient gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The whole message with CRLF line ends; its addresses and links are examples.
    pub message: Vec<u8>,
    /// The pictures that the HTML part refers to, `cid:…`.
    pub pictures: Vec<InlinePicture>,
    /// Attachments left out of this mail because their content was not given or is too large.
    pub left_out: Vec<String>,
}

/// Renders `release` for `reader` and composes a whole message. `files` holds the contents of its attachments by
/// name, as far as available, `pictures` its pictures.
///
/// # Errors
/// A text: what is missing, and in which template.
pub fn preview(
    content: &Content,
    release: &Release,
    files: &BTreeMap<String, Vec<u8>>,
    pictures: &ScaledPictures,
    reader: &SampleReader,
    now: Timestamp,
) -> Result<Preview, String> {
    let mut release = release.clone();
    picture::attach(&mut release, pictures);
    let (release, pictures) = (&release, enclosures::pictures(&release, pictures));
    let travel = content.rules.budget.plan(&release.attachments, &release.images);
    let (attachments, left_out) = enclosed(release, &travel, files);
    let prepared = PreparedRelease::new(&content.templates, release, &travel).map_err(|error| error.to_string())?;
    let mut attributes = reader.attributes.clone();
    for name in prepared.recipient_fields().iter().filter_map(|field| field.strip_prefix("recipient.attributes.")) {
        attributes.entry(name.to_owned()).or_insert_with(|| name.to_owned());
    }
    let personal = prepared
        .for_recipient(&Recipient {
            name: reader.name.as_deref(),
            organisation: reader.organisation.as_deref(),
            address: READER,
            language: reader.language.as_ref().unwrap_or(&release.language),
            attributes: &attributes,
            list_title: None,
            unsubscribe: Some(UNSUBSCRIBE_HTTPS),
            unsubscribe_address: Some(UNSUBSCRIBE_ADDRESS),
        })
        .map_err(|error| error.to_string())?;
    let to = Mailbox { name: reader.name.clone(), address: example_address(READER)? };
    let has_calendar = content.templates.manifest(&release.kind).is_some_and(|manifest| manifest.calendar);
    let files = Parts { calendar: None, pictures: &pictures, attachments: &attachments };
    let message = message(release, &personal, &to, files, has_calendar, now)?;
    let (subject, text, html) = (personal.subject(), personal.text(), personal.html());
    Ok(Preview { subject, text, html, message, pictures, left_out })
}

/// The files that are available and small enough, and the names of the others.
fn enclosed(release: &Release, travel: &[Travel], files: &BTreeMap<String, Vec<u8>>) -> (Vec<Attachment>, Vec<String>) {
    let too_large = release.attachments.iter().zip(travel).filter(|(_, travel)| **travel == Travel::Nowhere);
    let mut left_out: Vec<String> = too_large.map(|(attachment, _)| attachment.file.clone()).collect();
    let mut attachments = Vec::new();
    for file in enclosures::files_in_mail(release, travel) {
        match files.get(file) {
            Some(bytes) => attachments.push(enclosures::attachment(release, file, bytes.clone())),
            None => left_out.push(file.to_owned()),
        }
    }
    (attachments, left_out)
}

/// The whole message from the first issuer, with example addresses; read back before it is shown.
fn message(
    release: &Release,
    personal: &Personal,
    to: &Mailbox,
    files: Parts<'_>,
    has_calendar: bool,
    now: Timestamp,
) -> Result<Vec<u8>, String> {
    let name = release.issuers.first().map(|issuer| issuer.name.clone());
    let from = Mailbox { name, address: example_address("media@lists.example.org")? };
    let event = release.event.as_ref().filter(|_| has_calendar);
    let identity = event.map(|event| EventIdentity::alone(event, ReleaseId(0), "lists.example.org"));
    let calendar = identity.and_then(|identity| enclosures::calendar(release, identity, now, &from));
    let parts = Parts { calendar: calendar.as_ref(), ..files };
    let frame = Frame::new(release.language.as_str(), "preview", parts);
    let sender = Sender {
        reply_to: Some(reply_mailbox(release, &from.address)).filter(|reply| reply.address != from.address),
        from,
        feedback_id: format!("preview:{}:depesch", release.kind),
    };
    let list = ListFields {
        title: String::new(),
        id: "media.lists.example.org".to_owned(),
        owner: "mailto:media-owner@lists.example.org".to_owned(),
        help: "mailto:media-request@lists.example.org?subject=help".to_owned(),
    };
    let (subject, text, html) = (personal.subject(), personal.text(), personal.html());
    let one = Individual {
        to,
        reply_to: None,
        subject: &subject,
        date: now,
        message_id: "preview@lists.example.org",
        references: &[],
        unsubscribe_https: Some(UNSUBSCRIBE_HTTPS),
        unsubscribe_mailto: &format!("mailto:{UNSUBSCRIBE_ADDRESS}"),
        text_values: personal.text_values(),
        html_values: personal.html_values(),
    };
    let bytes = compose(&sender, &list, &frame, personal.bodies(), &one).map_err(|error| error.to_string())?;
    let expected = Expected { subject: &subject, text: &text, html: &html, parts, one_click: true };
    verify(&bytes, &expected)?;
    Ok(bytes)
}

fn example_address(text: &str) -> Result<crate::base::address::Address, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}
