//! Parses the top-level fields of the front matter.

use super::section::Section;
use super::split::Split;
use super::{Draft, Positions, SourceSettings};
use crate::base::language::Language;
use crate::model::release::{Kind, Release};

/// Parses the whole front matter.
pub(super) fn read(mut root: Section<'_, '_>, split: &Split, settings: &SourceSettings) -> Draft {
    let zone = root.zone("zone").unwrap_or(settings.zone);
    let kind: Option<Kind> = root.parsed("kind", "write \"press-release\", \"invitation\" or \"documentation\"");
    if !root.was_given("kind") {
        root.miss("kind", "\"press-release\"");
    }
    let language: Option<Language> = root.parsed("language", "write a language tag such as sv or en-GB");
    if !root.was_given("language") {
        root.miss("language", "\"sv\"");
    }
    let contacts = root.contacts("contacts", settings);
    let boilerplates = root.boilerplates("boilerplate");
    let mut release = head(&mut root, kind, language, zone);
    content(&mut root, &mut release);
    closing(&mut root, &mut release);
    release.body = split.text().to_owned();
    root.finish();
    Draft { release, contacts, boilerplates, positions: Positions::default() }
}

fn head(root: &mut Section<'_, '_>, kind: Option<Kind>, language: Option<Language>, zone: chrono_tz::Tz) -> Release {
    Release {
        // An unreadable kind or language was reported; the draft is not used then.
        kind: kind.unwrap_or_default(),
        language: language.unwrap_or_else(Language::english),
        zone,
        headline: root.need("headline", "\"What is new\""),
        subject: root.line_text("subject"),
        kicker: root.line_text("kicker"),
        lead: root.text("lead"),
        translations: root.translations("translations"),
        issuers: root.issuers("issuers"),
        bylines: root.people("bylines"),
        category: root.line_text("category"),
        tags: root.texts("tags"),
        beats: root.texts("beats"),
        regions: root.texts("regions"),
        facts: Vec::new(),
        event: None,
        programme: Vec::new(),
        presentations: Vec::new(),
        series: Vec::new(),
        body: String::new(),
        quotes: Vec::new(),
        pull_quote: None,
        attachments: Vec::new(),
        images: Vec::new(),
        videos: Vec::new(),
        links: Vec::new(),
        contacts: Vec::new(),
        boilerplates: Vec::new(),
        published: None,
        updated: None,
        expires: None,
        embargo: None,
        archive: None,
        relations: Vec::new(),
        change: None,
        corrected: Vec::new(),
        media_welcome: None,
        usage_terms: None,
        editor_note: None,
        headings: Default::default(),
        responsible_publisher: None,
    }
}

fn content(root: &mut Section<'_, '_>, release: &mut Release) {
    let zone = release.zone;
    release.event = root.event("event", zone);
    let event_zone = release.event.as_ref().map_or(zone, |event| event.zone);
    release.facts = root.facts("facts", event_zone);
    release.programme = root.programme("programme");
    release.presentations = root.presentations("presentations");
    release.series = root.series("series");
    release.quotes = root.quotes("quotes");
    release.pull_quote = root.quote("pull_quote");
    release.attachments = root.attachments("attachments");
    release.images = root.images("images");
    release.videos = root.videos("videos");
    release.links = root.link_groups("links");
    release.headings = root.headings("headings");
}

fn closing(root: &mut Section<'_, '_>, release: &mut Release) {
    let zone = release.zone;
    release.published = root.moment("published", zone);
    release.updated = root.moment("updated", zone);
    release.expires = root.moment("expires", zone);
    release.embargo = root.embargo("embargo", zone);
    release.archive = root.archive("archive", zone);
    release.relations = root.relations("relations", zone);
    release.change = root.text("change");
    release.corrected = root.corrected("corrected");
    release.media_welcome = root.text("media_welcome");
    release.usage_terms = root.text("usage_terms");
    release.editor_note = root.text("editor_note");
    release.responsible_publisher = root.line_text("responsible_publisher");
}
