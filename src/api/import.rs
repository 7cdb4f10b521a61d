//! Import and export of subscribers: `POST /v1/subscribers/import` reads CSV as it arrives and answers with lines, see
//! [`super::stream`]; `GET /v1/subscribers/export` streams CSV.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::base::id::ListName;
use crate::base::language::Language;
use crate::base::unicode::tidy_trimmed;
use crate::model::audit::AuditOutcome;
use crate::subscribers::export::{Export, ExportSettings};
use crate::subscribers::import::encoding::{Encoding, Known};
use crate::subscribers::import::headings::{Headings, Named};
use crate::subscribers::import::plan::FieldChange;
use crate::subscribers::import::records::Format;
use crate::subscribers::import::states::Said;
use crate::subscribers::import::{ImportError, ImportEvent, ImportSettings, ImportSummary, Reject, import};

use super::audit_trail::Trail;
use super::error::ApiError;
use super::extract::{Caller, Parameters};
use super::{ApiState, stream};

/// One progress line of an import.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportLine {
    /// The format of the file: first, and again if later parts of the file reveal more.
    Format(FormatView),
    /// The headings of the file.
    Headings(Vec<String>),
    /// A remark on how the file was read.
    Note(String),
    /// What a dry run would change in a known subscriber; in order of line.
    Change(ChangeView),
    /// A row that was not imported, or only in part; in order of line.
    Reject(RejectView),
    /// Progress so far.
    Done {
        /// Rows processed.
        rows: u64,
        /// Bytes of the file processed.
        bytes: u64,
    },
}

/// The format of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatView {
    /// The encoding's name, e.g. `UTF-8` or `windows-1252`.
    pub encoding: String,
    /// Whether it was guessed from the characters.
    pub guessed: bool,
    /// Whether the file begins with a byte order mark.
    pub byte_order_mark: bool,
    /// The character that separates cells.
    pub delimiter: char,
}

/// What a dry run would change in one field of a known subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    /// The line in the file, from 1.
    pub line: u64,
    /// The subscriber's address.
    pub address: String,
    /// The field; for an attribute, its name.
    pub field: String,
    /// The stored value; empty if absent.
    pub old: String,
    /// The value in the file.
    pub new: String,
}

/// A row that was not imported, or only in part.
#[derive(Debug, Serialize, Deserialize)]
pub struct RejectView {
    /// The line in the file, from 1.
    pub line: u64,
    /// The reason.
    pub reason: String,
    /// The cells as they are in the file; empty if the row cannot be read.
    pub cells: Vec<String>,
}

/// The result of an import or of a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportResult {
    /// Whether it was a dry run: nothing was written.
    pub dry_run: bool,
    /// The number of rows: the sum of the next seven counts.
    pub rows: u64,
    /// New subscribers.
    pub created: u64,
    /// Known subscribers who were changed.
    pub updated: u64,
    /// Known subscribers who were not.
    pub unchanged: u64,
    /// Rows that cannot be read or contain an error.
    pub invalid: u64,
    /// Rows whose address is in an earlier row.
    pub duplicates: u64,
    /// Rows with a suppressed address.
    pub suppressed: u64,
    /// Rows that state that the person may not get mail.
    #[serde(default)]
    pub left_out: u64,
    /// The number of known subscribers that differ, by field.
    pub fields: BTreeMap<String, u64>,
    /// New subscriptions, by list.
    pub subscribed: BTreeMap<ListName, u64>,
    /// Subscriptions refused because the subscriber once left, by list.
    pub ended: BTreeMap<ListName, u64>,
    /// Whether the whole file could be imported.
    pub clean: bool,
    /// The format of the file; `None` if it is empty.
    #[serde(default)]
    pub format: Option<FormatView>,
}

#[derive(Deserialize)]
struct ImportParameters {
    #[serde(default)]
    file: String,
    /// List names, separated by commas.
    #[serde(default)]
    lists: String,
    consent: Option<String>,
    language: Option<String>,
    #[serde(default)]
    dry_run: bool,
    /// The meaning of columns by heading, as a JSON object: `{"E-mail 1 - Value": "address"}`.
    columns: Option<String>,
    /// The meaning of words in columns that state who may get mail: `{"hedersmedlem": "active", "B": "out"}`.
    states: Option<String>,
    /// The encoding of the file.
    encoding: Option<String>,
}

#[derive(Deserialize)]
struct ExportParameters {
    list: Option<ListName>,
    #[serde(default)]
    excel: bool,
}

/// The routes of import and export.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new().route("/v1/subscribers/import", post(take)).route("/v1/subscribers/export", get(give))
}

async fn take(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Parameters(parameters): Parameters<ImportParameters>,
    body: Body,
) -> Result<Response, ApiError> {
    let names = parameters.lists.split(',').filter(|name| !name.is_empty());
    let lists = names.map(|name| name.parse().map_err(|e| ApiError::invalid(format!("{e}"))));
    let settings = ImportSettings {
        file: file_name(&parameters.file),
        lists: lists.collect::<Result<_, _>>()?,
        consent: parameters.consent.map(|words| tidy_trimmed(&words).into_owned()).filter(|words| !words.is_empty()),
        language: parameters.language.map(|language| read_language(&language)).transpose()?,
        dry_run: parameters.dry_run,
        columns: parameters.columns.map_or_else(|| Ok(Named::new()), |columns| named_columns(&columns))?,
        states: parameters.states.map_or_else(|| Ok(Said::new()), |states| said_states(&states))?,
        encoding: parameters.encoding.map(|name| named_encoding(&name)).transpose()?,
    };
    trail.goes_on();
    let (lines, response) = stream::lines();
    let (events, mut told) = mpsc::channel(256);
    let (bytes, source) = mpsc::channel(4);
    tokio::spawn(pump(body, bytes));
    tokio::spawn(async move {
        let work = async {
            let source = futures_util::stream::unfold(source, async |mut source| Some((source.recv().await?, source)));
            let (source, dry_run) = (Box::pin(source), settings.dry_run);
            let summary = import(&control.store, &control.key, settings, control.clock.now(), source, &events).await;
            drop(events);
            summary.map(|summary| result(summary, dry_run))
        };
        let tell = async {
            let mut format = None;
            while let Some(event) = told.recv().await {
                if let ImportEvent::Format(known) = &event {
                    format = Some(FormatView::from(known));
                }
                if lines.progress(line(event)).await.is_err() {
                    // The client has disconnected: dropping the receiver aborts the import.
                    told.close();
                    break;
                }
            }
            format
        };
        let (result, format) = tokio::join!(work, tell);
        let result = result.map(|result| ImportResult { format, ..result });
        match &result {
            Ok(done) if done.dry_run => trail.ended(AuditOutcome::Done, format!("check of {} rows", done.rows)).await,
            Ok(done) => {
                let detail = format!("{} rows, {} created, {} updated", done.rows, done.created, done.updated);
                trail.ended(AuditOutcome::Done, detail).await;
            }
            Err(_) => trail.ended(AuditOutcome::Failed, "interrupted; what was imported before is kept").await,
        }
        match &result {
            Ok(result) => tracing::info!(by = %caller, rows = result.rows, dry_run = result.dry_run, "import done"),
            // The other messages may quote the file or name a list, so only the caller sees them; store errors are
            // logged in full.
            Err(ImportError::Store(error)) => tracing::warn!(by = %caller, %error, "import stopped"),
            Err(_) => tracing::warn!(by = %caller, "import stopped: the file or the request is wrong"),
        }
        lines.finish(result.map_err(ApiError::from)).await;
    });
    Ok(response)
}

/// Forwards the body. If the import ends early, the rest is read and dropped: a client still sending when the
/// connection closes would not see the response.
async fn pump(body: Body, bytes: mpsc::Sender<Result<axum::body::Bytes, std::io::Error>>) {
    let mut body = body.into_data_stream();
    let mut wanted = true;
    while let Some(piece) = body.next().await {
        let broken = piece.is_err();
        if wanted {
            wanted = bytes.send(piece.map_err(std::io::Error::other)).await.is_ok();
        }
        if broken {
            return;
        }
    }
}

/// The file's name without folders and control characters, for the consent ledger.
fn file_name(given: &str) -> String {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn line(event: ImportEvent) -> ImportLine {
    match event {
        ImportEvent::Format(format) => ImportLine::Format(FormatView::from(&format)),
        ImportEvent::Headings(headings) => ImportLine::Headings(headings),
        ImportEvent::Note(note) => ImportLine::Note(note),
        ImportEvent::Change(FieldChange { line, address, field, old, new }) => {
            ImportLine::Change(ChangeView { line, address: address.to_string(), field, old, new })
        }
        ImportEvent::Reject(Reject { line, reason, cells }) => ImportLine::Reject(RejectView { line, reason, cells }),
        ImportEvent::Progress { rows, bytes } => ImportLine::Done { rows, bytes },
    }
}

fn result(summary: ImportSummary, dry_run: bool) -> ImportResult {
    ImportResult {
        dry_run,
        clean: summary.is_clean(),
        rows: summary.rows,
        created: summary.created,
        updated: summary.updated,
        unchanged: summary.unchanged,
        invalid: summary.invalid,
        duplicates: summary.duplicates,
        suppressed: summary.suppressed,
        left_out: summary.left_out,
        fields: summary.fields.into_iter().map(|(field, n)| (field.to_owned(), n)).collect(),
        subscribed: summary.subscribed,
        ended: summary.ended,
        format: None,
    }
}

impl From<&Format> for FormatView {
    fn from(format: &Format) -> Self {
        Self {
            encoding: format.encoding.name().to_owned(),
            guessed: format.known == Known::Guessed,
            byte_order_mark: format.mark,
            delimiter: char::from(format.delimiter),
        }
    }
}

/// Parses a language as a person writes it.
pub(super) fn read_language(text: &str) -> Result<Language, ApiError> {
    let words = Headings::shipped().map_err(|error| ApiError::internal(error.to_string()))?;
    words.language(text).map_err(ApiError::invalid)
}

fn named_columns(json: &str) -> Result<Named, ApiError> {
    serde_json::from_str(json).map_err(|error| {
        ApiError::invalid(format!("columns is a JSON object such as {{\"E-mail 1 - Value\": \"address\"}}: {error}"))
    })
}

fn said_states(json: &str) -> Result<Said, ApiError> {
    serde_json::from_str(json).map_err(|error| {
        ApiError::invalid(format!("states is a JSON object such as {{\"B\": \"out\", \"A\": \"active\"}}: {error}"))
    })
}

fn named_encoding(name: &str) -> Result<Encoding, ApiError> {
    Encoding::named(name).ok_or_else(|| {
        let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        ApiError::invalid(format!(
            "\u{201c}{name}\u{201d} is not a known encoding; use one such as UTF-8, windows-1252 (also latin1), UTF-16, \
             macintosh and IBM850"
        ))
    })
}

async fn give(
    State(control): State<Arc<ApiState>>,
    Parameters(ExportParameters { list, excel }): Parameters<ExportParameters>,
) -> Result<Response, ApiError> {
    if let Some(name) = &list
        && control.store.list(name).await?.is_none()
    {
        return Err(ApiError::not_found(format!("there is no list \u{201c}{name}\u{201d}")));
    }
    let export = Export::begin(control.store.clone(), ExportSettings { list, excel }).await?;
    // An error cuts the response off, so that a partial file is never mistaken for a complete one.
    let bytes = futures_util::stream::try_unfold(export, async |mut export| {
        Ok::<_, crate::store::StoreError>(export.next().await?.map(|bytes| (bytes, export)))
    });
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8")], Body::from_stream(bytes)).into_response())
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        let text = error.to_string();
        match error {
            ImportError::Format(_) | ImportError::Columns(_) => ApiError::new(422, "unreadable-file", text),
            ImportError::Headings(_) => ApiError::internal(text),
            ImportError::NoConsent => ApiError::new(422, "no-consent", text),
            ImportError::NoList(_) => ApiError::not_found(text),
            ImportError::Source(_) | ImportError::Abandoned => {
                ApiError::new(422, "broken-off", text).hint("Run it again: rows imported already do not change.")
            }
            ImportError::Store(error) => ApiError::from(error)
                .hint("The import stopped. Run it again when the store works: rows imported already do not change."),
        }
    }
}
