//! Finds fields that a release has but its kind's templates do not show, by rendering the release without each of
//! them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::release::attachment::Travel;
use crate::model::release::presence::FIELDS;
use crate::model::release::{EventStatus, Release};

use super::prepare::{PreparedRelease, Recipient};
use super::registry::Templates;

/// The fields of `release`, by their names in release files, that change neither its subject nor its text nor its
/// HTML. Empty for a release that cannot be rendered.
pub(crate) fn unshown(templates: &Arc<Templates>, release: &Release, travel: &[Travel]) -> Vec<&'static str> {
    let Some(manifest) = templates.manifest(&release.kind) else { return Vec::new() };
    let mut release = release.clone();
    // What is left out because the event is cancelled is left out intentionally.
    if let Some(event) = &mut release.event {
        event.status = EventStatus::Planned;
    }
    let whole = rendered(templates, &release, travel);
    let candidates = FIELDS
        .into_iter()
        .filter(|field| release.has(field) == Some(true) && !manifest.unshown.iter().any(|kept| kept == field));
    let is_unshown =
        |field: &&str| release.without(field).is_some_and(|less| rendered(templates, &less, travel) == whole);
    let Some([_, text, _]) = &whole else { return Vec::new() };
    candidates.filter(is_unshown).chain(places(&release, text)).collect()
}

/// The parts of an event's place that were replaced by the author's own facts, and are not repeated there.
fn places(release: &Release, text: &str) -> Vec<&'static str> {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let text = flat(text);
    let Some(event) = release.event.as_ref().filter(|_| !release.facts.is_empty()) else { return Vec::new() };
    let parts = [("event.venue", &event.venue), ("event.street", &event.street), ("event.city", &event.city)];
    let lost = |(name, part): (&'static str, &Option<String>)| {
        part.as_ref().filter(|part| !text.contains(&flat(part))).map(|_| name)
    };
    parts.into_iter().filter_map(lost).collect()
}

fn rendered(templates: &Arc<Templates>, release: &Release, travel: &[Travel]) -> Option<[String; 3]> {
    let prepared = PreparedRelease::new(templates, release, travel).ok()?;
    let names = prepared.recipient_fields().iter().filter_map(|field| field.strip_prefix("recipient.attributes."));
    let attributes: BTreeMap<String, String> = names.map(|name| (name.to_owned(), name.to_owned())).collect();
    let reader = Recipient {
        name: None,
        organisation: None,
        address: "reader@example.org",
        language: &release.language,
        attributes: &attributes,
        list_title: None,
        unsubscribe: None,
        unsubscribe_address: None,
    };
    let personal = prepared.for_recipient(&reader).ok()?;
    Some([personal.subject(), personal.text(), personal.html()])
}
