//! Previews of a release, without a store: for its author before it is queued.

use std::collections::BTreeMap;

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::mail::compose::{Attachment, Frame, Individual, ListFields, Sender, compose};
use crate::mail::headers::Mailbox;
use crate::mail::verify::{Expected, verify};
use crate::model::release::Release;
use crate::model::release::attachment::Travel;
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
    /// Attachments left out of this mail because their content was not given or is too large.
    pub left_out: Vec<String>,
}

/// Renders `release` for `reader` and composes a whole message. `files` holds the contents of its attachments by
/// name, as far as available.
///
/// # Errors
/// A text: what is missing, and in which template.
pub fn preview(
    content: &Content,
    release: &Release,
    files: &BTreeMap<String, Vec<u8>>,
    reader: &SampleReader,
    settings: &PreviewSettings,
    now: Timestamp,
) -> Result<Preview, String> {
    let travel = content.budget.plan(&release.attachments, &release.images);
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
    let parts = Parts { attachments: &attachments, has_calendar, domain: settings.domain(), links: &links };
    let message = message(release, &personal, &to, &parts, now)?;
    Ok(Preview { subject: personal.subject(), text: personal.text(), html: personal.html(), message, left_out })
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

/// What a message contains besides the texts.
struct Parts<'a> {
    attachments: &'a [Attachment],
    has_calendar: bool,
    domain: &'a str,
    links: &'a Links,
}

/// The whole message from the first issuer, with example addresses; read back before it is shown.
fn message(
    release: &Release,
    personal: &Personal,
    to: &Mailbox,
    parts: &Parts<'_>,
    now: Timestamp,
) -> Result<Vec<u8>, String> {
    let Parts { attachments, has_calendar, domain, links } = *parts;
    let name = release.issuers.first().map(|issuer| issuer.name.clone());
    let from = Mailbox { name, address: example_address(&format!("media@{domain}"))? };
    let event = release.event.as_ref().filter(|_| has_calendar);
    let identity = event.map(|event| EventIdentity::alone(event, ReleaseId(0), domain));
    let calendar = identity.and_then(|identity| enclosures::calendar(release, identity, now, &from));
    let frame = Frame::new(release.language.as_str(), "preview", calendar.as_ref(), attachments);
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
        text_values: personal.text_values(),
        html_values: personal.html_values(),
    };
    let bytes = compose(&sender, &list, &frame, personal.bodies(), &one).map_err(|error| error.to_string())?;
    let (calendar, one_click) = (calendar.as_ref(), links.https.is_some());
    let expected = Expected { subject: &subject, text: &text, html: &html, calendar, attachments, one_click };
    verify(&bytes, &expected)?;
    Ok(bytes)
}

fn example_address(text: &str) -> Result<crate::base::address::Address, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}
