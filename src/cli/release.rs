//! `depesch release`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hyper::Method;
use serde::Serialize;

use crate::api::blob::BlobView;
use crate::api::finding_view::{FindingView, views};
use crate::api::path::ApiPath;
use crate::api::release::sample::TestRequest;
use crate::api::release::{CheckResult, ReleaseAdded, ReleaseFile, ReleaseListed, ReleaseView};
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, ReleaseId};
use crate::base::token::to_hex;
use crate::composition::content::{CheckAgainst, Checked, Content};
use crate::config::Config;
use crate::model::zone;
use crate::render::lint::FileState;
use crate::render::picture::ScaledPictures;

use super::output::note;
use super::release_files::LocalRelease;
use super::{CliError, Context, Done};

pub(crate) mod preview;

use preview::ReaderOptions;

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
    /// Show what a recipient will get: of a file, without the daemon, or of a stored release
    #[command(
        after_help = "Without --out the text part is printed. A file is shown with example addresses; a stored release exactly \
        as it is sent,\nexcept that its links are valid for nothing.\n\n\
        Examples:\n  depesch release preview invitation.md\n  depesch release preview invitation.md --out preview/ --name 'Kim Ek'\n\
        \u{20} (writes subject.txt, text.txt, html.html, message.eml, and the pictures that html.html shows)\n  \
        depesch release preview r8 --list media\n  depesch release preview r8 --as karin@example.org"
    )]
    Preview {
        /// The release file, or a stored release such as r8
        #[arg(value_name = "FILE|RELEASE")]
        release: PathBuf,
        /// Where contacts are looked up.
        #[command(flatten)]
        book: BookOptions,
        /// The recipient it is made for.
        #[command(flatten)]
        reader: ReaderOptions,
        /// Of a stored release: as a reader of this list; by default the first
        #[arg(long, value_name = "LIST")]
        list: Option<ListName>,
        /// Write the parts and the whole message into this directory
        #[arg(long, value_name = "DIRECTORY")]
        out: Option<PathBuf>,
    },
    /// Send a test mail: the whole mail as a reader gets it, to any address
    ///
    /// Its subject begins with TEST in square brackets, its links change nothing, and it is in no mailing and no count. A list may require one
    /// before a release is queued (depesch list edit LIST --test-mail required).
    #[command(after_help = "A release file is stored first, unless the same file was stored before.\n\n\
        Examples:\n  depesch release test invitation.md --to me@example.org\n  \
        depesch release test r12 --to me@example.org,boss@example.org --list media\n  \
        depesch release test r12 --to me@example.org --as karin@example.org")]
    Test {
        /// The release file, or a stored release such as r12
        #[arg(value_name = "FILE|RELEASE")]
        release: PathBuf,
        /// The addresses that get it, separated by commas; they need not be subscribers
        #[arg(long, value_name = "ADDRESSES", required = true, value_delimiter = ',')]
        to: Vec<String>,
        /// The mail of this subscriber: a number such as s17, or the address; without it, that of an invented reader
        #[arg(long = "as", value_name = "WHO")]
        subscriber: Option<String>,
        /// The list that the mail is for; needed if there are several
        #[arg(long, value_name = "LIST")]
        list: Option<ListName>,
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

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: ReleaseCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        ReleaseCommand::Check { files, book, at } => check(&files, &book, at.as_deref(), context),
        ReleaseCommand::Preview { release, book, reader, list, out } => match stored(&release) {
            Some(id) => preview::of_release(id, list, &reader, out, context).await,
            None => preview::of_file(&release, &book, reader, out, context),
        },
        ReleaseCommand::Test { release, to, subscriber, list } => {
            let release = match stored(&release) {
                Some(id) => id,
                None => match stored_file(&release, None, context).await? {
                    Some(id) => id,
                    None => return Ok(Done::Partly),
                },
            };
            preview::test(release, TestRequest { to, subscriber, list }, context).await
        }
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
    pictures: &ScaledPictures,
    book: &BookOptions,
    content: &Content,
    (now, send_at): (Timestamp, Option<Timestamp>),
) -> Result<Checked, CliError> {
    let book = release.book(book.contacts.as_deref(), content)?;
    let against = CheckAgainst { book: &book, files: &release.files, pictures, now, send_at };
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
        let local = LocalRelease::read(file, &content)?;
        let checked = check_local(&local, &local.pictures(&content)?, book, &content, (now, send_at))?;
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

/// The stored release that an argument names; `None` if it is a file.
fn stored(given: &Path) -> Option<ReleaseId> {
    let id = given.to_str()?.parse().ok();
    id.filter(|_| !given.exists())
}

/// Stores a release file, says so, and returns its id; `None` if it has errors. `at` is when it is to be sent, with a zone.
pub(super) async fn stored_file(
    file: &Path,
    at: Option<(&str, Option<&str>)>,
    context: &Context,
) -> Result<Option<ReleaseId>, CliError> {
    let Some(added) = add_file(file, at, context).await? else { return Ok(None) };
    let verb = if added.known { "is known" } else { "added" };
    note(&format!("{} {verb} as {}", file.display(), added.id));
    added.id.parse().map(Some).map_err(|error| CliError::Internal(format!("{}: {error}", added.id)))
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
async fn add_file(
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
            let (created, language) = (output.times.instant(release.created), release.language.to_string());
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
        ("added", output.times.instant(release.listed.created)),
        ("by", release.listed.created_by.clone()),
    ])?;
    Ok(Done::Fully)
}
