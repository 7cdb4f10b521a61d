//! All templates, parsed and checked: one registry that escapes for HTML, one for text and subject that keeps every
//! value on its line. Both are strict: a missing value is an error.
//!
//! No helper reads files, the environment or the network; output is limited, which stops a runaway template.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use handlebars::{Context, Handlebars};

use crate::base::language::Language;
use crate::mail::headers::one_line;
use crate::model::release::{Kind, names};

use super::engine::{new_registry, render_context, syntax_error};
use super::inspect::{self, Usage};
use super::labels::Labels;
use super::mails::{self, Mails, Written};
use super::manifest::Manifest;
use super::template_files::{TemplateError, TemplateFile, read_all};

/// The three parts of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The subject line.
    Subject,
    /// The text part.
    Text,
    /// The HTML part.
    Html,
}

impl Part {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Subject, Self::Text, Self::Html];

    fn file(self) -> &'static str {
        match self {
            Self::Subject => "subject.hbs",
            Self::Text => "text.hbs",
            Self::Html => "html.hbs",
        }
    }
}

/// A kind: its manifest, and what its templates use.
#[derive(Clone, Debug)]
struct KindEntry {
    manifest: Manifest,
    usage: Usage,
}

/// All templates and labels, ready for use.
pub struct Templates {
    plain: Handlebars<'static>,
    html: Handlebars<'static>,
    kinds: BTreeMap<Kind, KindEntry>,
    mails: Mails,
    labels: BTreeMap<String, Labels>,
    origins: BTreeMap<String, String>,
    /// SHA-256 over the installation's own files for releases: part of what an approval is bound to.
    fingerprint: [u8; 32],
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").field("kinds", &self.kinds.keys()).finish_non_exhaustive()
    }
}

impl Templates {
    /// Loads the built-in templates, overlaid by those in a folder of the same structure.
    ///
    /// # Errors
    /// [`TemplateError`]: file, line and what is wrong. All templates must be valid.
    pub fn load(overlay: Option<&Path>) -> Result<Self, TemplateError> {
        Self::from_files(&read_all(overlay)?)
    }

    /// Loads templates from files by path, e.g. `invitation/text.hbs`.
    ///
    /// # Errors
    /// [`TemplateError`], as for [`Templates::load`].
    pub fn from_files(files: &BTreeMap<String, TemplateFile>) -> Result<Self, TemplateError> {
        let mut plain = new_registry(|value| one_line(value).into_owned());
        let mut html = new_registry(|value| super::html::escape(&one_line(value)));
        let (mut usages, mut origins) = (BTreeMap::new(), BTreeMap::new());
        let of_releases =
            |(path, _): &(&String, &TemplateFile)| path.ends_with(".hbs") && !path.starts_with(mails::FOLDER);
        for (path, file) in files.iter().filter(of_releases) {
            let name = template_name(path);
            for registry in [&mut plain, &mut html] {
                registry.register_template_string(name, &file.text).map_err(|e| syntax_error(&file.origin, &e))?;
            }
            let template = plain.get_template(name).ok_or_else(|| TemplateError::of(&file.origin, "it is lost"))?;
            let usage = inspect::inspect(template).map_err(|r| TemplateError {
                file: file.origin.clone(),
                line: r.line,
                what: r.what,
            })?;
            usages.insert(name.to_owned(), usage);
            origins.insert(name.to_owned(), file.origin.clone());
        }
        // Partials that no kind calls are checked too: faults are reported before they matter.
        for name in usages.keys() {
            inspect::with_partials(name, &usages).map_err(|what| TemplateError::of(&origins[name], what))?;
        }
        let kinds = read_kinds(files, &usages)?;
        let labels = read_labels(files)?;
        let mails = Mails::from_files(files, &labels)?;
        Ok(Self { plain, html, kinds, mails, labels, origins, fingerprint: fingerprint(files) })
    }

    /// The mails of our own.
    pub fn mails(&self) -> &Mails {
        &self.mails
    }

    /// Renders a notice in the first of the `wanted` languages that exists.
    ///
    /// # Errors
    /// [`TemplateError`]: the mail does not exist, or a required value is missing.
    pub fn write_mail(
        &self,
        name: &str,
        wanted: &[&Language],
        data: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Written, TemplateError> {
        self.mails.render(name, wanted, data, &self.labels)
    }

    /// The manifest of a kind; `None` if the kind does not exist.
    pub(crate) fn manifest(&self, kind: &Kind) -> Option<&Manifest> {
        self.kinds.get(kind).map(|entry| &entry.manifest)
    }

    /// All kinds with their manifests.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&Kind, &Manifest)> {
        self.kinds.iter().map(|(kind, entry)| (kind, &entry.manifest))
    }

    /// Further names by which release files call kinds: their titles and `also`, in small letters, also
    /// without dots and rings.
    pub(crate) fn kind_names(&self) -> BTreeMap<String, Kind> {
        let names = |(kind, manifest): (&Kind, &Manifest)| {
            let all = manifest.title.values().chain(&manifest.also);
            let both = |name: &String| [name.to_lowercase(), names::plain(&name.to_lowercase())];
            all.flat_map(both).map(|name| (name, kind.clone())).collect::<Vec<_>>()
        };
        self.kinds().flat_map(names).filter(|(name, _)| !self.kinds.keys().any(|kind| kind.as_str() == name)).collect()
    }

    /// The labels of a language, by its primary subtag; `None` when there is no labels file.
    pub fn labels(&self, language: &Language) -> Option<&Labels> {
        self.labels.get(language.primary())
    }

    /// SHA-256 over the installation's own files for releases: those built in change only with the program.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// What a kind's templates use; nothing if the kind does not exist.
    pub(super) fn usage(&self, kind: &Kind) -> Usage {
        self.kinds.get(kind).map(|entry| entry.usage.clone()).unwrap_or_default()
    }

    /// Renders one part.
    ///
    /// # Errors
    /// [`TemplateError`]: what is missing, and where.
    pub(super) fn render(&self, kind: &Kind, part: Part, context: &Context) -> Result<String, TemplateError> {
        let name = format!("{kind}/{}", part.file());
        let registry = if part == Part::Html { &self.html } else { &self.plain };
        render_context(registry, &name, context, &self.origins)
    }
}

/// A template's name: for kind templates their path, for partials the file name.
fn template_name(path: &str) -> &str {
    path.strip_prefix("partials/").and_then(|name| name.strip_suffix(".hbs")).unwrap_or(path)
}

fn read_kinds(
    files: &BTreeMap<String, TemplateFile>,
    usages: &BTreeMap<String, Usage>,
) -> Result<BTreeMap<Kind, KindEntry>, TemplateError> {
    let mut kinds = BTreeMap::new();
    for (path, file) in files {
        let Some(folder) = path.strip_suffix("/template.toml") else { continue };
        let kind: Kind = folder.parse().map_err(|e| TemplateError::of(&file.origin, format!("{e}")))?;
        let manifest = Manifest::parse(&file.origin, &file.text)
            .map_err(|e| TemplateError::of(&file.origin, e.to_string().replace(&format!("{}: ", file.origin), "")))?;
        if manifest.name != folder {
            let what = format!("name is \u{201c}{}\u{201d}, but the folder is \u{201c}{folder}\u{201d}", manifest.name);
            return Err(TemplateError::of(&file.origin, what));
        }
        let mut usage = Usage::default();
        for part in Part::ALL {
            let name = format!("{folder}/{}", part.file());
            if !usages.contains_key(&name) {
                return Err(TemplateError::of(&file.origin, format!("there is no {} next to it", part.file())));
            }
            let of_part = inspect::with_partials(&name, usages).map_err(|what| TemplateError::of(&name, what))?;
            let unknown = of_part.open.iter().find(|field| !inspect::is_recipient_field(field));
            if let Some(field) = unknown {
                let known = inspect::RECIPIENT_FIELDS.join(", ");
                let what = format!("recipients have no {field}; there are: {known}, recipient.attributes.…");
                return Err(TemplateError::of(&name, what));
            }
            usage.open.extend(of_part.open);
            usage.computes |= of_part.computes;
        }
        kinds.insert(kind, KindEntry { manifest, usage });
    }
    Ok(kinds)
}

fn read_labels(files: &BTreeMap<String, TemplateFile>) -> Result<BTreeMap<String, Labels>, TemplateError> {
    let mut labels = BTreeMap::new();
    for (path, file) in files {
        let name = path.strip_prefix("labels/").and_then(|name| name.strip_suffix(".toml"));
        let Some(language) = name else { continue };
        let parsed = Labels::parse(&file.text).map_err(|what| TemplateError::of(&file.origin, what))?;
        labels.insert(language.to_owned(), parsed);
    }
    // Every language must have every word, so that a template that works in one works in all.
    let words: BTreeSet<&String> = labels.values().flat_map(|l: &Labels| l.words.keys()).collect();
    for (language, of_language) in &labels {
        let lacking: Vec<&str> =
            words.iter().filter(|w| !of_language.words.contains_key(**w)).map(|w| w.as_str()).collect();
        if !lacking.is_empty() {
            let what = format!("these words are in another labels file but not here: {}", lacking.join(", "));
            return Err(TemplateError::of(&files[&format!("labels/{language}.toml")].origin, what));
        }
    }
    Ok(labels)
}

fn fingerprint(files: &BTreeMap<String, TemplateFile>) -> [u8; 32] {
    let mut all = Vec::new();
    let counts = |(path, file): &(&String, &TemplateFile)| !file.built_in && !path.starts_with(mails::FOLDER);
    for (path, file) in files.iter().filter(counts) {
        for part in [path, &file.text] {
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part.as_bytes());
        }
    }
    crate::base::token::content_hash(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shipped_template_must_be_rendered_for_each_recipient() {
        let templates = Templates::load(None).unwrap();
        for (kind, _) in templates.kinds() {
            assert!(!templates.usage(kind).computes, "{kind} computes with the recipient");
        }
    }
}
