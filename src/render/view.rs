//! The view of a release for templates: every text in its final form, dates in words, lists joined. Absent texts are
//! absent, so that strict templates detect them; absent lists are empty.
//!
//! Names that end in `_html` hold sanitised HTML, names that end in `_text` plain text of several lines; both go into
//! a template with three braces. Everything else is one line of plain text, with two braces.

use serde_json::{Map, Value};

use crate::model::release::attachment::Travel;
use crate::model::release::block;
use crate::model::release::{Corrected, EventStatus, Fact, Moment, Person, Quote, Relation, Release, Span};

use super::html::HtmlWriter;
use super::labels::Labels;
use super::markdown::{self, Block, Inline, Reading, plain_inlines};
use super::plain::{self, Notes};
use super::typography::Typography;

pub(super) type Fields = Map<String, Value>;

/// Builds the view of one release in its language.
pub(super) struct ViewWriter<'a> {
    pub(super) labels: &'a Labels,
    html: HtmlWriter,
    notes: Notes,
}

/// The view of a release: the object `release` of its templates. `travel` says how each attachment is sent.
/// `order` is the kind's order of blocks.
pub(crate) fn of_release(release: &Release, labels: &Labels, travel: &[Travel], order: &[block::Block]) -> Value {
    let mut writer = ViewWriter { labels, html: HtmlWriter::new(), notes: Notes::default() };
    let mut view = Fields::new();
    writer.heading(&mut view, release);
    writer.texts(&mut view, release);
    let blocks = writer.blocks(release, travel, order);
    put_list(&mut view, "blocks", blocks);
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

    /// The texts that are single and not Markdown blocks.
    fn texts(&mut self, view: &mut Fields, release: &Release) {
        if let Some(lead) = &release.lead {
            self.put_inline(view, "lead", lead);
        }
        self.put_words(view, "change", release.change.as_deref());
        let corrected = |words: &Corrected| {
            let mut fields = Fields::new();
            self.put_words(&mut fields, "old", Some(&words.old));
            self.put_words(&mut fields, "new", Some(&words.new));
            fields
        };
        put_list(view, "corrected", release.corrected.iter().map(corrected));
        // A cancelled event has no welcome.
        let cancelled = release.event.as_ref().is_some_and(|event| event.status == EventStatus::Cancelled);
        self.put_words(view, "media_welcome", release.media_welcome.as_deref().filter(|_| !cancelled));
        self.put_words(view, "usage_terms", release.usage_terms.as_deref());
        put(view, "responsible_publisher", release.responsible_publisher.as_deref());
        put_list(view, "facts", release.facts.iter().map(|f| self.fact(f)));
        if let Some(event) = &release.event {
            view.insert("event".to_owned(), Value::Object(self.event(event)));
        }
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
