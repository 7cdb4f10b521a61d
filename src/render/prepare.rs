//! A release that only lacks the recipient: everything independent of the recipient is rendered once, with a mark in
//! each dependent place; for a message only the recipient's values are inserted.
//!
//! One rendering serves all recipients with the same set of present values (a name or none, an organisation or none),
//! language and list. Templates that compute with a recipient's value are rendered for each recipient.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use handlebars::Context;
use serde_json::{Map, Value, json};

use crate::base::language::Language;
use crate::mail::compose::Body;
use crate::mail::headers::one_line;
use crate::model::release::Release;
use crate::model::release::attachment::Travel;

use super::flow::flow;
use super::html::escape;
use super::registry::{Part, Templates};
use super::template_files::TemplateError;
use super::view;

/// Maximum bytes of an HTML part: Gmail cuts longer ones off.
pub const HTML_LIMIT: usize = 100_000;
/// Maximum bytes of cached renderings, for similar recipients: with hundreds of lists, each has its own.
const KEPT_BYTES: usize = 32 * 1024 * 1024;
/// Enclose the number of a recipient's value; no text may contain these noncharacters.
const MARKS: [char; 2] = ['\u{fdd0}', '\u{fdd1}'];

/// The recipient of a message, as templates see them.
#[derive(Clone, Debug)]
pub struct Recipient<'a> {
    /// Their name.
    pub name: Option<&'a str>,
    /// Their newsroom or organisation.
    pub organisation: Option<&'a str>,
    /// Their address.
    pub address: &'a str,
    /// The language of the words around the release, if it has labels.
    pub language: &'a Language,
    /// Further attributes.
    pub attributes: &'a BTreeMap<String, String>,
    /// The list's title; `None` if it must not be shown.
    pub list_title: Option<&'a str>,
    /// The https link that ends the subscription.
    pub unsubscribe: Option<&'a str>,
    /// The mail address that ends it.
    pub unsubscribe_address: Option<&'a str>,
}

impl<'a> Recipient<'a> {
    /// The value of a field on one line; `None` if it is absent or blank.
    pub(crate) fn value(&self, field: &str) -> Option<Cow<'a, str>> {
        let value = match field {
            "recipient.name" => self.name,
            "recipient.organisation" => self.organisation,
            "recipient.address" => Some(self.address),
            "recipient.language" => Some(self.language.as_str()),
            "links.unsubscribe" => self.unsubscribe,
            "links.unsubscribe_address" => self.unsubscribe_address,
            other => {
                let name = other.strip_prefix("recipient.attributes.")?;
                self.attributes.get(name).map(String::as_str)
            }
        };
        value.map(one_line).filter(|value| !value.trim().is_empty())
    }
}

/// A release ready for its recipients.
pub struct PreparedRelease {
    templates: Arc<Templates>,
    kind: crate::model::release::Kind,
    /// The objects `release`, `labels` and `kind_title`.
    shared: Map<String, Value>,
    language: Language,
    fields: Vec<String>,
    computes: bool,
    kept: RwLock<Kept>,
}

/// Cached renderings, and approximately how many bytes they use.
#[derive(Default)]
struct Kept {
    renderings: HashMap<Likeness, Result<Arc<Rendering>, TemplateError>>,
    bytes: usize,
}

/// What recipients who share a rendering have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Likeness {
    present: u64,
    language: String,
    list_title: Option<String>,
}

/// The three parts with marks in place of the recipient's values.
#[derive(Debug)]
struct Rendering {
    subject: Vec<Piece>,
    text: Vec<Piece>,
    html: Vec<Piece>,
    text_body: Body,
    html_body: Body,
}

impl Rendering {
    /// Approximate number of bytes it uses: each text as it is, and encoded for the mail.
    fn bytes(&self) -> usize {
        let shared = |piece: &Piece| if let Piece::Shared(text) = piece { 2 * text.len() } else { 0 };
        self.subject.iter().chain(&self.text).chain(&self.html).map(shared).sum()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Shared(String),
    Open(usize),
}

/// A release rendered for one recipient.
#[derive(Debug)]
pub struct Personal {
    rendering: Arc<Rendering>,
    values: Vec<String>,
    html_values: Vec<String>,
}

impl PreparedRelease {
    /// Renders everything independent of the recipient. `travel` says how each attachment is sent.
    ///
    /// # Errors
    /// [`TemplateError`]: the kind does not exist, or the language has no labels.
    pub fn new(templates: &Arc<Templates>, release: &Release, travel: &[Travel]) -> Result<Self, TemplateError> {
        let kind = &release.kind;
        let Some(manifest) = templates.manifest(kind) else {
            let known: Vec<&str> = templates.kinds().map(|(kind, _)| kind.as_str()).collect();
            return Err(TemplateError::of(
                kind.as_str(),
                format!("there is no such kind; there are: {}", known.join(", ")),
            ));
        };
        let Some(labels) = templates.labels(&release.language) else {
            let file = format!("labels/{}.toml", release.language.primary());
            return Err(TemplateError::of(file, "it is missing: there are no words for the release's language"));
        };
        let language = release.language.primary();
        let title = manifest.title.get(language).or(manifest.title.get("en")).or(manifest.title.values().next());
        let mut shared = Map::new();
        shared.insert("release".to_owned(), view::of_release(release, labels, travel, &manifest.order));
        shared.insert("labels".to_owned(), json!(labels.words));
        shared.insert("kind_title".to_owned(), json!(title.map_or(kind.as_str(), String::as_str)));
        let usage = templates.usage(kind);
        let computes = usage.computes || usage.open.len() > 64;
        let mut fields: Vec<String> = usage.open.into_iter().collect();
        if computes {
            // A template that loops over a whole object needs all of it.
            fields.extend(super::inspect::RECIPIENT_FIELDS.map(str::to_owned));
        }
        let (templates, language) = (templates.clone(), release.language.clone());
        Ok(Self { templates, kind: kind.clone(), shared, language, fields, computes, kept: RwLock::default() })
    }

    /// The recipient fields that the templates use: what queueing must try for the whole audience.
    pub(crate) fn recipient_fields(&self) -> &[String] {
        &self.fields
    }

    /// Renders for one recipient.
    ///
    /// # Errors
    /// [`TemplateError`]: what is missing or wrong, and in which template.
    pub fn for_recipient(&self, recipient: &Recipient<'_>) -> Result<Personal, TemplateError> {
        if self.computes {
            let rendering = Arc::new(self.rendering(recipient, |_, value| value.to_owned())?);
            return Ok(Personal { rendering, values: Vec::new(), html_values: Vec::new() });
        }
        let mut present = 0u64;
        let mut values = Vec::with_capacity(self.fields.len());
        for (place, field) in self.fields.iter().enumerate() {
            let value = recipient.value(field);
            present |= u64::from(value.is_some()) << place;
            values.push(value.map(Cow::into_owned).unwrap_or_default());
        }
        let rendering = self.rendering_for(recipient, present)?;
        let html_values = values.iter().map(|value| escape(value)).collect();
        Ok(Personal { rendering, values, html_values })
    }

    /// The rendering shared by all recipients similar to `recipient`.
    fn rendering_for(&self, recipient: &Recipient<'_>, present: u64) -> Result<Arc<Rendering>, TemplateError> {
        let likeness = Likeness {
            present,
            language: self.own_language(recipient).as_str().to_owned(),
            list_title: recipient.list_title.map(str::to_owned),
        };
        if let Some(rendering) = self.kept.read().unwrap_or_else(PoisonError::into_inner).renderings.get(&likeness) {
            return rendering.clone();
        }
        let marked = |place: usize, _: &str| format!("{}{place}{}", MARKS[0], MARKS[1]);
        let rendering = self.rendering(recipient, marked).map(Arc::new);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes < KEPT_BYTES {
            kept.bytes += rendering.as_ref().map_or(1000, |rendering| rendering.bytes());
            kept.renderings.insert(likeness, rendering.clone());
        }
        rendering
    }

    /// The recipient's language if it has labels, otherwise the release's.
    fn own_language<'a>(&'a self, recipient: &'a Recipient<'_>) -> &'a Language {
        match self.templates.labels(recipient.language) {
            Some(_) => recipient.language,
            None => &self.language,
        }
    }

    /// Renders the three parts; `shown` returns the text in place of each value.
    fn rendering(
        &self,
        recipient: &Recipient<'_>,
        shown: impl Fn(usize, &str) -> String,
    ) -> Result<Rendering, TemplateError> {
        let context = self.context(recipient, shown)?;
        let part = |part: Part| self.templates.render(&self.kind, part, &context);
        let subject = split(one_line(&part(Part::Subject)?).trim());
        let text = split(&flow(&part(Part::Text)?));
        let html = part(Part::Html)?;
        if html.len() > HTML_LIMIT {
            let what = format!(
                "the HTML part has {} bytes, and mail programs cut off more than {HTML_LIMIT}; shorten the release \
                 or attach a part of it",
                html.len()
            );
            return Err(TemplateError::of(format!("{}/html.hbs", self.kind), what));
        }
        if subject.is_empty() {
            return Err(TemplateError::of(format!("{}/subject.hbs", self.kind), "the subject is empty"));
        }
        let html = split(&format!("{}\n", html.trim()));
        let (text_body, html_body) = (body_of(&text), body_of(&html));
        Ok(Rendering { subject, text, html, text_body, html_body })
    }

    fn context(
        &self,
        recipient: &Recipient<'_>,
        shown: impl Fn(usize, &str) -> String,
    ) -> Result<Context, TemplateError> {
        let mut data = self.shared.clone();
        let own = self.own_language(recipient);
        if let Some(labels) = self.templates.labels(own) {
            data.insert("own".to_owned(), json!(labels.words));
            data.insert("own_direction".to_owned(), json!(labels.direction));
        }
        data.insert("own_language".to_owned(), json!(own.as_str()));
        let (mut about, mut links, mut attributes) = (Map::new(), Map::new(), Map::new());
        for (place, field) in self.fields.iter().enumerate() {
            let Some(value) = recipient.value(field) else { continue };
            let value = Value::String(shown(place, &value));
            if let Some(name) = field.strip_prefix("recipient.attributes.") {
                attributes.insert(name.to_owned(), value);
            } else if let Some(name) = field.strip_prefix("recipient.") {
                about.insert(name.to_owned(), value);
            } else if let Some(name) = field.strip_prefix("links.") {
                links.insert(name.to_owned(), value);
            }
        }
        if self.computes {
            let all = recipient.attributes.iter().map(|(name, value)| (name.clone(), json!(one_line(value))));
            attributes.extend(all);
        }
        about.insert("attributes".to_owned(), Value::Object(attributes));
        data.insert("recipient".to_owned(), Value::Object(about));
        data.insert("links".to_owned(), Value::Object(links));
        let title = recipient.list_title.map(one_line).filter(|title| !title.is_empty());
        data.insert("list".to_owned(), title.map_or_else(|| json!({}), |title| json!({ "title": title })));
        Context::wraps(Value::Object(data)).map_err(|e| TemplateError::of(self.kind.as_str(), e.to_string()))
    }
}

/// Splits a rendered text at its marks.
fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (place, part) in text.split(MARKS[0]).enumerate() {
        let open = (place > 0).then(|| part.split_once(MARKS[1])).flatten();
        let open = open.and_then(|(number, rest)| Some((number.parse::<usize>().ok()?, rest)));
        let shared = match open {
            Some((number, rest)) => {
                pieces.push(Piece::Open(number));
                rest
            }
            None => part,
        };
        if !shared.is_empty() {
            pieces.push(Piece::Shared(shared.to_owned()));
        }
    }
    pieces
}

fn body_of(pieces: &[Piece]) -> Body {
    let mut body = Body::default();
    for piece in pieces {
        match piece {
            Piece::Shared(text) => body.push_shared(text),
            Piece::Open(value) => body.push_open(*value),
        }
    }
    body
}

fn join(pieces: &[Piece], values: &[String]) -> String {
    let value = |piece: &'_ Piece| match piece {
        Piece::Shared(text) => text.clone(),
        Piece::Open(value) => values.get(*value).cloned().unwrap_or_default(),
    };
    match pieces {
        [Piece::Shared(whole)] => whole.clone(),
        pieces => pieces.iter().map(value).collect(),
    }
}

impl Personal {
    /// The subject.
    pub fn subject(&self) -> String {
        join(&self.rendering.subject, &self.values)
    }

    /// The text part.
    pub fn text(&self) -> String {
        join(&self.rendering.text, &self.values)
    }

    /// The HTML part.
    pub fn html(&self) -> String {
        join(&self.rendering.html, &self.html_values)
    }

    /// Both parts, with the shared text already encoded.
    pub(crate) fn bodies(&self) -> (&Body, &Body) {
        (&self.rendering.text_body, &self.rendering.html_body)
    }

    /// The recipient's values for the marks of the text part.
    pub(crate) fn text_values(&self) -> &[String] {
        &self.values
    }

    /// The recipient's values for the marks of the HTML part, escaped.
    pub(crate) fn html_values(&self) -> &[String] {
        &self.html_values
    }
}
