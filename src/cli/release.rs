//! `depesch release`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hyper::Method;
use serde::Serialize;

use crate::api::blob::BlobView;
use crate::api::finding_view::{FindingView, views};
use crate::api::path::ApiPath;
use crate::api::release::{CheckResult, ReleaseAdded, ReleaseFile, ReleaseListed, ReleaseView};
use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::base::language::Language;
use crate::base::token::to_hex;
use crate::composition::content::{CheckAgainst, Checked, Content};
use crate::composition::preview::{Preview, SampleReader, preview};
use crate::config::Config;
use crate::model::zone;
use crate::render::lint::FileState;

use super::output::{instant, note};
use super::release_files::LocalRelease;
use super::{CliError, Context, Done};

/// Releases: the content of mailings.
#[derive(Debug, Subcommand)]
pub enum ReleaseCommand {
    /// Report all errors in release files; needs no daemon
    #[command(after_help = "Errors stop a release, warnings are only shown. Exit code 1 when there are errors.\n\
        Contacts and boilerplate named by id are looked up in --contacts FILE, or in contacts.toml next to the release.\n\n\
        Examples:\n  depesch release check invitation.md\n  depesch release check --contacts book.toml *.md")]
    Check {
        /// The release files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Where contacts are looked up.
        #[command(flatten)]
        book: BookOptions,
        /// When it is to be sent, e.g. "2026-11-23 09:00": checked against embargo, event, expiry, Sundays and holidays
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Show what a recipient will get; needs no daemon
    #[command(after_help = "Without --out the text part is printed.\n\n\
        Examples:\n  depesch release preview invitation.md\n  depesch release preview invitation.md --out preview/ --name 'Kim Ek'\n\
        \u{20} (writes subject.txt, text.txt, html.html and message.eml)")]
    Preview {
        /// The release file
        file: PathBuf,
        /// Where contacts are looked up.
        #[command(flatten)]
        book: BookOptions,
        /// The recipient it is made for.
        #[command(flatten)]
        reader: ReaderOptions,
        /// Write the parts and the whole message into this directory
        #[arg(long, value_name = "DIRECTORY")]
        out: Option<PathBuf>,
    },
    /// Store a release with its files; it never changes afterwards, and the same file again is the same release
    #[command(after_help = "The contacts and boilerplate that it refers to are stored with it as they are now.\n\n\
        Examples:\n  depesch release add invitation.md\n  id=$(depesch release add invitation.md --json | jq -r .id)")]
    Add {
        /// The release file
        file: PathBuf,
    },
    /// Show all releases
    #[command(after_help = "Examples:\n  depesch release list\n  depesch release list --json | jq -r '.[].id'")]
    List,
    /// Show one release
    #[command(after_help = "Examples:\n  depesch release show r17\n  depesch release show r17 --source > again.md")]
    Show {
        /// The release, e.g. r17
        release: ReleaseId,
        /// Print its text as written
        #[arg(long)]
        source: bool,
    },
}

/// Where contacts and boilerplate are looked up.
#[derive(Debug, Args)]
pub struct BookOptions {
    /// A contact book in TOML, instead of contacts.toml next to the release
    #[arg(long, value_name = "FILE")]
    contacts: Option<PathBuf>,
}

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
}

impl ReaderOptions {
    fn reader(self) -> SampleReader {
        let sample = SampleReader::default();
        let given = |given: Option<String>, sample: Option<String>| match given {
            Some(text) => Some(text).filter(|text| !text.trim().is_empty()),
            None => sample,
        };
        SampleReader {
            name: given(self.name, sample.name.clone()),
            organisation: given(self.organisation, sample.organisation.clone()),
            language: self.language,
            ..sample
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: ReleaseCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        ReleaseCommand::Check { files, book, at } => check(&files, &book, at.as_deref(), context),
        ReleaseCommand::Preview { file, book, reader, out } => show_preview(&file, &book, reader, out, context),
        ReleaseCommand::Add { file } => add(&file, context).await,
        ReleaseCommand::List => list(context).await,
        ReleaseCommand::Show { release, source } => show(release, source, context).await,
    }
}

/// Templates and settings of the configuration, for work without a daemon.
fn content(context: &Context) -> Result<Content, CliError> {
    let config: Config = super::load_config(context.config.as_deref())?.config;
    crate::app::parts::load_content(&config).map_err(|error| CliError::Usage(error.to_string()))
}

fn check_local(
    release: &LocalRelease,
    book: &BookOptions,
    content: &Content,
    (now, send_at): (Timestamp, Option<Timestamp>),
) -> Result<Checked, CliError> {
    let book = release.book(book.contacts.as_deref(), content)?;
    let against = CheckAgainst { book: &book, files: &release.files, now, send_at };
    Ok(content.check(&release.source, &against))
}

/// The findings in one file, for programs.
#[derive(Serialize)]
struct FileFindings<'a> {
    file: &'a Path,
    errors: usize,
    warnings: usize,
    findings: Vec<FindingView>,
}

/// The instant of sending, as typed; `None` for now, which is checked anyway.
fn sending_time(at: &str, zone: Option<&str>, content: &Content) -> Result<Option<Timestamp>, CliError> {
    let zone = zone.map_or(Ok(content.source.zone), zone::zone);
    let now = crate::app::system_clock().now();
    let instant =
        zone.and_then(|zone| zone::parse(at, zone, now)).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(Some(instant.0).filter(|instant| *instant > now))
}

fn check(files: &[PathBuf], book: &BookOptions, at: Option<&str>, context: &Context) -> Result<Done, CliError> {
    let (content, now) = (content(context)?, crate::app::system_clock().now());
    let send_at = at.map(|at| sending_time(at, None, &content)).transpose()?.flatten();
    let mut done = Done::Fully;
    for file in files {
        let checked = check_local(&LocalRelease::read(file, &content)?, book, &content, (now, send_at))?;
        if !checked.is_good() {
            done = Done::Partly;
        }
        report(file, &checked, context)?;
    }
    Ok(done)
}

fn report(file: &Path, checked: &Checked, context: &Context) -> Result<(), CliError> {
    let ((errors, warnings), findings) = (checked.counts(), views(&checked.findings));
    if context.output.is_json() {
        return context.output.json(&FileFindings { file, errors, warnings, findings });
    }
    for finding in &findings {
        context.output.line(&format!("{}:{}", file.display(), finding.line_of_text()))?;
    }
    context.output.line(&match (errors, warnings) {
        (0, 0) => format!("{}: right", file.display()),
        (0, n) => format!("{}: right, with {}", file.display(), count(n, "warning")),
        (n, m) => format!("{}: {}, {}", file.display(), count(n, "error"), count(m, "warning")),
    })
}

fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

fn show_preview(
    file: &Path,
    book: &BookOptions,
    reader: ReaderOptions,
    out: Option<PathBuf>,
    context: &Context,
) -> Result<Done, CliError> {
    let (content, now) = (content(context)?, crate::app::system_clock().now());
    let local = LocalRelease::read(file, &content)?;
    let checked = check_local(&local, book, &content, (now, None))?;
    let release = match &checked.release {
        Some(release) if checked.is_good() => release,
        _ => {
            report(file, &checked, context)?;
            return Ok(Done::Partly);
        }
    };
    let mut contents = BTreeMap::new();
    for name in local.files.keys() {
        let path = local.path_of(name);
        let bytes = std::fs::read(&path).map_err(|error| CliError::File { action: "read", path, error })?;
        contents.insert(name.clone(), bytes);
    }
    let made = preview(&content, release, &contents, &reader.reader(), now).map_err(CliError::Internal)?;
    for finding in views(&checked.findings) {
        note(&format!("{}:{}", file.display(), finding.line_of_text()));
    }
    match out {
        Some(folder) => write_preview(&folder, &made, context)?,
        None if context.output.is_json() => {
            #[derive(Serialize)]
            struct Parts<'a> {
                subject: &'a str,
                text: &'a str,
                html: &'a str,
            }
            context.output.json(&Parts { subject: &made.subject, text: &made.text, html: &made.html })?;
        }
        None => context.output.line(&format!("Subject: {}\n\n{}", made.subject, made.text.trim_end()))?,
    }
    Ok(Done::Fully)
}

fn write_preview(folder: &Path, made: &Preview, context: &Context) -> Result<(), CliError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CliError::File { action: "written", path, error }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let parts: [(&str, &[u8]); 4] = [
        ("subject.txt", made.subject.as_bytes()),
        ("text.txt", made.text.as_bytes()),
        ("html.html", made.html.as_bytes()),
        ("message.eml", &made.message),
    ];
    let mut written = Vec::new();
    for (name, bytes) in parts {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(failed(&path))?;
        written.push(path);
    }
    if context.output.is_json() {
        return context.output.json(&written);
    }
    written.iter().try_for_each(|path| context.output.line(&path.display().to_string()))
}

async fn add(file: &Path, context: &Context) -> Result<Done, CliError> {
    let Some(added) = add_file(file, None, context).await? else { return Ok(Done::Partly) };
    match context.output.is_json() {
        true => context.output.json(&added)?,
        false => context.output.line(&added.id)?,
    }
    Ok(Done::Fully)
}

/// Stores a release with its files and prints warnings; if it has errors they are printed, and `None` is returned.
/// `at` is when it is to be sent, as typed, with the zone of that time.
pub(super) async fn add_file(
    file: &Path,
    at: Option<(&str, Option<&str>)>,
    context: &Context,
) -> Result<Option<ReleaseAdded>, CliError> {
    let content = content(context)?;
    let local = LocalRelease::read(file, &content)?;
    // A wrong time is refused when the mailing is queued.
    let send_at = at.and_then(|(at, zone)| sending_time(at, zone, &content).ok().flatten());
    let mut body = ReleaseFile { source: local.source.clone(), files: BTreeMap::new(), send_at };
    for (name, state) in &local.files {
        match state {
            FileState::Found(blob) => {
                let view = BlobView { sha256: to_hex(&blob.sha256), size: blob.size };
                upload(&local.path_of(name), &view, context).await?;
                body.files.insert(name.clone(), view);
            }
            FileState::Missing(why) | FileState::Refused(why) => {
                return Err(CliError::Usage(format!(
                    "{}: \u{201c}{name}\u{201d} cannot go with the release: {why}; see \u{201c}depesch release check\u{201d}",
                    file.display()
                )));
            }
        }
    }
    let checked: CheckResult = context.client.post("/v1/releases/check", &body).await?;
    let place = |finding: &FindingView| format!("{}:{}", file.display(), finding.line_of_text());
    if !checked.good {
        if context.output.is_json() {
            context.output.json(&checked)?;
        } else {
            checked.findings.iter().try_for_each(|finding| context.output.line(&place(finding)))?;
            note("nothing was stored");
        }
        return Ok(None);
    }
    let added: ReleaseAdded = context.client.post("/v1/releases", &body).await?;
    if !context.output.is_json() {
        added.warnings.iter().for_each(|finding| note(&place(finding)));
    }
    Ok(Some(added))
}

/// Uploads a file unless the daemon has its content already.
async fn upload(path: &Path, view: &BlobView, context: &Context) -> Result<(), CliError> {
    let place = || ApiPath::new("/v1/blobs").segment(&view.sha256);
    if context.client.get::<BlobView>(place()).await.is_ok() {
        return Ok(());
    }
    let failed = |error| CliError::File { action: "read", path: path.to_owned(), error };
    let source = tokio::fs::File::open(path).await.map_err(failed)?;
    let answer = context.client.upload(Method::PUT, place(), "application/octet-stream", source).await?;
    answer.json::<BlobView>().await?;
    Ok(())
}

async fn list(context: &Context) -> Result<Done, CliError> {
    let mut all: Vec<ReleaseListed> = Vec::new();
    loop {
        let after = all.last().map(|release| release.id.clone());
        let more: Vec<ReleaseListed> =
            context.client.get(ApiPath::new("/v1/releases").query_some("after", after)).await?;
        if more.is_empty() {
            break;
        }
        all.extend(more);
    }
    let output = &context.output;
    if output.is_json() {
        output.json(&all)?;
    } else if all.is_empty() {
        output.line("there are no releases yet; \u{201c}depesch release add FILE\u{201d} stores one")?;
    } else {
        let rows = all.into_iter().map(|release| {
            let (created, language) = (instant(release.created), release.language.to_string());
            [release.id, release.kind, language, release.headline, release.issuer, created, release.created_by]
        });
        output.table(&["id", "kind", "language", "headline", "issuer", "added", "by"], rows)?;
    }
    Ok(Done::Fully)
}

async fn show(id: ReleaseId, source: bool, context: &Context) -> Result<Done, CliError> {
    let release: ReleaseView = context.client.get(ApiPath::new("/v1/releases").segment(id)).await?;
    let output = &context.output;
    if source {
        output.bytes(release.source.as_bytes())?;
        return Ok(Done::Fully);
    }
    if output.is_json() {
        output.json(&release)?;
        return Ok(Done::Fully);
    }
    let files = release.attached.iter().map(|(name, blob)| format!("{name} ({} bytes)", blob.size));
    let boilerplates = release.boilerplates.iter().map(|(organisation, revision)| format!("{organisation} {revision}"));
    output.fields(&[
        ("release", release.listed.id.clone()),
        ("kind", release.listed.kind.clone()),
        ("language", release.listed.language.to_string()),
        ("headline", release.listed.headline.clone()),
        ("issuer", release.listed.issuer.clone()),
        ("files", files.collect::<Vec<_>>().join(", ")),
        ("contacts", release.contacts.join(", ")),
        ("boilerplate", boilerplates.collect::<Vec<_>>().join(", ")),
        ("added", instant(release.listed.created)),
        ("by", release.listed.created_by.clone()),
    ])?;
    Ok(Done::Fully)
}
