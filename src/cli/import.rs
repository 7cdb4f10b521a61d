//! `depesch subscriber import`: uploads the file while reading it; progress and rejected rows come back.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use hyper::Method;

use crate::api::client::Answer;
use crate::api::import::{ChangeView, FormatView, ImportLine, ImportResult, RejectView};
use crate::api::path::ApiPath;
use crate::base::id::ListName;
use crate::base::spreadsheet::Sheet;
use crate::base::spreadsheet_cell;
use crate::subscribers::import::encoding::Encoding;

use super::output::note;
use super::progress::Progress;
use super::{CliError, Context, Done};

/// Rejected rows shown when no file takes them.
const TOLD: u64 = 10;
/// Changes shown to people by a dry run.
const SHOWN: usize = 40;

/// The options of `subscriber import`.
#[derive(Debug, clap::Args)]
pub struct ImportOptions {
    /// The file; - for standard input
    file: PathBuf,
    /// A list to subscribe everyone to, in addition to those in a column of the file; may be repeated
    #[arg(long = "list", value_name = "LIST")]
    lists: Vec<ListName>,
    /// What the people agreed to, in their words, and how; required if the file subscribes people to lists
    #[arg(long, value_name = "WORDS")]
    consent: Option<String>,
    /// The language of new people without one; by default that of the first list
    #[arg(long)]
    language: Option<String>,
    /// The field of a column with an unknown heading, e.g. address="E-mail 1 - Value"; may be repeated
    #[arg(long = "column", value_name = "FIELD=HEADING", value_parser = column)]
    columns: Vec<(String, String)>,
    /// The meaning of a word in a column about permission to mail, e.g. hedersmedlem=active or B=out; may be repeated
    #[arg(long = "state", value_name = "WORD=active|out", value_parser = state)]
    states: Vec<(String, String)>,
    /// The file's encoding, e.g. windows-1252; guessed from the text if absent
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Write rejected rows to this file: in the import file's format, with the line and the reason added
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

fn column(text: &str) -> Result<(String, String), String> {
    let example = "a column has the form FIELD=HEADING, e.g. address=\"E-mail 1 - Value\"";
    let (field, heading) = text.split_once('=').ok_or(example)?;
    match field.trim().is_empty() || heading.trim().is_empty() {
        true => Err(example.to_owned()),
        false => Ok((field.trim().to_owned(), heading.trim().to_owned())),
    }
}

fn state(text: &str) -> Result<(String, String), String> {
    let (word, standing) = text.rsplit_once('=').unwrap_or((text, ""));
    match (word.trim(), standing.trim()) {
        (word, standing @ ("active" | "out")) if !word.is_empty() => Ok((word.to_owned(), standing.to_owned())),
        _ => Err("a state has the form WORD=active or WORD=out, e.g. hedersmedlem=active".to_owned()),
    }
}

/// The meanings of words in the form that the API expects.
fn states(said: &[(String, String)]) -> Result<Option<String>, CliError> {
    let map: BTreeMap<&str, &str> = said.iter().map(|(word, standing)| (word.as_str(), standing.as_str())).collect();
    match map.is_empty() {
        true => Ok(None),
        false => serde_json::to_string(&map).map(Some).map_err(|error| CliError::Internal(error.to_string())),
    }
}

/// The named columns in the form that the API expects.
///
/// # Errors
/// [`CliError::Usage`]: one column for two fields.
fn columns(named: &[(String, String)]) -> Result<Option<String>, CliError> {
    let map: BTreeMap<&str, &str> = named.iter().map(|(field, heading)| (heading.as_str(), field.as_str())).collect();
    match map.len() == named.len() {
        true if map.is_empty() => Ok(None),
        true => serde_json::to_string(&map).map(Some).map_err(|error| CliError::Internal(error.to_string())),
        false => Err(CliError::Usage("--column names one column twice".to_owned())),
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn import(options: ImportOptions, context: &Context) -> Result<Done, CliError> {
    let name = options.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let lists: Vec<&str> = options.lists.iter().map(ListName::as_str).collect();
    let path = ApiPath::new("/v1/subscribers/import")
        .query("file", if name == "-" { "standard input" } else { &name })
        .query("lists", lists.join(","))
        .query("dry_run", options.dry_run)
        .query_some("consent", options.consent.as_ref())
        .query_some("language", options.language.as_ref())
        .query_some("columns", columns(&options.columns)?.as_ref())
        .query_some("states", states(&options.states)?.as_ref())
        .query_some("encoding", options.encoding.as_ref());
    let mut rejects = Rejects::begin(options.rejects.as_deref())?;
    let (answer, size) = upload(&options.file, path, context).await?;
    let progress = Progress::new(if options.dry_run { "looking" } else { "importing" }, size);
    let (mut failed, mut changes) = (None, Changes::new(context.output.is_json()));
    let result: ImportResult = answer
        .follow(|line: ImportLine| match line {
            ImportLine::Format(format) => rejects.format(&format),
            ImportLine::Note(text) => note(&text),
            ImportLine::Change(change) => changes.take(change),
            ImportLine::Headings(headings) => failed = failed.take().or(rejects.headings(&headings).err()),
            ImportLine::Reject(reject) => failed = failed.take().or(rejects.take(&reject).err()),
            ImportLine::Done { rows, bytes } => {
                progress.set(bytes);
                progress.say(&format!("{rows} rows"));
            }
        })
        .await?;
    drop(progress);
    let failed = failed.or(rejects.finish().err());
    show(&result, &changes, context)?;
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

/// The changes that a dry run would make, up to the number shown.
struct Changes {
    shown: Vec<ChangeView>,
    count: usize,
    all: bool,
}

impl Changes {
    fn new(all: bool) -> Self {
        Self { shown: Vec::new(), count: 0, all }
    }

    fn take(&mut self, change: ChangeView) {
        self.count += 1;
        if self.all || self.shown.len() < SHOWN {
            self.shown.push(change);
        }
    }

    fn show(&self, context: &Context) -> Result<(), CliError> {
        if self.shown.is_empty() {
            return Ok(());
        }
        context.output.line("\nWhat would change for existing subscribers")?;
        let rows = self
            .shown
            .iter()
            .cloned()
            .map(|change| [change.line.to_string(), change.address, change.field, change.old, change.new]);
        context.output.table(&["line", "address", "field", "now", "in the file"], rows)?;
        match self.count - self.shown.len() {
            0 => Ok(()),
            more => context.output.line(&format!("and {more} more; use --json for all")),
        }
    }
}

/// The file of rejected rows, in the format of the import file.
struct Rejects {
    file: Option<(PathBuf, std::fs::File)>,
    encoding: Encoding,
    delimiter: u8,
    mark: bool,
    width: usize,
    count: u64,
}

impl Rejects {
    fn begin(path: Option<&Path>) -> Result<Self, CliError> {
        let open = |path: &Path| match std::fs::File::create(path) {
            Ok(file) => Ok((path.to_owned(), file)),
            Err(error) => Err(CliError::File { action: "written", path: path.to_owned(), error }),
        };
        let (encoding, delimiter) = (Encoding::UTF_8, b',');
        Ok(Self { file: path.map(open).transpose()?, encoding, delimiter, mark: false, width: 0, count: 0 })
    }

    /// Called again when the first non-ASCII character comes late: before that, every encoding writes the same.
    fn format(&mut self, format: &FormatView) {
        self.encoding = Encoding::named(&format.encoding).unwrap_or(Encoding::UTF_8);
        self.delimiter = u8::try_from(format.delimiter).unwrap_or(b',');
        self.mark = format.byte_order_mark;
    }

    fn headings(&mut self, headings: &[String]) -> Result<(), CliError> {
        self.width = headings.len();
        if self.width <= 1 {
            // Its cells have no delimiter; the added ones need one.
            self.delimiter = b',';
        }
        if let (true, Some((path, file))) = (self.mark, &mut self.file) {
            file.write_all(&self.encoding.encode("\u{feff}")).map_err(|error| file_error(path, error))?;
        }
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
        // Padded to the headings, so that line and reason are in their columns.
        let padding = std::iter::repeat_n("", self.width.saturating_sub(reject.cells.len()));
        let cells = reject.cells.iter().map(String::as_str).take(self.width.max(1)).chain(padding);
        self.write(cells, &reject.line.to_string(), &reject.reason)
    }

    fn write<'a>(&mut self, cells: impl Iterator<Item = &'a str>, line: &str, reason: &str) -> Result<(), CliError> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let mut sheet = Sheet::new(self.delimiter);
        let cells = cells.map(|cell| spreadsheet_cell::restore(cell).into_owned());
        sheet.row(cells.chain([line.to_owned(), reason.to_owned()]));
        let bytes = sheet.take();
        // Everything before was UTF-8.
        let text = String::from_utf8_lossy(&bytes);
        file.write_all(&self.encoding.encode(&text)).map_err(|error| file_error(path, error))
    }

    fn finish(self) -> Result<(), CliError> {
        if self.file.is_none() && self.count > TOLD {
            note(&format!("and {} more; --rejects FILE writes them all to a file", self.count - TOLD));
        }
        Ok(())
    }
}

fn file_error(path: &Path, error: std::io::Error) -> CliError {
    CliError::File { action: "written", path: path.to_owned(), error }
}

fn show(result: &ImportResult, changes: &Changes, context: &Context) -> Result<(), CliError> {
    if context.output.is_json() {
        let mut value = serde_json::to_value(result).map_err(|error| CliError::Internal(error.to_string()))?;
        if let (true, Some(object)) = (result.dry_run, value.as_object_mut()) {
            object.insert("changes".to_owned(), serde_json::json!(changes.shown));
        }
        return context.output.json(&value);
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
    if result.left_out > 0 {
        fields.push(("left out: must not get mail", result.left_out.to_string()));
    }
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
        fields.push(("refused: unsubscribed before", by_list(&result.ended)));
    }
    fields.extend(result.format.as_ref().map(|format| ("file written in", written_in(format))));
    context.output.fields(&fields)?;
    if result.dry_run {
        changes.show(context)?;
        context.output.line("\nThis was a dry run: nothing was changed.")?;
    }
    Ok(())
}

/// The file's format as text.
fn written_in(format: &FormatView) -> String {
    let how = if format.guessed { ", guessed from the text (use --encoding to change it)" } else { "" };
    let delimiter = match format.delimiter {
        '\t' => "a tab".to_owned(),
        delimiter => delimiter.to_string(),
    };
    format!("{}{how}; cells separated by {delimiter}", format.encoding)
}
