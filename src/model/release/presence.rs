//! Which fields a release has, by the names used in template manifests.

use super::Release;

/// Every name that a manifest may require.
pub(crate) const FIELDS: [&str; 41] = [
    "archive",
    "attachments",
    "attachments_or_links",
    "beats",
    "body",
    "boilerplate",
    "bylines",
    "category",
    "change",
    "contacts",
    "corrected",
    "editor_note",
    "embargo",
    "event",
    "event.end",
    "event.place",
    "event.rsvp",
    "event.start",
    "expires",
    "facts",
    "headline",
    "images",
    "issuers",
    "kicker",
    "lead",
    "links",
    "media_welcome",
    "presentations",
    "programme",
    "published",
    "pull_quote",
    "quotes",
    "regions",
    "relations",
    "responsible_publisher",
    "series",
    "subject",
    "tags",
    "updated",
    "usage_terms",
    "videos",
];

impl Release {
    /// Whether the release has the field of that name; `None` for an unknown name (see [`FIELDS`]).
    pub(crate) fn has(&self, field: &str) -> Option<bool> {
        let event = self.event.as_ref();
        Some(match field {
            "archive" => self.archive.is_some(),
            "attachments" => !self.attachments.is_empty(),
            "attachments_or_links" => self.has_material(),
            "beats" => !self.beats.is_empty(),
            "body" => !self.body.trim().is_empty(),
            "boilerplate" => !self.boilerplates.is_empty(),
            "bylines" => !self.bylines.is_empty(),
            "category" => self.category.is_some(),
            "change" => self.change.is_some(),
            "contacts" => !self.contacts.is_empty(),
            "corrected" => !self.corrected.is_empty(),
            "editor_note" => self.editor_note.is_some(),
            "embargo" => self.embargo.is_some(),
            "event" | "event.start" => event.is_some(),
            "event.end" => event.is_some_and(|e| e.end.is_some()),
            "event.place" => event.is_some_and(|e| e.place().is_some() || e.stream.is_some()),
            "event.rsvp" => event.is_some_and(|e| e.rsvp.is_some()),
            "expires" => self.expires.is_some(),
            "facts" => !self.facts.is_empty(),
            "headline" => !self.headline.is_empty(),
            "images" => !self.images.is_empty(),
            "issuers" => !self.issuers.is_empty(),
            "kicker" => self.kicker.is_some(),
            "lead" => self.lead.is_some(),
            "links" => !self.links.is_empty(),
            "media_welcome" => self.media_welcome.is_some(),
            "presentations" => !self.presentations.is_empty(),
            "programme" => !self.programme.is_empty(),
            "published" => self.published.is_some(),
            "pull_quote" => self.pull_quote.is_some(),
            "quotes" => !self.quotes.is_empty(),
            "regions" => !self.regions.is_empty(),
            "relations" => !self.relations.is_empty(),
            "responsible_publisher" => self.responsible_publisher.is_some(),
            "series" => !self.series.is_empty(),
            "subject" => self.subject.is_some(),
            "tags" => !self.tags.is_empty(),
            "updated" => self.updated.is_some(),
            "usage_terms" => self.usage_terms.is_some(),
            "videos" => !self.videos.is_empty(),
            _ => return None,
        })
    }

    /// The release without a field that its templates may show; `None` for a field that has substitutes or that every
    /// release has. An event is examined without facts, which are shown in its place.
    pub(crate) fn without(&self, field: &str) -> Option<Self> {
        let mut less = self.clone();
        match field {
            "archive" => less.archive = None,
            "attachments" => less.attachments.clear(),
            "beats" => less.beats.clear(),
            "boilerplate" => less.boilerplates.clear(),
            "body" => less.body.clear(),
            "bylines" => less.bylines.clear(),
            "category" => less.category = None,
            "change" => less.change = None,
            "contacts" => less.contacts.clear(),
            "corrected" => less.corrected.clear(),
            "editor_note" => less.editor_note = None,
            "embargo" => less.embargo = None,
            "event" if self.facts.is_empty() => less.event = None,
            "event.rsvp" => less.event.iter_mut().for_each(|event| event.rsvp = None),
            "expires" => less.expires = None,
            "facts" => less.facts.clear(),
            "images" => less.images.clear(),
            "kicker" => less.kicker = None,
            "lead" => less.lead = None,
            "links" => less.links.clear(),
            "media_welcome" => less.media_welcome = None,
            "presentations" => less.presentations.clear(),
            "programme" => less.programme.clear(),
            "published" => less.published = None,
            "pull_quote" => less.pull_quote = None,
            "quotes" => less.quotes.clear(),
            "regions" => less.regions.clear(),
            "relations" => less.relations.clear(),
            "responsible_publisher" => less.responsible_publisher = None,
            "series" => less.series.clear(),
            "tags" => less.tags.clear(),
            "updated" => less.updated = None,
            "usage_terms" => less.usage_terms = None,
            "videos" => less.videos.clear(),
            _ => return None,
        }
        Some(less)
    }

    /// Whether it has material to fetch: an attachment, a link, a video, or a presentation's own link.
    fn has_material(&self) -> bool {
        !self.attachments.is_empty()
            || !self.links.is_empty()
            || !self.videos.is_empty()
            || self.presentations.iter().any(|p| p.url.is_some())
    }
}
