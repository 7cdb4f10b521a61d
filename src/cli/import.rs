//! `depesch subscriber import`: the file goes up as it is read, progress and rejected rows come back.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use hyper::Method;

use crate::base::id::ListName;
use crate::base::language::Language;
use crate::control::client::Answer;
use crate::control::import::{ImportLine, ImportResult, RejectView};
use crate::control::path::ApiPath;
use crate::flow::formula;
use crate::flow::sheet::Sheet;

use super::output::note;
use super::progress::Progress;
use super::{CliError, Context, Done};

/// Rejected rows that are told where no file takes them.
const TOLD: u64 = 10;

/// What `subscriber import` takes.
#[derive(Debug, clap::Args)]
pub struct ImportOptions {
    /// The file; - for standard input
    file: PathBuf,
    /// A list to put everybody on, besides those in a column of the file; may be repeated
    #[arg(long = "list", value_name = "LIST")]
    lists: Vec<ListName>,
    /// What the people agreed to, in their words, and how; needed where the file puts people on lists
    #[arg(long, value_name = "WORDS")]
    consent: Option<String>,
    /// The language of those who are new and have none; otherwise that of the first list
    #[arg(long)]
    language: Option<Language>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Where rejected rows go: CSV with their columns, the line and the reason
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn import(options: ImportOptions, context: &Context) -> Result<Done, CliError> {
    let name = options.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let lists: Vec<&str> = options.lists.iter().map(ListName::as_str).collect();
    let path = ApiPath::new("/v1/subscribers/import")
        .query("file", if name == "-" { "standard input" } else { &name })
        .query("lists", lists.join(","))
        .query("dry_run", options.dry_run)
        .query_some("consent", options.consent.as_ref())
        .query_some("language", options.language.as_ref());
    let mut rejects = Rejects::begin(options.rejects.as_deref())?;
    let (answer, size) = upload(&options.file, path, context).await?;
    let progress = Progress::new(if options.dry_run { "looking" } else { "importing" }, size);
    let mut failed = None;
    let result: ImportResult = answer
        .follow(|line: ImportLine| match line {
            ImportLine::Headings(headings) => failed = failed.take().or(rejects.headings(&headings).err()),
            ImportLine::Reject(reject) => failed = failed.take().or(rejects.take(&reject).err()),
            ImportLine::Done { rows, octets } => {
                progress.set(octets);
                progress.say(&format!("{rows} rows"));
            }
        })
        .await?;
    drop(progress);
    let failed = failed.or(rejects.finish().err());
    show(&result, context)?;
    match failed {
        Some(error) => Err(error),
        None if result.clean => Ok(Done::Fully),
        None => Ok(Done::Partly),
    }
}

async fn upload(file: &Path, path: ApiPath, context: &Context) -> Result<(Answer, Option<u64>), CliError> {
    let (client, kind) = (&context.client, "text/csv");
    let failed = |error| CliError::File { action: "read", path: file.to_owned(), error };
    if file == Path::new("-") {
        let stdin = std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
        let stdin = tokio::fs::File::from_std(std::fs::File::from(stdin));
        return Ok((client.upload(Method::POST, path, kind, stdin).await?, None));
    }
    let opened = tokio::fs::File::open(file).await.map_err(failed)?;
    let size = opened.metadata().await.map_err(failed)?.len();
    Ok((client.upload(Method::POST, path, kind, opened).await?, Some(size)))
}

/// Where rejected rows go.
struct Rejects {
    file: Option<(PathBuf, std::fs::File)>,
    width: usize,
    count: u64,
}

impl Rejects {
    fn begin(path: Option<&Path>) -> Result<Self, CliError> {
        let open = |path: &Path| match std::fs::File::create(path) {
            Ok(file) => Ok((path.to_owned(), file)),
            Err(error) => Err(CliError::File { action: "written", path: path.to_owned(), error }),
        };
        Ok(Self { file: path.map(open).transpose()?, width: 0, count: 0 })
    }

    fn headings(&mut self, headings: &[String]) -> Result<(), CliError> {
        self.width = headings.len();
        self.write(headings.iter().map(String::as_str), "rejected line", "rejected because")
    }

    fn take(&mut self, reject: &RejectView) -> Result<(), CliError> {
        self.count += 1;
        if self.file.is_none() {
            if self.count <= TOLD {
                note(&format!("line {}: {}", reject.line, reject.reason));
            }
            return Ok(());
        }
        // Padded to the headings, so that line and reason stand under theirs.
        let padding = std::iter::repeat_n("", self.width.saturating_sub(reject.cells.len()));
        let cells = reject.cells.iter().map(String::as_str).take(self.width.max(1)).chain(padding);
        self.write(cells, &reject.line.to_string(), &reject.reason)
    }

    fn write<'a>(&mut self, cells: impl Iterator<Item = &'a str>, line: &str, reason: &str) -> Result<(), CliError> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let mut sheet = Sheet::new(b',');
        let cells = cells.map(|cell| formula::restore(cell).into_owned());
        sheet.row(cells.chain([line.to_owned(), reason.to_owned()]));
        file.write_all(&sheet.take()).map_err(|error| file_error(path, error))
    }

    fn finish(self) -> Result<(), CliError> {
        match self.file {
            Some(_) => Ok(()),
            None if self.count > TOLD => {
                note(&format!("and {} more; --rejects FILE writes them all to a file", self.count - TOLD));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn file_error(path: &Path, error: std::io::Error) -> CliError {
    CliError::File { action: "written", path: path.to_owned(), error }
}

fn show(result: &ImportResult, context: &Context) -> Result<(), CliError> {
    if context.output.is_json() {
        return context.output.json(result);
    }
    let mut fields = vec![
        ("rows", result.rows.to_string()),
        ("new", result.created.to_string()),
        ("updated", result.updated.to_string()),
        ("unchanged", result.unchanged.to_string()),
        ("refused: wrong", result.invalid.to_string()),
        ("refused: twice in the file", result.duplicates.to_string()),
        ("refused: suppressed", result.suppressed.to_string()),
    ];
    let counts = |counts: Vec<(String, u64)>| {
        let counts: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
        if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
    };
    let by_list = |map: &std::collections::BTreeMap<ListName, u64>| {
        counts(map.iter().map(|(list, n)| (list.to_string(), *n)).collect())
    };
    if !result.fields.is_empty() {
        fields.push(("fields that differ", counts(result.fields.clone().into_iter().collect())));
    }
    fields.push(("new subscriptions", by_list(&result.subscribed)));
    if !result.ended.is_empty() {
        fields.push(("refused: once left", by_list(&result.ended)));
    }
    context.output.fields(&fields)?;
    if result.dry_run {
        context.output.line("\nThis was a dry run: nothing was changed.")?;
    }
    Ok(())
}
