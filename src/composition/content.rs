//! Everything that content is checked and rendered with: templates, and the installation's defaults for release
//! files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use crate::base::clock::Timestamp;
use crate::model::contact::ContactBook;
use crate::model::release::attachment::AttachmentBudget;
use crate::model::release::names::AuthorLanguage;
use crate::model::release::{Kind, Release};
use crate::render::finding::{Finding, Severity, has_errors};
use crate::render::lint::{FileState, LintContext, lint};
use crate::render::markdown::Reading;
use crate::render::picture::{self, ScaledPictures};
use crate::render::prepare::{PreparedRelease, Recipient};
use crate::render::registry::Templates;
use crate::render::source::{Draft, Kinds, SourceSettings, parse};
use crate::render::template_files::TemplateError;
use crate::render::unshown::unshown;

use super::pictures::PictureScaler;

/// Templates and settings for content.
#[derive(Clone, Debug)]
pub struct Content {
    /// All templates and labels.
    pub templates: Arc<Templates>,
    /// Defaults for what a release file leaves out.
    pub source: SourceSettings,
    /// What a release must fulfil.
    pub rules: ContentRules,
    /// Scales pictures.
    pub pictures: PictureScaler,
}

/// What an installation demands of its releases.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContentRules {
    /// The size limit of attachments and pictures in one mail.
    pub budget: AttachmentBudget,
    /// Whether an image without alt text stops a release: public bodies must give one (EN 301 549; in Sweden lag
    /// 2018:1937).
    pub require_alt_text: bool,
}

impl Content {
    /// Loads the built-in templates, overlaid by those of a directory, with settings.
    ///
    /// # Errors
    /// [`TemplateError`]: all templates must be valid.
    pub(crate) fn load(
        templates_directory: Option<&Path>,
        source: SourceSettings,
        rules: ContentRules,
    ) -> Result<Self, TemplateError> {
        let templates = Arc::new(Templates::load(templates_directory)?);
        let source = SourceSettings { kinds: Kinds::Named(templates.kind_names()), ..source };
        Ok(Self { templates, source, rules, pictures: PictureScaler::default() })
    }

    /// Loads the built-in templates with the default settings.
    ///
    /// # Errors
    /// [`TemplateError`]: the program itself is broken.
    pub fn built_in() -> Result<Self, TemplateError> {
        Self::load(None, SourceSettings::default(), ContentRules::default())
    }
}

/// The content settings in force; they can be replaced while the daemon runs.
#[derive(Debug)]
pub struct ContentHandle {
    current: RwLock<Arc<Content>>,
}

impl ContentHandle {
    /// Starts with `content`.
    pub fn new(content: Content) -> Self {
        Self { current: RwLock::new(Arc::new(content)) }
    }

    /// The settings now in force.
    pub(crate) fn get(&self) -> Arc<Content> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces them; work under way continues with the old ones.
    pub(crate) fn replace(&self, content: Content) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(content);
    }
}

/// A release file after all checks.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The parsed file; `None` when it cannot be parsed as a release file.
    pub draft: Option<Draft>,
    /// The resolved release; only correct if there are no errors.
    pub release: Option<Release>,
    /// All findings, by line.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// Whether it can be sent.
    pub(crate) fn is_good(&self) -> bool {
        !has_errors(&self.findings)
    }

    /// The number of errors and of warnings.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let errors = self.findings.iter().filter(|f| f.severity == Severity::Error).count();
        (errors, self.findings.len() - errors)
    }
}

/// What a check uses besides the text.
pub struct CheckAgainst<'a> {
    /// The contact book.
    pub book: &'a ContactBook,
    /// Each file that the release refers to.
    pub files: &'a BTreeMap<String, FileState>,
    /// The pictures among them, scaled.
    pub pictures: &'a ScaledPictures,
    /// The current time.
    pub now: Timestamp,
    /// When it is to be sent, if known.
    pub send_at: Option<Timestamp>,
}

impl Content {
    /// Runs all checks of a release file: its form, its references, the lint rules, and whether its templates render
    /// it.
    pub fn check(&self, text: &str, against: &CheckAgainst<'_>) -> Checked {
        let parsed = parse(text, &self.source);
        let mut findings = parsed.findings;
        let Some(draft) = parsed.draft else { return Checked { draft: None, release: None, findings } };
        let (mut release, unresolved) = draft.resolve_leniently(against.book);
        findings.extend(unresolved);
        let found = |(name, state): (&String, &FileState)| match state {
            FileState::Found(blob) => Some((name.clone(), *blob)),
            FileState::Missing(_) | FileState::Refused(_) => None,
        };
        release.attach(&against.files.iter().filter_map(found).collect());
        picture::attach(&mut release, against.pictures);
        let plain = Reading { of_releases: true, ..Reading::default() };
        let context = LintContext {
            reading: self.templates.labels(&release.language).map_or(&plain, |labels| &labels.reading),
            now: against.now,
            send_at: against.send_at,
            manifest: self.templates.manifest(&release.kind),
            kinds: self.templates.kinds().map(|(kind, _)| self.kind_name(kind, draft.positions.language)).collect(),
            book: against.book,
            files: against.files,
            pictures: against.pictures,
            budget: self.rules.budget,
            require_alt_text: self.rules.require_alt_text,
        };
        // Unreadable fields are reported already; do not also report them as missing.
        let said: Vec<Option<String>> = findings.iter().map(|f| f.key.clone()).collect();
        let more = lint(&draft, &release, &context);
        findings.extend(more.into_iter().filter(|f| f.rule != "required" || !said.contains(&f.key)));
        if !has_errors(&findings)
            && let Err(error) = self.try_rendering(&release)
        {
            let values = [("why", error.to_string())];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            findings.push(Finding::said(Severity::Error, ("template", "failed"), draft.positions.language, &values));
        }
        if !has_errors(&findings) {
            self.warn_of_unshown(&draft, &release, &mut findings);
        }
        crate::render::finding::sort(&mut findings);
        Checked { draft: Some(draft), release: Some(release), findings }
    }

    /// The name of a kind as an author writes it.
    fn kind_name(&self, kind: &Kind, language: AuthorLanguage) -> String {
        let title = || self.templates.manifest(kind)?.title.get("sv").map(|title| title.to_lowercase());
        match language {
            AuthorLanguage::English => kind.to_string(),
            AuthorLanguage::Swedish => title().unwrap_or_else(|| kind.to_string()),
        }
    }

    /// Warns of fields that the kind does not show.
    fn warn_of_unshown(&self, draft: &Draft, release: &Release, findings: &mut Vec<Finding>) {
        let travel = self.rules.budget.plan(&release.attachments, &release.images);
        for field in unshown(&self.templates, release, &travel) {
            // Contents from the contact book were not written here.
            let own = (field == "body").then_some(draft.positions.body);
            let Some(line) = own.or_else(|| draft.positions.line(field)) else { continue };
            let language = draft.positions.language;
            let kind = self.kind_name(&release.kind, language);
            let finding = Finding::said(Severity::Warning, ("unshown", "field"), language, &[("kind", &kind)]);
            findings.push(finding.of(draft.positions.as_written(field)).at(Some(line)));
        }
    }

    /// Prepares a release for rendering to recipients.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub(crate) fn prepare(&self, release: &Release) -> Result<PreparedRelease, TemplateError> {
        PreparedRelease::new(&self.templates, release, &self.rules.budget.plan(&release.attachments, &release.images))
    }

    /// Renders for a recipient who has every field that the templates use; recipients who lack one are found when a
    /// mailing is queued.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub(crate) fn try_rendering(&self, release: &Release) -> Result<(), TemplateError> {
        let prepared = self.prepare(release)?;
        let attribute = |field: &String| field.strip_prefix("recipient.attributes.").map(str::to_owned);
        let names = prepared.recipient_fields().iter().filter_map(attribute);
        let attributes: BTreeMap<String, String> = names.map(|name| (name.clone(), name)).collect();
        let recipient = Recipient {
            name: Some("Kim Exempel"),
            organisation: Some("Exempelbladet"),
            address: "reader@example.org",
            language: &release.language,
            attributes: &attributes,
            list_title: None,
            unsubscribe: None,
            unsubscribe_address: Some("list-unsubscribe@lists.example.org"),
        };
        prepared.for_recipient(&recipient).map(drop)
    }
}
