//! `depesch release preview`, `depesch mailing preview` and `depesch release test`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use mail_parser::{MessageParser, MimeHeaders};
use serde::Serialize;

use crate::api::finding_view::views;
use crate::api::path::ApiPath;
use crate::api::release::sample::{PreviewView, TestAnswer, TestRequest};
use crate::base::id::{ListName, MailingId, ReleaseId};
use crate::base::language::Language;
use crate::composition::preview::{PreviewSettings, preview};
use crate::composition::sample::SampleReader;

use super::super::output::note;
use super::super::release_files::LocalRelease;
use super::super::{CliError, Context, Done};
use super::{BookOptions, check_local, content, report};

/// The recipient of a preview.
#[derive(Debug, Args)]
pub struct ReaderOptions {
    /// The recipient's name; "" for none
    #[arg(long, alias = "recipient")]
    name: Option<String>,
    /// The recipient's newsroom; "" for none
    #[arg(long)]
    organisation: Option<String>,
    /// The recipient's language, e.g. en
    #[arg(long)]
    language: Option<Language>,
    /// A subscriber instead: a number such as s17, or the address; only from the store, and recorded in the audit log
    #[arg(long = "as", value_name = "WHO", conflicts_with_all = ["name", "organisation", "language"])]
    subscriber: Option<String>,
}

impl ReaderOptions {
    fn sample(&self) -> SampleReader {
        let sample = SampleReader::default();
        let given = |given: &Option<String>, sample: Option<String>| match given {
            Some(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
            None => sample,
        };
        SampleReader {
            name: given(&self.name, sample.name.clone()),
            organisation: given(&self.organisation, sample.organisation.clone()),
            language: self.language.clone(),
            ..sample
        }
    }

    /// The path with these options as parameters.
    fn add_to(&self, path: ApiPath, with_message: bool) -> ApiPath {
        let path = path.query_some("as", self.subscriber.as_ref()).query_some("name", self.name.as_ref());
        let path = path.query_some("organisation", self.organisation.as_ref());
        let path = path.query_some("language", self.language.as_ref());
        if with_message { path.query("message", true) } else { path }
    }
}

/// What is shown: the parts, and the whole message if it is written to a file.
struct Shown {
    subject: String,
    text: String,
    html: String,
    message: Option<Vec<u8>>,
}

impl From<PreviewView> for Shown {
    fn from(view: PreviewView) -> Self {
        let message = view.message.map(String::into_bytes);
        Self { subject: view.subject, text: view.text, html: view.html, message }
    }
}

/// Previews a release file, without the daemon.
pub(super) fn of_file(
    file: &Path,
    book: &BookOptions,
    reader: ReaderOptions,
    out: Option<PathBuf>,
    context: &Context,
) -> Result<Done, CliError> {
    if reader.subscriber.is_some() {
        let what = "--as needs a stored release: \u{201c}depesch release add FILE\u{201d} stores it";
        return Err(CliError::Usage(what.to_owned()));
    }
    let (content, now) = (content(context)?, crate::app::system_clock().now());
    let config = super::super::load_config(context.config.as_deref())?.config;
    let local = LocalRelease::read(file, &content)?;
    let pictures = local.pictures(&content)?;
    let checked = check_local(&local, &pictures, book, &content, (now, None))?;
    let release = match &checked.release {
        Some(release) if checked.is_good() => release,
        _ => {
            report(file, &checked, context)?;
            return Ok(Done::Partly);
        }
    };
    let mut contents = BTreeMap::new();
    for name in local.files.keys() {
        contents.insert(name.clone(), local.content_of(name)?);
    }
    let domain = Some(config.organisation.domain).filter(|domain| domain != "localhost");
    let settings = PreviewSettings { base_url: config.base_url, domain };
    let made = preview(&content, release, &contents, &pictures, &reader.sample(), &settings, now);
    let made = made.map_err(CliError::Internal)?;
    for finding in views(&checked.findings) {
        note(&format!("{}:{}", file.display(), finding.line_of_text()));
    }
    let message = Some(made.message);
    show(&Shown { subject: made.subject, text: made.text, html: made.html, message }, out, context)
}

/// Previews a stored release.
pub(super) async fn of_release(
    id: ReleaseId,
    list: Option<ListName>,
    reader: &ReaderOptions,
    out: Option<PathBuf>,
    context: &Context,
) -> Result<Done, CliError> {
    let path = ApiPath::new("/v1/releases").segment(id).segment("preview").query_some("list", list.as_ref());
    of_store(path, reader, out, context).await
}

/// Previews a mailing.
pub(crate) async fn of_mailing(
    id: MailingId,
    reader: &ReaderOptions,
    out: Option<PathBuf>,
    context: &Context,
) -> Result<Done, CliError> {
    of_store(ApiPath::new("/v1/mailings").segment(id).segment("preview"), reader, out, context).await
}

async fn of_store(
    path: ApiPath,
    reader: &ReaderOptions,
    out: Option<PathBuf>,
    context: &Context,
) -> Result<Done, CliError> {
    let view: PreviewView = context.client.get(reader.add_to(path, out.is_some())).await?;
    if !context.output.is_json() {
        note(&format!("as a reader of the list {} gets it; its links are valid for nothing", view.list));
    }
    show(&view.into(), out, context)
}

fn show(shown: &Shown, out: Option<PathBuf>, context: &Context) -> Result<Done, CliError> {
    let Shown { subject, text, html, .. } = shown;
    match out {
        Some(folder) => write(&folder, shown, context)?,
        None if context.output.is_json() => {
            #[derive(Serialize)]
            struct Parts<'a> {
                subject: &'a str,
                text: &'a str,
                html: &'a str,
            }
            context.output.json(&Parts { subject, text, html })?;
        }
        None => context.output.line(&format!("Subject: {subject}\n\n{}", text.trim_end()))?,
    }
    Ok(Done::Fully)
}

fn write(folder: &Path, shown: &Shown, context: &Context) -> Result<(), CliError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CliError::File { action: "written", path, error }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let message = shown.message.as_deref().unwrap_or_default();
    let (html, pictures) = beside(&shown.html, message);
    let texts: [(&str, &[u8]); 4] = [
        ("subject.txt", shown.subject.as_bytes()),
        ("text.txt", shown.text.as_bytes()),
        ("html.html", html.as_bytes()),
        ("message.eml", message),
    ];
    let texts = texts.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    let mut written = Vec::new();
    for (name, bytes) in texts.into_iter().chain(pictures) {
        let path = folder.join(&name);
        std::fs::write(&path, &bytes).map_err(failed(&path))?;
        written.push(path);
    }
    if context.output.is_json() {
        return context.output.json(&written);
    }
    written.iter().try_for_each(|path| context.output.line(&path.display().to_string()))
}

/// The HTML with its pictures as files beside it: a browser does not find them within the message (RFC 2392).
fn beside(html: &str, message: &[u8]) -> (String, Vec<(String, Vec<u8>)>) {
    let (mut html, mut pictures) = (html.to_owned(), Vec::new());
    let Some(parsed) = MessageParser::default().parse(message) else { return (html, pictures) };
    for part in &parsed.parts {
        let Some(id) = part.content_id() else { continue };
        let ending = if part.is_content_type("image", "png") { "png" } else { "jpg" };
        let name = format!("picture-{}.{ending}", pictures.len() + 1);
        html = html.replace(&format!("\"cid:{id}\""), &format!("\"{name}\""));
        pictures.push((name, part.contents().to_vec()));
    }
    (html, pictures)
}

/// Sends test mails of a stored release.
pub(super) async fn test(id: ReleaseId, request: TestRequest, context: &Context) -> Result<Done, CliError> {
    let path = ApiPath::new("/v1/releases").segment(id).segment("test");
    let answer: TestAnswer = context.client.post(path, &request).await?;
    let output = &context.output;
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Done::Fully);
    }
    for mail in &answer.mails {
        output.line(&format!(
            "test mail of {} to {} ({}): {}",
            answer.release, mail.address, mail.notice, answer.subject
        ))?;
    }
    let reader = answer.reader.as_deref().unwrap_or("an invented reader");
    let list = &answer.list;
    note(&format!(
        "Composed for {reader} on the list {list}. It is in no mailing and no count; its links change nothing."
    ));
    Ok(Done::Fully)
}
