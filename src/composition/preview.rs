//! Previews of a release, without a store: for its author before it is queued.

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::mail::calendar;
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
use super::sample::SampleReader;

const READER: &str = "kim@example.com";

/// What the mails of an installation contain besides the release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreviewSettings {
    /// Base URL of the public pages; without https there is no link that ends a subscription, and none is shown.
    pub base_url: Option<String>,
    /// The domain of the example addresses; `lists.example.org` if absent.
    pub domain: Option<String>,
}

impl PreviewSettings {
    fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or("lists.example.org")
    }

    /// The links of the list `media` for an example reader.
    fn links(&self) -> Links {
        // RFC 8058 §3.1 allows only https.
        let pages = self.base_url.as_deref().filter(|url| url.starts_with("https://"));
        Links {
            https: pages.map(|base| format!("{base}/u/example")),
            address: format!("media-unsubscribe+example@{}", self.domain()),
        }
    }
}

struct Links {
    https: Option<String>,
    address: String,
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
    settings: &PreviewSettings,
    now: Timestamp,
) -> Result<Preview, String> {
    let mut release = release.clone();
    picture::attach(&mut release, pictures);
    let (release, pictures) = (&release, enclosures::pictures(&release, pictures));
    let travel = content.rules.budget.plan(&release.attachments, &release.images);
    let (attachments, left_out) = enclosed(release, &travel, files);
    let prepared = PreparedRelease::new(&content.templates, release, &travel).map_err(|error| error.to_string())?;
    let links = settings.links();
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
            unsubscribe: links.https.as_deref(),
            unsubscribe_address: Some(&links.address),
        })
        .map_err(|error| error.to_string())?;
    let to = Mailbox { name: reader.name.clone(), address: example_address(READER)? };
    let has_calendar = content.templates.manifest(&release.kind).is_some_and(|manifest| manifest.calendar);
    let files = Parts { calendar: None, pictures: &pictures, attachments: &attachments };
    let example = Example { has_calendar, domain: settings.domain(), links: &links };
    let message = message(release, &personal, &to, files, &example, now)?;
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

/// What an example mail contains besides texts and files.
struct Example<'a> {
    has_calendar: bool,
    domain: &'a str,
    links: &'a Links,
}

/// The whole message from the first issuer, with example addresses; read back before it is shown.
fn message(
    release: &Release,
    personal: &Personal,
    to: &Mailbox,
    files: Parts<'_>,
    example: &Example<'_>,
    now: Timestamp,
) -> Result<Vec<u8>, String> {
    let Example { has_calendar, domain, links } = *example;
    let name = release.issuers.first().map(|issuer| issuer.name.clone());
    let from = Mailbox { name, address: example_address(&format!("media@{domain}"))? };
    let event = release.event.as_ref().filter(|_| has_calendar);
    let identity = event.map(|event| EventIdentity::alone(event, ReleaseId(0), domain));
    let calendar = identity.and_then(|identity| enclosures::calendar(release, identity, now, &from));
    let asks = event.and_then(|event| event.rsvp.as_ref()).map_or(&from.address, |rsvp| &rsvp.to).clone();
    let wanted = event.is_some_and(|event| event.answers_to().is_some());
    let asking = calendar::asking(&Mailbox { name: from.name.clone(), address: asks }, to, wanted);
    let calendar = calendar.map(|calendar| calendar.for_reader(&asking));
    let parts = Parts { calendar: calendar.as_ref(), ..files };
    let frame = Frame::new(release.language.as_str(), "preview", parts);
    let sender = Sender {
        reply_to: Some(reply_mailbox(release, &from.address)).filter(|reply| reply.address != from.address),
        from,
        feedback_id: format!("preview:{}:depesch", release.kind),
    };
    let list = ListFields {
        title: String::new(),
        id: format!("media.{domain}"),
        owner: format!("mailto:media-owner@{domain}"),
        help: format!("mailto:media-request@{domain}?subject=help"),
    };
    let (subject, text, html) = (personal.subject(), personal.text(), personal.html());
    let one = Individual {
        to,
        reply_to: None,
        subject: &subject,
        date: now,
        message_id: &format!("preview@{domain}"),
        references: &[],
        unsubscribe_https: links.https.as_deref(),
        unsubscribe_mailto: &format!("mailto:{}", links.address),
        calendar_lines: "",
        text_values: personal.text_values(),
        html_values: personal.html_values(),
    };
    let bytes = compose(&sender, &list, &frame, personal.bodies(), &one).map_err(|error| error.to_string())?;
    let one_click = links.https.is_some();
    let expected = Expected { subject: &subject, text: &text, html: &html, parts, one_click };
    verify(&bytes, &expected)?;
    Ok(bytes)
}

fn example_address(text: &str) -> Result<crate::base::address::Address, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}
