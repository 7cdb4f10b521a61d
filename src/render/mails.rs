//! Templates of notices: `mails/<name>/<language>.hbs`, one short text for each language, from which subject, text
//! and HTML are made. Another language needs one more file.
//!
//! The first line is `Subject: …`, the rest is Markdown. Every value is escaped for Markdown, so that a stranger's
//! text creates no link, heading or HTML; the HTML is also sanitised. `mails/<name>/sample.toml` has an example of
//! each value; with it every mail is rendered in every language when templates are loaded, so that a template with a
//! missing value is found then, and not when a notice is due.

use std::collections::BTreeMap;

use handlebars::Handlebars;
use serde_json::{Map, Value, json};

use crate::base::language::Language;
use crate::mail::headers::one_line;

use super::engine::{new_registry, render_to_string, syntax_error};
use super::flow::flow;
use super::html::HtmlWriter;
use super::inspect;
use super::labels::Labels;
use super::markdown::{self, Reading};
use super::plain::{self, Notes};
use super::template_files::{TemplateError, TemplateFile};

/// The folder of all mails.
pub(crate) const FOLDER: &str = "mails/";
const FRAME: &str = "mails/frame.hbs";
const FOOTER: &str = "mails/footer.hbs";
const SUBJECT: &str = "Subject:";

/// The fallback language, in which every mail exists.
const LAST_RESORT: &str = "sv";

/// All mails, parsed and tried.
pub struct Mails {
    /// Subjects: values are kept on their line.
    subjects: Handlebars<'static>,
    /// Texts in Markdown.
    bodies: Handlebars<'static>,
    /// The HTML around them.
    frame: Handlebars<'static>,
    /// The origin of each template.
    origins: BTreeMap<String, String>,
    samples: BTreeMap<String, Sample>,
    writer: HtmlWriter,
}

/// Example values of a mail.
struct Sample {
    /// Values that are always present.
    always: Map<String, Value>,
    /// Values that may be missing.
    optional: Map<String, Value>,
}

/// A rendered mail: everything but addresses and dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its language.
    pub language: String,
    /// The subject, on one line.
    pub subject: String,
    /// The text part, flowed.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

impl Mails {
    /// Parses and tries all mails among `files`.
    ///
    /// # Errors
    /// [`TemplateError`]: file, line and what is wrong.
    pub(super) fn from_files(
        files: &BTreeMap<String, TemplateFile>,
        labels: &BTreeMap<String, Labels>,
    ) -> Result<Self, TemplateError> {
        let mut mails = Self {
            subjects: new_registry(|value| one_line(value).into_owned()),
            bodies: new_registry(escape),
            frame: new_registry(|value| super::html::escape(&one_line(value))),
            origins: BTreeMap::new(),
            samples: BTreeMap::new(),
            writer: HtmlWriter::new(),
        };
        for (path, file) in files.iter().filter(|(path, _)| path.starts_with(FOLDER)) {
            mails.read(path, file)?;
        }
        let languages = mails.languages();
        for (name, of_mail) in &languages {
            mails.check_folder(name, of_mail, labels)?;
            for language in of_mail {
                mails.try_all(name, language, labels)?;
            }
        }
        Ok(mails)
    }

    fn read(&mut self, path: &str, file: &TemplateFile) -> Result<(), TemplateError> {
        self.origins.insert(path.to_owned(), file.origin.clone());
        let syntax = |e: handlebars::TemplateError| syntax_error(&file.origin, &e);
        let registry = match path.strip_suffix(".hbs") {
            None if path.ends_with("/sample.toml") => {
                let name = folder(path).unwrap_or_default().to_owned();
                let sample = Sample::parse(&file.text).map_err(|what| TemplateError::of(&file.origin, what))?;
                self.samples.insert(name, sample);
                return Ok(());
            }
            None => return Err(TemplateError::of(&file.origin, "a mail has <language>.hbs files and a sample.toml")),
            Some(_) if path == FRAME => {
                self.frame.register_template_string(path, &file.text).map_err(syntax)?;
                &self.frame
            }
            Some(_) if path == FOOTER => {
                self.bodies.register_template_string(path, &file.text).map_err(syntax)?;
                &self.bodies
            }
            Some(_) => {
                let (first, rest) = file.text.split_once('\n').unwrap_or((&file.text, ""));
                let subject = first.strip_prefix(SUBJECT).ok_or_else(|| TemplateError {
                    file: file.origin.clone(),
                    line: Some(1),
                    what: format!("the first line is the subject: \u{201c}{SUBJECT} \u{2026}\u{201d}"),
                })?;
                self.subjects.register_template_string(path, subject.trim()).map_err(syntax)?;
                // The empty line preserves the line numbers.
                self.bodies.register_template_string(path, format!("\n{rest}")).map_err(syntax)?;
                &self.bodies
            }
        };
        let template = registry.get_template(path).ok_or_else(|| TemplateError::of(&file.origin, "it is lost"))?;
        let refused = |line, what: String| TemplateError { file: file.origin.clone(), line, what };
        let usage = inspect::inspect(template).map_err(|r| refused(r.line, r.what))?;
        if let Some(partial) = usage.partials.keys().next() {
            return Err(refused(None, format!("a mail cannot call partials, such as {partial}; write the text out")));
        }
        let unescaped = |line: &str| line.contains("{{{") || line.contains("{{&") || line.contains("{{~&");
        match file.text.lines().position(unescaped).filter(|_| path != FRAME) {
            Some(at) => Err(refused(Some(at + 1), "every value is escaped in a mail; write two braces".to_owned())),
            None => Ok(()),
        }
    }

    /// The languages of each mail.
    pub fn languages(&self) -> BTreeMap<String, Vec<String>> {
        let mut languages: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in self.origins.keys() {
            if let (Some(name), Some(language)) = (folder(path), language_of(path)) {
                languages.entry(name.to_owned()).or_default().push(language.to_owned());
            }
        }
        languages
    }

    fn check_folder(
        &self,
        name: &str,
        languages: &[String],
        labels: &BTreeMap<String, Labels>,
    ) -> Result<(), TemplateError> {
        let at = format!("{FOLDER}{name}");
        if !self.samples.contains_key(name) {
            return Err(TemplateError::of(at, "there is no sample.toml, with an example of each value"));
        }
        if !languages.iter().any(|language| language == LAST_RESORT) {
            return Err(TemplateError::of(
                at,
                format!("there is no {LAST_RESORT}.hbs, the fallback for all other languages"),
            ));
        }
        match languages.iter().find(|language| !labels.contains_key(*language)) {
            Some(language) => {
                let what = format!("there is no labels/{language}.toml; the words around a mail are in it");
                Err(TemplateError::of(&self.origins[&path_of(name, language)], what))
            }
            None => Ok(()),
        }
    }

    /// Tries a mail with all values, and without those that may be missing; for an ordinary list, and for one that
    /// shows neither name nor title.
    fn try_all(&self, name: &str, language: &str, labels: &BTreeMap<String, Labels>) -> Result<(), TemplateError> {
        let sample = &self.samples[name];
        let open = json!({ "title": "Exempellistan", "address": "exempel@lists.example.org",
            "owner": "exempel-owner@lists.example.org", "request": "exempel-request@lists.example.org" });
        let closed = json!({ "owner": "l0-owner@lists.example.org", "request": "l0-request@lists.example.org" });
        for list in [open, closed] {
            for with_optional in [true, false] {
                let mut data = sample.always.clone();
                if with_optional {
                    data.extend(sample.optional.clone());
                }
                data.entry("list").or_insert(list.clone());
                self.render_in(name, language, data, &labels[language])?;
            }
        }
        Ok(())
    }

    /// The values in a mail's sample that are always present, and those that may be missing.
    pub fn sample(&self, name: &str) -> Option<(&Map<String, Value>, &Map<String, Value>)> {
        self.samples.get(name).map(|sample| (&sample.always, &sample.optional))
    }

    /// Renders a mail in the first of the `wanted` languages that exists, otherwise in Swedish.
    ///
    /// # Errors
    /// [`TemplateError`]: the mail does not exist, or a required value is missing.
    pub(super) fn render(
        &self,
        name: &str,
        wanted: &[&Language],
        data: Map<String, Value>,
        labels: &BTreeMap<String, Labels>,
    ) -> Result<Written, TemplateError> {
        let there = |language: &&str| self.origins.contains_key(&path_of(name, language));
        let language = wanted.iter().map(|language| language.primary()).find(there).unwrap_or(LAST_RESORT);
        let Some(labels) = labels.get(language).filter(|_| there(&language)) else {
            return Err(TemplateError::of(format!("{FOLDER}{name}"), "there is no such mail"));
        };
        self.render_in(name, language, data, labels)
    }

    fn render_in(
        &self,
        name: &str,
        language: &str,
        mut data: Map<String, Value>,
        labels: &Labels,
    ) -> Result<Written, TemplateError> {
        data.insert("labels".to_owned(), json!(labels.words));
        data.insert("language".to_owned(), json!(language));
        data.insert("direction".to_owned(), json!(labels.direction));
        let path = path_of(name, language);
        let subject = render_to_string(&self.subjects, &path, &data, &self.origins)?;
        let commonmark = Reading::default();
        let body = markdown::parse(&render_to_string(&self.bodies, &path, &data, &self.origins)?, &commonmark);
        let footer = markdown::parse(&render_to_string(&self.bodies, FOOTER, &data, &self.origins)?, &commonmark);
        let (mut notes, marks) = (Notes::default(), &labels.marks);
        let mut text = plain::write(&body, marks, &mut notes);
        let after = plain::write(&footer, marks, &mut notes);
        text.push_str("\n\n");
        for (number, link) in (1..).zip(notes.links()) {
            text.push_str(&format!("[{number}] {link}\n"));
        }
        if !after.is_empty() {
            text.push_str(&format!("\n________\n{after}\n"));
        }
        data.insert("subject".to_owned(), json!(subject));
        data.insert("body_html".to_owned(), json!(self.writer.blocks(&body, marks)));
        data.insert("footer_html".to_owned(), json!(self.writer.blocks(&footer, marks)));
        let html = render_to_string(&self.frame, FRAME, &data, &self.origins)?;
        Ok(Written { language: language.to_owned(), subject: one_line(&subject).into_owned(), text: flow(&text), html })
    }
}

impl Sample {
    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = toml::from_str(text).map_err(|e| e.to_string())?;
        let Ok(Value::Object(mut always)) = serde_json::to_value(table) else {
            return Err("a sample is a table of values".to_owned());
        };
        match always.remove("optional") {
            None => Ok(Self { always, optional: Map::new() }),
            Some(Value::Object(optional)) => Ok(Self { always, optional }),
            Some(_) => Err("[optional] is a table of values".to_owned()),
        }
    }
}

/// `confirm` of `mails/confirm/sv.hbs`.
fn folder(path: &str) -> Option<&str> {
    path.strip_prefix(FOLDER)?.split_once('/').map(|(folder, _)| folder)
}

/// `sv` of `mails/confirm/sv.hbs`.
fn language_of(path: &str) -> Option<&str> {
    path.strip_prefix(FOLDER)?.split_once('/')?.1.strip_suffix(".hbs")
}

fn path_of(name: &str, language: &str) -> String {
    format!("{FOLDER}{name}/{language}.hbs")
}

/// Escapes a value as plain words in Markdown: on one line, a backslash before every ASCII punctuation mark
/// (CommonMark §2.4), so that none has a meaning.
fn escape(value: &str) -> String {
    let line = one_line(value);
    let mut out = String::with_capacity(line.len() + line.len() / 4);
    for c in line.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
