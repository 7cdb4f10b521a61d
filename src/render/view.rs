//! The view of a release for templates: every text in its final form, dates in words, lists joined. Absent texts are
//! absent, so that strict templates detect them; absent lists are empty.
//!
//! Names that end in `_html` hold sanitised HTML, names that end in `_text` plain text of several lines; both go into
//! a template with three braces. Everything else is one line of plain text, with two braces.

use serde_json::{Map, Value};

use crate::model::contact::{ContactRole, ReleaseContact};
use crate::model::release::attachment::Travel;
use crate::model::release::{
    Attachment, EventStatus, Fact, Image, LinkGroup, Moment, Person, Quote, Relation, Release, Span,
};

use super::html::HtmlWriter;
use super::labels::Labels;
use super::markdown::{self, Block, Inline, Reading, plain_inlines};
use super::plain::{self, Notes};
use super::typography::{Typography, with_stop};

pub(super) type Fields = Map<String, Value>;

/// Builds the view of one release in its language.
pub(super) struct ViewWriter<'a> {
    pub(super) labels: &'a Labels,
    html: HtmlWriter,
    notes: Notes,
}

/// The view of a release: the object `release` of its templates. `travel` says how each attachment is sent.
pub(crate) fn of_release(release: &Release, labels: &Labels, travel: &[Travel]) -> Value {
    let mut writer = ViewWriter { labels, html: HtmlWriter::new(), notes: Notes::default() };
    let mut view = Fields::new();
    writer.heading(&mut view, release);
    writer.texts(&mut view, release);
    writer.happening(&mut view, release);
    writer.material(&mut view, release, travel);
    writer.people(&mut view, release);
    let notes: Vec<Value> = writer.notes.links().iter().zip(1..).map(|(url, number)| note(number, url)).collect();
    put_list(&mut view, "notes", notes);
    let mut view = Value::Object(view);
    strip_marks(&mut view);
    keep_together(&mut view, "", &labels.reading.typography);
    view
}

fn note(number: usize, url: &str) -> Value {
    serde_json::json!({ "number": number.to_string(), "url": url })
}

/// Adds a text unless it is absent or blank.
pub(super) fn put(fields: &mut Fields, name: &str, text: Option<impl Into<String>>) {
    if let Some(text) = text.map(Into::into).filter(|text| !text.trim().is_empty()) {
        fields.insert(name.to_owned(), Value::String(text));
    }
}

/// Adds a list, even if empty: a loop over it is no error then.
pub(super) fn put_list<T: Into<Value>>(fields: &mut Fields, name: &str, list: impl IntoIterator<Item = T>) {
    let list: Vec<Value> = list.into_iter().map(Into::into).collect();
    fields.insert(name.to_owned(), Value::Array(list));
}

/// Removes the noncharacters that mark the recipient's places while a mailing is prepared (see `prepare`).
fn strip_marks(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(['\u{fdd0}', '\u{fdd1}']) => {
            *text = text.replace(['\u{fdd0}', '\u{fdd1}'], "");
        }
        Value::Array(list) => list.iter_mut().for_each(strip_marks),
        Value::Object(fields) => fields.values_mut().for_each(strip_marks),
        _ => {}
    }
}

/// Values that are read by programs, or already went through [`markdown`].
const AS_GIVEN: [&str; 11] =
    ["url", "e164", "email", "file", "to", "reference", "map", "stream", "language", "kind", "subject"];

/// Inserts no-break spaces into all values that are one line of words.
fn keep_together(value: &mut Value, name: &str, typography: &Typography) {
    match value {
        Value::String(text) if !AS_GIVEN.contains(&name) && !name.ends_with("_html") && !name.ends_with("_text") => {
            *text = typography.keep_together(text);
        }
        Value::Array(list) => list.iter_mut().for_each(|value| keep_together(value, name, typography)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| keep_together(value, name, typography)),
        _ => {}
    }
}

impl ViewWriter<'_> {
    fn heading(&mut self, view: &mut Fields, release: &Release) {
        put(view, "kind", Some(release.kind.as_str()));
        put(view, "language", Some(release.language.as_str()));
        put(view, "direction", Some(self.labels.direction.as_str()));
        put(view, "headline", Some(release.headline.as_str()));
        put(view, "headline_rule", Some("=".repeat(release.headline.chars().count().min(super::flow::COLUMNS))));
        put(view, "subject", Some(release.subject()));
        put(view, "subject_notice", self.subject_notice(release));
        put(view, "kicker", release.kicker.as_deref());
        put(view, "category", release.category.as_deref());
        put_list(view, "tags", release.tags.iter().cloned());
        let topics: Vec<&str> = release.category.iter().chain(&release.tags).map(String::as_str).collect();
        put(view, "topics", Some(topics.join(", ")));
        put_list(view, "archive_notes", release.archive.iter().flat_map(|archive| archive.notes.iter().cloned()));
        put(view, "issuer_line", Some(self.issuer_line(release)));
        put_list(
            view,
            "issuers",
            release.issuers.iter().map(|issuer| {
                let mut fields = Fields::new();
                put(&mut fields, "name", Some(issuer.name.as_str()));
                put(&mut fields, "role", issuer.role.as_deref());
                fields
            }),
        );
        let bylines: Vec<String> = release.bylines.iter().map(Person::line).collect();
        put(view, "byline", Some(self.labels.list(&bylines)));
        for (name, moment) in
            [("published", release.published), ("updated", release.updated), ("expires", release.expires)]
        {
            put(view, name, moment.map(|m| self.labels.dates.moment(m)));
        }
        if let Some(embargo) = &release.embargo {
            let mut fields = Fields::new();
            put(&mut fields, "until", Some(self.labels.dates.moment(embargo.until)));
            put(&mut fields, "reason", embargo.reason.as_deref());
            view.insert("embargo".to_owned(), Value::Object(fields));
        }
        put_list(view, "relations", release.relations.iter().map(|r| self.relation(r)));
        put_list(
            view,
            "translations",
            release.translations.iter().map(|t| {
                let mut fields = Fields::new();
                put(&mut fields, "title", t.title.clone().or_else(|| Some(t.language.as_str().to_owned())));
                put(&mut fields, "reference", Some(t.reference.as_str()));
                put_link(&mut fields, "url", Some(&t.reference));
                fields
            }),
        );
    }

    /// "NY TID" or "INSTÄLLT" before the subject of a moved or cancelled event, unless the author wrote it there.
    fn subject_notice(&self, release: &Release) -> Option<String> {
        let notice = self.status_word(release.event.as_ref()?)?;
        let subject = release.subject().to_lowercase();
        (!subject.starts_with(&notice.to_lowercase())).then(|| notice.to_owned())
    }

    /// All issuers; those with a role of their own ("i samarbete med") come last, with it.
    fn issuer_line(&self, release: &Release) -> String {
        let plain: Vec<String> = release.issuers.iter().filter(|i| i.role.is_none()).map(|i| i.name.clone()).collect();
        let mut line = self.labels.list(&plain);
        for issuer in &release.issuers {
            if let Some(role) = &issuer.role {
                line.push_str(&format!(" {role} {}", issuer.name));
            }
        }
        line.trim().to_owned()
    }

    fn relation(&self, relation: &Relation) -> Fields {
        let mut fields = Fields::new();
        put(&mut fields, "label", Some(self.labels.word(relation.kind.word())));
        put(&mut fields, "title", Some(relation.title.as_deref().unwrap_or(&relation.to)));
        put(&mut fields, "date", relation.date.map(|d| self.labels.dates.moment(d)));
        put_link(&mut fields, "url", Some(&relation.to));
        fields
    }

    fn texts(&mut self, view: &mut Fields, release: &Release) {
        if let Some(lead) = &release.lead {
            self.put_inline(view, "lead", lead);
        }
        self.put_markdown(view, "body", &release.body);
        let quotes: Vec<Block> = release.quotes.iter().map(|q| quote_block(q, &self.labels.reading)).collect();
        self.put_blocks(view, "quotes", &quotes);
        if let Some(quote) = &release.pull_quote {
            self.put_blocks(view, "pull_quote", &[quote_block(quote, &self.labels.reading)]);
        }
        self.put_words(view, "change", release.change.as_deref());
        // A cancelled event has no welcome.
        let cancelled = release.event.as_ref().is_some_and(|event| event.status == EventStatus::Cancelled);
        self.put_words(view, "media_welcome", release.media_welcome.as_deref().filter(|_| !cancelled));
        self.put_words(view, "usage_terms", release.usage_terms.as_deref());
        if let Some(note) = &release.editor_note {
            self.put_inline(view, "editor_note", note);
        }
        put(view, "responsible_publisher", release.responsible_publisher.as_deref());
        put_list(view, "facts", release.facts.iter().map(|f| self.fact(f)));
    }

    fn fact(&self, fact: &Fact) -> Fields {
        let mut fields = Fields::new();
        put(&mut fields, "label", Some(fact.label.as_str()));
        // The author's printed text always wins.
        let printed = Some(fact.printed.clone()).filter(|p| !p.trim().is_empty());
        let time = || fact.time.map(|span| self.labels.dates.span(span));
        self.put_words(&mut fields, "printed", printed.or_else(time).or_else(|| fact.place.clone()).as_deref());
        fields
    }

    fn happening(&mut self, view: &mut Fields, release: &Release) {
        if let Some(event) = &release.event {
            view.insert("event".to_owned(), Value::Object(self.event(event)));
        }
        let mut day = release.event.as_ref().map(|e| e.start.date);
        put_list(
            view,
            "programme",
            release
                .programme
                .iter()
                .map(|slot| {
                    let shown = slot.date.filter(|date| day != Some(*date));
                    day = slot.date.or(day);
                    self.slot(slot, shown)
                })
                .collect::<Vec<_>>(),
        );
        let presentations: Vec<Fields> =
            release.presentations.iter().zip(1..).map(|(p, number)| self.presentation(p, number)).collect();
        put_list(view, "presentations", presentations);
        put_list(view, "series", release.series.iter().map(|row| self.series_row(row)));
    }

    fn material(&mut self, view: &mut Fields, release: &Release, travel: &[Travel]) {
        let attachments =
            release.attachments.iter().zip(travel.iter().copied().chain(std::iter::repeat(Travel::InMail)));
        let (mut enclosed, mut linked) = (Vec::new(), Vec::new());
        for (attachment, travel) in attachments {
            match travel {
                Travel::InMail => enclosed.push(self.attachment(attachment)),
                Travel::Link => linked.push(self.attachment(attachment)),
                Travel::Nowhere => {}
            }
        }
        put_list(view, "attachments", enclosed);
        put_list(view, "linked_files", linked);
        put_list(view, "images", release.images.iter().map(|i| self.image(i)));
        put_list(
            view,
            "videos",
            release.videos.iter().map(|video| {
                let mut fields = Fields::new();
                put(&mut fields, "title", Some(video.title.as_str()));
                put(&mut fields, "people", Some(people_line(&video.people)));
                let named = std::iter::once(video.title.clone()).chain(video.people.iter().map(Person::line));
                put(&mut fields, "sentence", Some(with_stop(&named.collect::<Vec<_>>().join(", "))));
                put(&mut fields, "text", video.text.as_deref());
                put_link(&mut fields, "url", Some(&video.url));
                fields
            }),
        );
        put_list(view, "links", release.links.iter().map(link_group));
    }

    fn attachment(&self, attachment: &Attachment) -> Fields {
        let mut fields = Fields::new();
        put(&mut fields, "label", Some(attachment.label()));
        put(&mut fields, "file", Some(attachment.file_name()));
        put(&mut fields, "size", attachment.blob.map(|b| size_in_words(b.size, self.labels)));
        put(&mut fields, "people", Some(people_line(&attachment.people)));
        put_link(&mut fields, "url", attachment.url.as_deref());
        fields
    }

    fn image(&self, image: &Image) -> Fields {
        let mut fields = Fields::new();
        put(&mut fields, "alt", image.alt.as_deref());
        put(&mut fields, "caption", image.caption.as_deref().or(image.alt.as_deref()).or(image.file.as_deref()));
        put(&mut fields, "photographer", image.photographer.as_deref());
        put(&mut fields, "rights", image.rights.as_deref());
        put_link(&mut fields, "url", image.url.as_deref());
        fields
    }

    fn people(&mut self, view: &mut Fields, release: &Release) {
        let of = |role: ContactRole| release.contacts.iter().filter(move |c| c.role == role).map(contact);
        put_list(view, "press_contacts", of(ContactRole::Press));
        put_list(view, "subject_contacts", of(ContactRole::Subject));
        let boilerplates: Vec<Fields> = release
            .boilerplates
            .iter()
            .map(|boilerplate| {
                let mut fields = Fields::new();
                put(&mut fields, "name", Some(boilerplate.name.as_str()));
                self.put_markdown(&mut fields, "about", &boilerplate.text);
                fields
            })
            .collect();
        put_list(view, "boilerplates", boilerplates);
    }

    /// Adds Markdown as `<name>_html` and `<name>_text`.
    pub(super) fn put_markdown(&mut self, fields: &mut Fields, name: &str, text: &str) {
        self.put_blocks(fields, name, &markdown::parse(text, &self.labels.reading));
    }

    pub(super) fn put_blocks(&mut self, fields: &mut Fields, name: &str, blocks: &[Block]) {
        if !blocks.is_empty() {
            let html = self.html.blocks(blocks, &self.labels.marks);
            put(fields, &format!("{name}_html"), Some(html));
            put(fields, &format!("{name}_text"), Some(plain::write(blocks, &self.labels.marks, &mut self.notes)));
        }
    }

    /// Adds Markdown without paragraphs, under the same names.
    pub(super) fn put_inline(&mut self, fields: &mut Fields, name: &str, text: &str) {
        let inlines = markdown::parse_inline(text, &self.labels.reading);
        put(fields, &format!("{name}_html"), Some(self.html.inlines(&inlines)));
        put(fields, &format!("{name}_text"), Some(plain::line(&inlines, &mut self.notes)));
    }

    /// Adds a text that is not Markdown as it is, and as `<name>_html` with its bare addresses as links.
    pub(super) fn put_words(&self, fields: &mut Fields, name: &str, text: Option<&str>) {
        put(fields, name, text);
        let html = text.map(|text| self.html.inlines(&plain_inlines(text, &self.labels.reading)));
        put(fields, &format!("{name}_html"), html);
    }

    pub(super) fn when(&self, start: Moment, end: Option<Moment>) -> String {
        self.labels.dates.span(Span { start, end })
    }
}

/// Adds a link if it works in a mail.
pub(super) fn put_link(fields: &mut Fields, name: &str, link: Option<&str>) {
    put(fields, name, link.and_then(|link| super::links::target(link).ok()));
}

pub(super) fn people_line(people: &[Person]) -> String {
    people.iter().map(Person::line).collect::<Vec<_>>().join("; ")
}

/// A quotation given as fields, in the form of a Markdown quote's block.
pub(super) fn quote_block(quote: &Quote, reading: &Reading) -> Block {
    use crate::model::release::AttributionPlace;
    let paragraph = |text: &String| Block::Paragraph(plain_inlines(text, reading));
    let blocks = quote.paragraphs.iter().map(paragraph).collect();
    let named = || Block::Paragraph(vec![Inline::Strong(vec![Inline::Text(quote.speaker.line())])]);
    match quote.attribution {
        AttributionPlace::After => Block::Quote { blocks, speaker: Some(quote.speaker.clone()) },
        AttributionPlace::Before => {
            let mut all = vec![named()];
            all.extend(blocks);
            Block::Speech(all)
        }
        AttributionPlace::Middle => {
            let mut all = blocks;
            all.insert(1.min(all.len()), named());
            Block::Speech(all)
        }
    }
}

fn contact(contact: &ReleaseContact) -> Fields {
    let person = &contact.contact;
    let mut fields = Fields::new();
    put(&mut fields, "name", Some(person.name.as_str()));
    put(&mut fields, "title", person.title.as_deref());
    put(&mut fields, "organisation", person.organisation.as_deref());
    put_list(
        &mut fields,
        "phones",
        person.phones.iter().map(|phone| {
            let mut fields = Fields::new();
            put(&mut fields, "printed", Some(phone.printed.as_str()));
            put(&mut fields, "e164", phone.e164.as_deref());
            fields
        }),
    );
    put(&mut fields, "email", person.email.as_ref().map(|a| a.as_str()));
    put(&mut fields, "hours", person.hours.as_deref());
    fields
}

fn link_group(group: &LinkGroup) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "title", group.title.as_deref());
    put_list(
        &mut fields,
        // Not "links": inside a loop that would be the recipient's own.
        "entries",
        group.links.iter().map(|link| {
            let mut fields = Fields::new();
            put(&mut fields, "title", Some(link.title.as_str()));
            put_link(&mut fields, "url", Some(&link.url));
            fields
        }),
    );
    fields
}

/// "1,2 MB": in thousands, as file managers count, with the language's decimal sign.
fn size_in_words(bytes: u64, labels: &Labels) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => {
            let tenths = bytes.div_ceil(100_000);
            format!("{}{}{} MB", tenths / 10, labels.word("decimal_sign"), tenths % 10)
        }
    }
}
